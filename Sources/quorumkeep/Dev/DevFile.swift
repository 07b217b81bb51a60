import Foundation
import Housekeeping

/// `dev.json`: where the local stack is and with what it can be tried. The contract is
/// `docs/dev-stack.md`; keys of parts that are not built are absent.
struct DevFile: Codable {
    static let version = 1

    var version = DevFile.version
    var custody: Custody
    var mpcAdmin: MPCAdmin
    var tenants: [Tenant]
    var platform: Platform
    var holders: [Holder]
    var chains: Chains

    struct Custody: Codable {
        var url: String
        var tlsUrl: String
        var caPath: String
    }

    struct MPCAdmin: Codable {
        var url: String
        /// What signs its answers, hexadecimal.
        var responsePublicKey: String
    }

    struct Tenant: Codable {
        var id: String
        var name: String
        var environment: String
        var keys: Keys
    }

    struct Keys: Codable {
        var hmac: HMACKey
        /// Absent in what an earlier version kept.
        var ed25519: Ed25519Key?
    }

    /// Both hexadecimal; the private key is RFC 8032's.
    struct Ed25519Key: Codable {
        var privateKey: String
        var publicKey: String
    }

    struct HMACKey: Codable {
        var keyId: String
        var secret: String
    }

    struct Platform: Codable {
        var pid: Int32
        var dataDir: String
    }

    struct Holder: Codable {
        var nodeId: String
        var name: String
        var type: String
        var dataDir: String
        var pid: Int32
    }

    struct Chains: Codable {
        var evm: EVM
    }

    struct EVM: Codable {
        var rpcUrl: String
        var chainId: UInt64
        /// Of a stranger with funds; absent where a real node is used.
        var faucetPrivateKey: String?
    }

    func write(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try PrivateFile.write(try encoder.encode(self) + Data("\n".utf8), to: url)
    }

    static func read(_ url: URL) throws -> DevFile {
        try JSONDecoder().decode(DevFile.self, from: try Data(contentsOf: url))
    }

    /// As one line.
    var line: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}
