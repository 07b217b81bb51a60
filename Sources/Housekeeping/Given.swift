import Foundation

/// What an operator has given us: files and ports, with errors that say which one is at fault.
public enum Given {
    /// Largest file that is read whole, in bytes.
    private static let fileMost = 1024 * 1024

    /// The content of a file that an option or a configuration names.
    ///
    /// - Parameter what: what the file is, for the error.
    public static func file(_ path: String, _ what: String) throws -> Data {
        guard let handle = FileHandle(forReadingAtPath: path),
            let data = try handle.read(upToCount: fileMost), !data.isEmpty
        else { throw CommandFailure("\(what): \(path) is missing, empty or cannot be read") }
        return data
    }

    /// Refuses a port of this machine that another process listens on.
    public static func requireFree(_ port: Int, otherwise advice: String) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var reuse: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0 else {
            throw CommandFailure(
                "port \(port) is taken (\(String(cString: strerror(errno)))): \(advice)")
        }
    }
}
