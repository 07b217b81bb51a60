import Foundation

/// A TCP connection to this machine whose user sends what it likes.
public final class RawConnection {
    private let socket: Int32

    /// nil if nobody listens.
    public init?(port: Int) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            close(socket)
            return nil
        }
        self.socket = socket
    }

    deinit { close(socket) }

    /// - Returns: whether all of it was taken; not by one who has hung up, or takes nothing more.
    @discardableResult
    public func send(_ bytes: [UInt8], seconds: Double = 5) -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                guard errno == EAGAIN, wait(POLLOUT, until: deadline) else { return false }
            }
        }
        return true
    }

    @discardableResult
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Says that nothing more will come, and goes on listening.
    public func endSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// What came until it was enough, the other end hung up, or the time was over.
    public func receive(
        seconds: Double = 5, until isEnough: ([UInt8]) -> Bool = { _ in false }
    ) -> (bytes: [UInt8], isClosed: Bool) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while !isEnough(bytes) {
            guard wait(POLLIN, until: deadline) else { return (bytes, false) }
            let count = chunk.withUnsafeMutableBytes {
                recv(socket, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                return (bytes, true)
            }
        }
        return (bytes, false)
    }

    private func wait(_ what: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        let left = Int(ContinuousClock.now.duration(to: deadline) / .milliseconds(1))
        guard left > 0 else { return false }
        var asked = pollfd(fd: socket, events: Int16(what), revents: 0)
        return poll(&asked, 1, Int32(min(left, 60_000))) > 0
    }
}

/// An answer as it came over a connection.
public struct RawAnswer {
    public let status: Int
    public let headers: [(name: String, value: String)]
    public let body: [UInt8]

    /// The answers that came whole, one after the other.
    public static func all(in bytes: [UInt8]) -> [RawAnswer] {
        var found: [RawAnswer] = []
        var rest = bytes[...]
        while let (answer, end) = first(in: rest) {
            found.append(answer)
            rest = rest[end...]
        }
        return found
    }

    public subscript(name: String) -> String? {
        headers.first { $0.name == name.lowercased() }?.value
    }

    private static func first(in bytes: ArraySlice<UInt8>) -> (RawAnswer, Int)? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            return nil
        }
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                name: parts[0].lowercased(),
                value: parts.last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
            )
        }
        let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
        guard bytes.endIndex - end.upperBound >= length else { return nil }
        let body = Array(bytes[end.upperBound..<end.upperBound + length])
        return (RawAnswer(status: status, headers: headers, body: body), end.upperBound + length)
    }
}
