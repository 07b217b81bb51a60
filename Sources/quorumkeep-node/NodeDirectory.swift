import Algebra
import Canonical
import Foundation
import Holder
import HolderStorage
import Housekeeping
import Intents

/// A holder's data directory: its configuration, its two keys, its rules and its store.
struct NodeDirectory {
    static let configurationName = "node.json"

    /// What the operator has set, and pinned.
    struct Configuration: Codable {
        static let version = 1

        var version = Configuration.version
        var name: String
        var relay: Relay
        /// The platform's intent key, hexadecimal: intents that it did not sign are dropped.
        var platformKey: String
        /// The operator's servers that must approve what is signed; none if left out.
        var callback: CallbackConfiguration?

        /// The operator's servers that are told what becomes of requests; none if left out.
        var events: EventsConfiguration?

        /// The keys that the file may have: a misspelt one must not be a server that is not asked.
        static let keys: Set = ["version", "name", "relay", "platformKey", "callback", "events"]

        struct Relay: Codable {
            var host: String
            var port: Int
            /// The name in the relay's certificate.
            var serverName: String
        }
    }

    let url: URL

    init(_ path: String) { url = URL(filePath: path).absoluteURL }

    private var identityFile: URL { url.appending(path: "identity.key") }
    private var sealingFile: URL { url.appending(path: "sealing.key") }
    private var callbackFile: URL { url.appending(path: "callback.key") }
    var rulesFile: URL { url.appending(path: "rules.json") }
    var authorityFile: URL { url.appending(path: "relay-ca.pem") }
    private var configurationFile: URL { url.appending(path: Self.configurationName) }
    private var databaseFile: URL { url.appending(path: "holder.sqlite") }

    /// Makes the directory with fresh keys. An existing one is left as it is.
    func create(_ configuration: Configuration, rules: Data, authority: Data) throws {
        guard !FileManager.default.fileExists(atPath: configurationFile.path) else {
            throw CommandFailure("\(url.path) holds a holder already")
        }
        try PrivateFile.makeDirectory(url)
        _ = try HolderRulesFile.read(rules)
        var random = SystemRandom()
        for file in [identityFile, sealingFile] {
            let key = SecretBytes(count: 32, from: &random)
            try key.withBytes { try PrivateFile.write(Data($0), to: file) }
        }
        try makeCallbackKey()
        try PrivateFile.write(rules, to: rulesFile)
        try PrivateFile.write(authority, to: authorityFile)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try PrivateFile.write(try encoder.encode(configuration), to: configurationFile)
    }

    func configuration() throws -> Configuration {
        guard let data = try? Data(contentsOf: configurationFile) else {
            throw CommandFailure(
                "\(url.path) holds no holder: make one with quorumkeep-node init")
        }
        try refuseUnknownKeys(data)
        let configuration = try JSONDecoder().decode(Configuration.self, from: data)
        guard configuration.version == Configuration.version else {
            throw CommandFailure(
                "\(configurationFile.path) is of version \(configuration.version); this program "
                    + "reads \(Configuration.version)")
        }
        return configuration
    }

