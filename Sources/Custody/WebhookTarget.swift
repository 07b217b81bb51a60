import Foundation
import Identity

/// Where events may be sent. A tenant chooses the URL, so it must not reach what only our own
/// network can reach (server-side request forgery).
public struct WebhookTarget: Equatable, Sendable {
    public let url: String
    public let scheme: String
    public let host: String
    public let port: Int

    public enum Unfit: Error, Equatable, Sendable {
        case malformed
        case plainHTTP
        case privateAddress

        func sentence(of field: String) -> String {
            switch self {
            case .malformed:
                "'\(field)' must be a whole URL such as https://example.com/hook, without user or "
                    + "fragment."
            case .plainHTTP: "'\(field)' must be https."
            case .privateAddress:
                "'\(field)' must not be a private, loopback or link-local address."
            }
        }
    }

    /// - Parameter allowsLocal: development: plain HTTP and any address.
    public init(_ url: String, allowsLocal: Bool) throws(Unfit) {
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            let parts = URLComponents(string: url),
            let scheme = parts.scheme?.lowercased(), let host = parts.host, !host.isEmpty,
            parts.user == nil, parts.password == nil, parts.fragment == nil,
            ["http", "https"].contains(scheme), (1...65_535).contains(parts.port ?? 443)
        else { throw .malformed }
        let bare = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        // A name that another reader of URLs could take for another name is none.
        guard NetworkAddress(bare) != nil || bare.utf8.allSatisfy(Self.isNamed) else {
            throw .malformed
        }
        self.url = url
        self.scheme = scheme
        self.host = bare
        port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard !allowsLocal else { return }
        guard scheme == "https" else { throw .plainHTTP }
        if bare == "localhost" || bare.hasSuffix(".localhost") { throw .privateAddress }
        if let address = NetworkAddress(bare), !address.isPublic { throw .privateAddress }
    }

    /// Letters, digits, and `-._`.
    private static func isNamed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// An IPv4 or IPv6 address, and whether the whole Internet can reach it.
public struct NetworkAddress: Equatable, Sendable {
    /// 4 or 16 bytes.
    public let bytes: [UInt8]

    public init?(_ text: String) {
        guard let address = IPAddress(text) else { return nil }
        bytes = address.bytes
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// False for loopback, private, link-local, shared, multicast, documentation and reserved
    /// ranges (RFC 6890 and its registries), also inside IPv4-mapped and translated addresses.
    public var isPublic: Bool {
        if bytes.count == 4 { return Self.isPublicIPv4(bytes) }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
        let translated: [UInt8] = [0, 0x64, 0xff, 0x9b] + [UInt8](repeating: 0, count: 8)
        if Array(bytes.prefix(12)) == mapped || Array(bytes.prefix(12)) == translated {
            return Self.isPublicIPv4(Array(bytes.suffix(4)))
        }
        // Global unicast is 2000::/3; of it, documentation and 6to4 are not ours to reach.
        let isGlobal = bytes[0] & 0xe0 == 0x20
        let isDocumentation = Array(bytes.prefix(4)) == [0x20, 0x01, 0x0d, 0xb8]
        let isTransition =
            Array(bytes.prefix(2)) == [0x20, 0x02]
            || Array(bytes.prefix(4)) == [0x20, 0x01, 0, 0]
        return isGlobal && !isDocumentation && !isTransition
    }

    private static func isPublicIPv4(_ bytes: [UInt8]) -> Bool {
        switch (bytes[0], bytes[1], bytes[2]) {
        case (0, _, _), (10, _, _), (127, _, _), (169, 254, _), (192, 168, _), (192, 0, 0),
            (192, 0, 2), (198, 51, 100), (203, 0, 113), (192, 88, 99):
            false
        case (100, 64...127, _), (172, 16...31, _), (198, 18...19, _), (224..., _, _): false
        default: true
        }
    }
}
