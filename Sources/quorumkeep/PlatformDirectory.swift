import Algebra
import Canonical
import Custody
import Foundation
import Gateway
import Housekeeping
import Identity
import Intents
import Storage

/// The platform's data directory: configuration, database, and the keys that are not in it.
struct PlatformDirectory {
    let url: URL

    init(_ path: String) { url = URL(filePath: path).absoluteURL }

    private var configurationFile: URL { url.appending(path: "platform.json") }
    private var vaultKeyFile: URL { url.appending(path: "vault.key") }
    private var intentKeyFile: URL { url.appending(path: "intent.key") }
    private var responseKeyFile: URL { url.appending(path: "response.key") }
    private var databaseFile: URL { url.appending(path: "platform.sqlite") }

    var exists: Bool { FileManager.default.fileExists(atPath: configurationFile.path) }

    func path(_ name: String) -> String { url.appending(path: name).path }

    /// Writes the configuration, and makes the keys that are not there yet.
    func create(_ configuration: PlatformConfiguration) throws {
        try PrivateFile.makeDirectory(url)
        for file in [vaultKeyFile, intentKeyFile, responseKeyFile] { try Self.makeKey(file) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try PrivateFile.write(try encoder.encode(configuration), to: configurationFile)
    }

    /// A key of 32 random bytes, unless there is one.
    private static func makeKey(_ file: URL) throws {
        guard !FileManager.default.fileExists(atPath: file.path) else { return }
        var random = SystemRandom()
        let key = SecretBytes(count: 32, from: &random)
        try key.withBytes { try PrivateFile.write(Data($0), to: file) }
    }

    func configuration() throws -> PlatformConfiguration {
        guard let data = try? Data(contentsOf: configurationFile) else {
            throw CommandFailure(
                "\(url.path) holds no installation: make one with quorumkeep init")
        }
        do {
            return try JSONDecoder().decode(PlatformConfiguration.self, from: data)
        } catch let DecodingError.keyNotFound(key, context) {
            let path = (context.codingPath.map(\.stringValue) + [key.stringValue]).joined(
                separator: ".")
            throw CommandFailure("platform.json lacks '\(path)'")
        } catch {
            throw CommandFailure("platform.json cannot be read: \(error)")
        }
    }

    func intentKey() throws -> IntentKey { try IntentKey(file: intentKeyFile) }

    /// An installation of a version that had none is given one.
    func responseKey() throws -> ResponseKey {
        if exists { try Self.makeKey(responseKeyFile) }
        return try ResponseKey(file: responseKeyFile)
    }

    func database() throws -> PlatformDatabase {
        umask(0o077)
        return try PlatformDatabase(path: databaseFile.path)
    }

    /// Custody on this directory's database: for the server, and for commands beside it.
    func custody() throws -> (Bookkeeper, PlatformDatabase) {
        let settings = try configuration().settings()
        let database = try database()
        let key = SecretBytes(copying: try PrivateFile.read(vaultKeyFile))
        guard key.count == SealingKey.byteCount else {
            throw CommandFailure("vault.key is no key of 32 bytes")
        }
        let custody = Bookkeeper(
            database: database, settings: settings, vaultKey: PlatformVaultKey(SealingKey(key)),
            events: FaceEventWriter(assets: settings.assets), clock: { .machine })
        return (custody, database)
    }
}

/// The platform's intent key. The process that plays the relay role alone never opens it.
final class IntentKey: IntentSigner {
    private let key: SecretBox<IdentityKey>
    let publicKey: IdentityPublicKey

    init(file: URL) throws {
        let key = try IdentityKey.read(file)
        publicKey = key.publicKey
        self.key = SecretBox(key)
    }

    func sign(_ digest: Digest) -> IdentitySignature { key.with { $0.sign(digest) } }
}

/// The key that answers of the MPC administration face are signed with.
final class ResponseKey: ResponseSigner {
    private let key: SecretBox<IdentityKey>
    let publicKey: IdentityPublicKey

    init(file: URL) throws {
        let key = try IdentityKey.read(file)
        publicKey = key.publicKey
        self.key = SecretBox(key)
    }

    func sign(_ digest: Digest) -> IdentitySignature { key.with { $0.sign(digest) } }
}

extension IdentityKey {
    fileprivate static func read(_ file: URL) throws -> IdentityKey {
        guard let key = IdentityKey(seed: SecretBytes(copying: try PrivateFile.read(file))) else {
            throw CommandFailure("\(file.path) is no key of 32 bytes")
        }
        return key
    }
}

extension Timestamp {
    static var machine: Timestamp {
        Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }
}