    private func refuseUnknownKeys(_ data: Data) throws {
        guard let file = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw CommandFailure("\(configurationFile.path) is no JSON object")
        }
        var unknown = Set(file.keys).subtracting(Configuration.keys)
        for (section, serverKeys) in [
            ("callback", CallbackConfiguration.serverKeys),
            ("events", EventsConfiguration.serverKeys),
        ] {
            let section = file[section] as? [String: Any] ?? [:]
            let servers = section["servers"] as? [[String: Any]] ?? []
            unknown.formUnion(Set(section.keys).subtracting(CallbackConfiguration.keys))
            unknown.formUnion(Set(servers.flatMap(\.keys)).subtracting(serverKeys))
        }
        if let name = unknown.min() {
            throw CommandFailure("\(configurationFile.path): '\(name)' is not known")
        }
    }

    /// The key by which callback servers know this holder.
    func callbackKey() throws -> RSAKey {
        guard FileManager.default.fileExists(atPath: callbackFile.path) else {
            throw CommandFailure(
                "\(callbackFile.path) is missing: make it with quorumkeep-node callback key, and "
                    + "give what that prints to the servers' operator")
        }
        do {
            return try RSAKey(SecretBytes(copying: try PrivateFile.read(callbackFile)))
        } catch let malformed as MalformedBytes {
            throw CommandFailure("\(callbackFile.path): \(malformed)")
        }
    }

    /// Makes the key unless it is there: holders that were made by earlier versions have none.
    func makeCallbackKey() throws {
        guard !FileManager.default.fileExists(atPath: callbackFile.path) else { return }
        let key = RSAKey()
        try key.stored().withBytes { try PrivateFile.write(Data($0), to: callbackFile) }
    }

    func identity() throws -> IdentityKey {
        let seed = SecretBytes(copying: try PrivateFile.read(identityFile))
        guard let identity = IdentityKey(seed: seed) else {
            throw CommandFailure("\(identityFile.path) is no key of 32 bytes")
        }
        return identity
    }

    func sealingKey() throws -> SealingKey {
        let key = SecretBytes(copying: try PrivateFile.read(sealingFile))
        guard key.count == SealingKey.byteCount else {
            throw CommandFailure("\(sealingFile.path) is no key of 32 bytes")
        }
        return SealingKey(key)
    }

    func rules() throws -> HolderRules { try HolderRulesFile.read(try Data(contentsOf: rulesFile)) }

    func database() throws -> HolderDatabase {
        _ = try configuration()  // a directory without a holder gets no database either
        umask(0o077)
        return try HolderDatabase(path: databaseFile.path)
    }
}

extension HolderRulesFile {
    /// A misspelt key must not be a limit that is missing.
    private static func refuseUnknownKeys(_ data: Data) throws {
        guard let file = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            return
        }
        if let unknown = Set(file.keys).subtracting(keys).min() {
            throw Invalid("rules.json: '\(unknown)' is not known")
        }
        for (asset, limits) in file["assets"] as? [String: Any] ?? [:] {
            try refuseUnknownKeys(limits, "assets.\(asset)", as: "assets")
        }
        for part in innerKeys.keys where part != "assets" {
            guard let value = file[part] else { continue }
            try refuseUnknownKeys(value, part, as: part)
        }
    }

    /// - Parameter kind: where `innerKeys` has what may stand there.
    private static func refuseUnknownKeys(
        _ value: Any, _ place: String, as kind: String
    ) throws {
        if let entries = value as? [Any] {
            for (at, entry) in entries.enumerated() {
                try refuseUnknownKeys(entry, "\(place)[\(at)]", as: kind)
            }
        }
        guard let object = value as? [String: Any], let known = innerKeys[kind] else { return }
        if let unknown = Set(object.keys).subtracting(known).min() {
            throw Invalid("rules.json: '\(place).\(unknown)' is not known")
        }
        for (name, inner) in object {
            try refuseUnknownKeys(inner, "\(place).\(name)", as: "\(kind).\(name)")
        }
    }

    /// Reads a rules file, or says what is wrong with it and where.
    static func read(_ data: Data) throws -> HolderRules {
        guard data.count <= byteLimit else {
            throw Invalid("rules.json is over \(byteLimit) bytes")
        }
        try refuseUnknownKeys(data)
        let file: HolderRulesFile
        do {
            file = try JSONDecoder().decode(HolderRulesFile.self, from: data)
        } catch let DecodingError.keyNotFound(key, context) {
            let path = (context.codingPath.map(\.stringValue) + [key.stringValue]).joined(
                separator: ".")
            throw Invalid("rules.json lacks '\(path)'")
        } catch let DecodingError.typeMismatch(_, context) {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw Invalid("rules.json: '\(path)' is of the wrong type")
        } catch {
            throw Invalid("rules.json is no JSON of the form in docs/operations.md")
        }
        return try file.rules(hashing: Array(data))
    }
}
