import Canonical
import Foundation
import Identity

/// A client that costs next to nothing: one kept connection, requests as bytes, answers read to
/// their end. It takes from the server's machine what a benchmark has to.
final class SocketClient {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard isConnected == 0 else { throw Failed() }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    deinit { close(descriptor) }

    /// Sends a request and reads its whole answer, which must be a success.
    func exchange(_ request: [UInt8]) throws {
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + sent, request.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failed() }
            sent += count
        }
        var (have, needed) = (0, Int.max)
        while have < needed {
            let count = buffer.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress! + have, $0.count - have, 0)
            }
            guard count > 0 else { throw Failed() }
            have += count
            if needed == .max { needed = try length(of: have) ?? .max }
        }
    }

    private static let success = Array("HTTP/1.1 2".utf8)
    private static let end = Array("\r\n\r\n".utf8)
    /// As Hummingbird spells it.
    private static let contentLength = Array("\r\nContent-Length: ".utf8)

    /// How long an answer is in all, as soon as its head is there. Nothing is made of the bytes: a
    /// client that reads as programs do takes a third of what the server takes to answer.
    private func length(of have: Int) throws -> Int? {
        guard let end = place(of: Self.end, in: have) else { return nil }
        guard buffer.starts(with: Self.success), let line = place(of: Self.contentLength, in: end)
        else { throw Failed() }
        let digits = buffer[(line + Self.contentLength.count)..<end].prefix { $0 != 13 }
        return end + Self.end.count + digits.reduce(0) { 10 * $0 + Int($1) - 48 }
    }

    /// Where the bytes first stand among the first `have`.
    private func place(of bytes: [UInt8], in have: Int) -> Int? {
        guard have >= bytes.count else { return nil }
        return buffer.withUnsafeBytes { buffer in
            (0...have - bytes.count).first {
                buffer[$0] == bytes[0] && memcmp(buffer.baseAddress! + $0, bytes, bytes.count) == 0
            }
        }
    }
}

/// Requests as bytes, signed as the custody face asks.
struct SignedRequests {
    let keyID: String
    let secret: String

    func bytes(_ method: String, _ path: String, _ body: [UInt8] = []) -> [UInt8] {
        let (target, now, nonce) = ("/v1" + path, Int64(time(nil)), UUID().uuidString)
        let signature = SignedRequest.sign(
            method: method, target: target, body: body, timestamp: now, nonce: nonce,
            secret: secret)
        var lines = [
            "\(method) \(target) HTTP/1.1", "Host: localhost", "X-API-Key: \(keyID)",
            "X-Timestamp: \(now)", "X-Nonce: \(nonce)", "X-Signature: \(signature)",
        ]
        if !body.isEmpty {
            lines += [
                "Content-Length: \(body.count)", "Content-Type: application/json",
                "Idempotency-Key: \(nonce)",
            ]
        }
        return Array((lines + ["", ""]).joined(separator: "\r\n").utf8) + body
    }
}
