import Algebra
import Canonical
import Custody
import HTTPTypes
import Identity
import Intents
import TestKit

@testable import Gateway

/// A caller of the MPC administration face, with the private half of its key.
struct AdminKey: Sendable {
    enum Secret: Sendable {
        case ed25519(SecretBox<IdentityKey>)
        case secp256k1(SecretBox<WholeKey>)
    }

    let publicKey: String
    let secret: Secret

    /// - Parameter byte: the key is 32 of it.
    static func ed25519(_ byte: UInt8) -> AdminKey {
        let key = IdentityKey(
            seed: SecretBytes(copying: [UInt8](repeating: byte, count: 32)))!
        let publicKey = key.publicKey.hex
        return AdminKey(publicKey: publicKey, secret: .ed25519(SecretBox(key)))
    }

    static func secp256k1(_ byte: UInt8) -> AdminKey {
        let key = WholeKey(SecretBytes(copying: [UInt8](repeating: byte, count: 32)))!
        let publicKey = Hex.encode(key.publicKey.compressed)
        return AdminKey(publicKey: publicKey, secret: .secp256k1(SecretBox(key)))
    }

    /// - Parameter isHigh: the other of the two signatures, with a high s.
    func sign(_ digest: Digest, isHigh: Bool = false) -> String {
        switch secret {
        case .ed25519(let key): key.with { $0.sign(digest).hex }
        case .secp256k1(let key):
            Hex.encode(Self.der(key.with { $0.sign(digest)! }, isHigh: isHigh))
        }
    }

    private static func der(_ signature: ECDSASignature, isHigh: Bool) -> [UInt8] {
        func integer(_ value: Scalar) -> [UInt8] {
            var bytes = Array(value.bytes.drop { $0 == 0 })
            if bytes[0] >= 0x80 { bytes.insert(0, at: 0) }
            return [2, UInt8(bytes.count)] + bytes
        }
        let both = integer(signature.r) + integer(isHigh ? -signature.s : signature.s)
        return [0x30, UInt8(both.count)] + both
    }
}

extension Face {
    /// What a signed request of the face carries beyond method and target.
    struct AdminParts {
        var key = AdminKey.ed25519(0x11)
        var body: [UInt8] = []
        var nonce: String?
        /// What is signed in place of what is sent.
        var signedPath: String?
        var signedQuery: String?
        var signedBody: [UInt8]?
        var isHigh = false
        var extra: HTTPFields = [:]
        var tamper: (@Sendable (inout HTTPFields) -> Void)?

        init(_ body: String = "") { self.body = Array(body.utf8) }
    }

    /// Registers a key for one of the two tenants.
    @discardableResult
    func admit(
        _ key: AdminKey = .ed25519(0x11), for tenant: TenantID? = nil,
        _ permissions: Set<Permission> = Set(Permission.allCases), cidrs: [String]? = nil,
        callbackURL: String? = nil, expiresAt: Timestamp? = nil
    ) async throws -> PublicAPIKey {
        let tenant = tenant ?? caller.tenant
        return try await test.custody.write {
            try $0.createPublicAPIKey(
                key.publicKey, for: tenant, name: "key", permissions: permissions, cidrs: cidrs,
                callbackURL: callbackURL, expiresAt: expiresAt)
        }
    }

    func admin(
        _ method: String, _ target: String, _ parts: AdminParts = AdminParts()
    ) async throws -> Answer {
        let pieces = target.split(separator: "?", maxSplits: 1)
        let nonce = parts.nonce ?? String(test.now.milliseconds + Int64(counter.next()))
        let digest = KeySignedRequest.digest(
            method: method, path: parts.signedPath ?? String(pieces[0]), nonce: nonce,
            query: parts.signedQuery ?? (pieces.count == 2 ? String(pieces[1]) : ""),
            body: parts.signedBody ?? parts.body)
        var headers = parts.extra
        headers[.publicKey] = parts.key.publicKey
        headers[.publicKeyNonce] = nonce
        headers[.publicKeySignature] = parts.key.sign(digest, isHigh: parts.isHigh)
        headers[.contentType] = "application/json"
        parts.tamper?(&headers)
        let answer = try await raw(method, target, headers, parts.body)
        try check(answer)
        return answer
    }

    func admin(_ method: String, _ target: String, _ body: String) async throws -> Answer {
        try await admin(method, target, AdminParts(body))
    }

    /// Every answer is signed, over its bytes and its time.
    private func check(_ answer: Answer) throws {
        guard let time = answer.headers[.answeredAt],
            let signature = answer.headers[.answerSignature].flatMap({ IdentitySignature(hex: $0) })
        else { throw Unsigned() }
        let text = answer.bytes + Array("|\(time)".utf8)
        let digest = Digest.sha256(Digest.sha256(text).bytes)
        guard test.signer.publicKey.verifies(signature, of: digest) else { throw Unsigned() }
    }

    struct Unsigned: Error {}
}

extension Face.Answer {
    /// The code of an error of the MPC administration face.
    var errorCode: Int? {
        guard case .number(let text)? = json["error_code"] else { return nil }
        return Int(text)
    }

    var data: [JSONValue] { json["data"]?.array ?? [] }
}
