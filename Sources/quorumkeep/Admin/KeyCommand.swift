import ArgumentParser
import Canonical
import Custody
import Foundation
import Identity
import Intents

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys of a running installation.",
        subcommands: [Create.self, List.self, Revoke.self, Rotate.self, Response.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an API key; its secret is shown this once.")

        @OptionGroup var options: PlatformOption

        @OptionGroup var owner: TenantOption

        @Option(help: "What the key is for.")
        var name: String

        @Option(
            help: ArgumentHelp(
                "What it may do; repeat for each. All that it can have if left out.",
                discussion: Scope.allCases.map(\.rawValue).joined(separator: " ")))
        var scope: [String] = []

        @Option(
            help: "A range that it may be used from, in CIDR form; repeat. Any if left out.")
        var cidr: [String] = []

        @Option(help: "A vault that it may see and touch, by id; repeat. All if left out.")
        var vault: [String] = []

        @Option(help: "When it expires, such as 2027-01-31T12:00:00Z. Never if left out.")
        var expires: String?

        @Option(
            help: ArgumentHelp(
                "For /v2: the key's public half, in hexadecimal; the private half stays with "
                    + "its owner.",
                discussion: "64 digits of Ed25519, or 66 of a compressed point on secp256k1."))
        var publicKey: String?

        @Option(
            help: "With --public-key: where it is asked about each transaction that the key starts."
        )
        var callbackUrl: String?

        @Option(
            help: ArgumentHelp(
                "With --public-key: what it may do; repeat for each. All if left out.",
                discussion: Permission.allCases.map(\.rawValue).joined(separator: " ")))
        var permission: [String] = []

        func validate() throws {
            let isFit =
                publicKey == nil
                ? permission.isEmpty && callbackUrl == nil : scope.isEmpty && vault.isEmpty
            guard isFit else {
                throw ValidationError(
                    "--permission and --callback-url go with --public-key, --scope and --vault "
                        + "without it")
            }
        }

        func run() async throws {
            if let publicKey {
                try await makePublic(publicKey)
            } else {
                try await makeSecret()
            }
        }

        private func expiry() throws -> Timestamp? {
            try expires.map { text in
                guard let time = Timestamp(text: text) else {
                    throw ValidationError("--expires must be a time such as 2027-01-31T12:00:00Z")
                }
                return time
            }
        }

        private func makePublic(_ publicKey: String) async throws {
            let permissions =
                try permission.isEmpty
                ? Permission.allCases
                : permission.map { text in
                    guard let permission = Permission(rawValue: text) else {
                        throw ValidationError("there is no permission '\(text)'")
                    }
                    return permission
                }
            let expiresAt = try expiry()
            let (custody, _) = try options.directory.custody()
            let (owner, name, cidrs) = (owner, name, cidr.isEmpty ? nil : cidr)
            let callbackURL = callbackUrl
            let key = try await refusing {
                try await custody.write(as: .operator) { books in
                    let tenant = try owner.id(books)
                    let key = try books.createPublicAPIKey(
                        publicKey, for: tenant, name: name, permissions: Set(permissions),
                        cidrs: cidrs, callbackURL: callbackURL, expiresAt: expiresAt)
                    try books.audit("createKey", of: tenant, [key.id.text])
                    return key
                }
            }
            print("key id  \(key.id)")
        }

        private func makeSecret() async throws {
            let vaults = try vault.map { text in
                guard let vault = VaultID(text: text.lowercased()) else {
                    throw ValidationError("--vault is no id: '\(text)'")
                }
                return vault
            }
            let usual = vaults.isEmpty ? [] : Scope.tenantWide
            let scopes =
                try scope.isEmpty
                ? Set(Scope.allCases).subtracting(usual)
                : Set(
                    scope.map { text in
                        guard let scope = Scope(rawValue: text) else {
                            throw ValidationError("there is no scope '\(text)'")
                        }
                        return scope
                    })
            let expiresAt = try expiry()
            let (custody, _) = try options.directory.custody()
            let (owner, name, cidrs) = (owner, name, cidr.isEmpty ? nil : cidr)
            let (key, secret) = try await refusing {
                try await custody.write(as: .operator) { books in
                    let tenant = try owner.id(books)
                    let made = try books.createAPIKey(
                        for: tenant, name: name, scopes: scopes, cidrs: cidrs,
                        vaults: vaults.isEmpty ? nil : Set(vaults), expiresAt: expiresAt)
                    try books.audit("createKey", of: tenant, [made.key.id.text])
                    return made
                }
            }
            print("key id  \(key.id)")
            print("secret  \(secret)")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a tenant's API keys.")

        @OptionGroup var options: PlatformOption

        @OptionGroup var owner: TenantOption

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let owner = owner
            let id = try await custody.read { try owner.id($0) }
            var after: PageCursor?
            repeat {
                let request = try PageRequest(limit: PageRequest.limitMost, after: after)
                let page = try await custody.read { try $0.store.apiKeys(of: id, request) }
                for key in page.items { print(Self.line(key, at: custody.now)) }
                after = page.next
            } while after != nil
            repeat {
                let request = try PageRequest(limit: PageRequest.limitMost, after: after)
                let page = try await custody.read { try $0.store.publicAPIKeys(of: id, request) }
                for key in page.items { print(Self.line(key, at: custody.now)) }
                after = page.next
            } while after != nil
        }

        private static func line(_ key: PublicAPIKey, at now: Timestamp) -> String {
            let permissions = key.permissions.map(\.rawValue).sorted().joined(separator: " ")
            var parts = ["\(key.id)", state(key, at: now), key.name, permissions]
            if let ranges = key.ranges {
                parts.append("from " + ranges.map(\.text).joined(separator: " "))
            }
            if let url = key.callbackURL { parts.append("asks \(url)") }
            if let used = key.lastUsedAt { parts.append("used \(used.text)") }
            return parts.joined(separator: "  ")
        }

        private static func state(_ key: some AccessKey, at now: Timestamp) -> String {
            let end = [key.revokedAt, key.expiresAt].compactMap(\.self).first
            let state = key.status(at: now).rawValue.lowercased()
            return end.map { "\(state) (\($0.text))" } ?? state
        }

        private static func line(_ key: APIKey, at now: Timestamp) -> String {
            let scopes = key.scopes.map(\.rawValue).sorted().joined(separator: " ")
            var parts = ["\(key.id)", state(key, at: now), key.name, scopes]
            if let ranges = key.ranges {
                parts.append("from " + ranges.map(\.text).joined(separator: " "))
            }
            if let vaults = key.vaults {
                parts.append("vaults " + vaults.map(\.text).sorted().joined(separator: " "))
            }
            if let used = key.lastUsedAt { parts.append("used \(used.text)") }
            return parts.joined(separator: "  ")
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke an API key; it is refused from the next request on.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "The key's id.")
        var key: String

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            if let id = APIPublicKey(text: key) {
                try await refusing {
                    try await custody.write(as: .operator) { books in
                        let revoked = try books.revokePublicAPIKey(id)
                        try books.audit("revokeKey", of: revoked.tenant, [id.text])
                    }
                }
                return print("revoked \(id)")
            }
            let id = try keyID(key)
            try await refusing {
                try await custody.write(as: .operator) { books in
                    let tenant = try books.tenant(of: id)
                    try books.revokeAPIKey(id, of: tenant)
                    try books.audit("revokeKey", of: tenant, [id.text])
                }
            }
            print("revoked \(id)")
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give an API key another secret, which is shown this once.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "The key's id.")
        var key: String

        @Option(help: "How long the old secret counts as well, in seconds.")
        var overlap: Int64

        func run() async throws {
            let id = try keyID(key)
            let (custody, _) = try options.directory.custody()
            let overlap = overlap
            let secret = try await refusing {
                try await custody.write(as: .operator) { books in
                    let tenant = try books.tenant(of: id)
                    let made = try books.rotateAPIKey(id, of: tenant, overlapSeconds: overlap)
                    try books.audit("rotateKey", of: tenant, [id.text])
                    return made.secret
                }
            }
            print("secret  \(secret)")
        }
    }
}

extension KeyCommand {
    struct Response: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the public key that answers of /v2 are signed with.")

        @OptionGroup var options: PlatformOption

        func run() async throws {
            _ = try options.directory.configuration()
            print(try options.directory.responseKey().publicKey.hex)
        }
    }
}

private func keyID(_ text: String) throws -> APIKeyID {
    guard let id = APIKeyID(text: text) else { throw ValidationError("that is no key id") }
    return id
}

extension Books {
    /// The tenant of a key that an operator names.
    fileprivate func tenant(of key: APIKeyID) throws -> TenantID {
        guard let key = try store.apiKey(key) else { throw Refusal.notFound("API key") }
        return key.tenant
    }
}
