import AsyncHTTPClient
import Foundation
import Housekeeping
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1

/// How `dev start` and `dev stop` reach the supervisor: HTTP on a Unix socket that only its owner
/// can open.
enum ControlSocket {
    private static let answerBytesMost = 4096
    private static let timeout = TimeAmount.seconds(30)

    static func path(in directory: URL) -> String { directory.appending(path: "dev.sock").path }

    /// Serves until cancelled.
    static func serve(
        _ path: String, _ act: @escaping @Sendable (_ verb: String, _ name: String) throws -> Void
    ) async throws {
        unlink(path)
        let router = Router()
        router.post(":verb/:name") { _, context -> Response in
            let verb = try context.parameters.require("verb")
            let name = try context.parameters.require("name")
            do {
                try act(verb, name)
                return Response(status: .ok)
            } catch {
                return Response(
                    status: .conflict, body: .init(byteBuffer: ByteBuffer(string: "\(error)")))
            }
        }
        let old = umask(0o077)
        defer { umask(old) }
        var log = Logger(label: "control")
        log.logLevel = .critical
        let server = Application(
            router: router, configuration: .init(address: .unixDomainSocket(path: path)),
            logger: log)
        try await server.runService(gracefulShutdownSignals: [])
    }

    /// Asks the supervisor of the stack in `directory`.
    static func ask(_ verb: String, _ name: String, in directory: URL) async throws {
        let path = path(in: directory)
        guard FileManager.default.fileExists(atPath: path),
            let url = URL(httpURLWithSocketPath: path, uri: "/\(verb)/\(name)")
        else { throw CommandFailure("no local stack is running on \(directory.path)") }
        var request = HTTPClientRequest(url: url.absoluteString)
        request.method = .POST
        let response = try await HTTPClient.shared.execute(request, timeout: timeout)
        let body = try await response.body.collect(upTo: answerBytesMost)
        guard response.status == .ok else {
            throw CommandFailure(String(buffer: body))
        }
    }
}
