import Algebra
import Canonical

/// Says that all holders of a group made this key together and hold shares that fit it: their
/// signatures over one digest, with all that one needs to compute the digest oneself.
public struct KeyCertificate: Equatable, Sendable {
    public static let byteLimit = 16 * 1024
    /// The longest encoding of a point of any group.
    private static let pointBytesMost = 33

    public let descriptor: RunDescriptor
    /// Nonce and ephemeral key of every participant, by position: what the run's name is made of.
    public let contributions: [RunContribution]
    /// Encoded, as are the verifying shares.
    public let publicKey: [UInt8]
    public let chainCode: [UInt8]
    /// Xⱼ by the holder's position in the group.
    public let verifyingShares: [[UInt8]]
    public let echo: Digest
    /// By the holder's position in the group.
    public let signatures: [IdentitySignature]

    /// H("cert", sid, Y, cc, X₁…Xₙ ascending, echo): what each holder signs. The name of the run
    /// binds the descriptor with group and epoch.
    public static func digest(run: RunID, key: AnySharedKey, echo: Digest) -> Digest {
        var transcript = Transcript(Tag.certificate)
        transcript.append(run)
        transcript.append(key.publicKey)
        transcript.append(key.chainCode)
        for index in key.indices {
            if let share = key.verifyingShares[index] { transcript.append(share) }
        }
        transcript.append(echo)
        return transcript.digest()
    }

    public init?(
        descriptor: RunDescriptor, contributions: [RunContribution], key: AnySharedKey,
        echo: Digest, signatures: [IdentitySignature]
    ) {
        guard let holders = descriptor.plan?.holders else { return nil }
        let shares = holders.indices.compactMap { key.verifyingShares[$0] }
        guard shares.count == holders.indices.count else { return nil }
        self.descriptor = descriptor
        self.contributions = contributions
        publicKey = key.publicKey
        chainCode = key.chainCode
        verifyingShares = shares
        self.echo = echo
        self.signatures = signatures
    }

    /// The key that the certificate speaks of and the digest that was signed, or nil unless every
    /// holder has signed for it and the verifying shares lie on one polynomial that gives the
    /// public key.
    public func verified() -> (key: AnySharedKey, digest: Digest)? {
        guard let (key, digest) = claimed(), let holders = descriptor.plan?.holders,
            signatures.count == holders.identities.count, key.isConsistent,
            zip(holders.identities, signatures).allSatisfy({ $0.verifies($1, of: digest) })
        else { return nil }
        return (key, digest)
    }

    /// As `verified`, without the proof: for a certificate that comes from one's own database and
    /// was verified before it went there.
    public func claimed() -> (key: AnySharedKey, digest: Digest)? {
        guard let plan = descriptor.plan,
            contributions.count == descriptor.roster.identities.count,
            verifyingShares.count == plan.holders.identities.count,
            let key = AnySharedKey(
                descriptor.scheme, threshold: plan.threshold, publicKey: publicKey,
                chainCode: chainCode,
                verifyingShares: Dictionary(
                    uniqueKeysWithValues: zip(plan.holders.indices, verifyingShares)))
        else { return nil }
        let run = RunID(descriptor.digest, contributions)
        return (key, Self.digest(run: run, key: key, echo: echo))
    }

    public var bytes: [UInt8] {
        CBOR.map([
            1: .bytes(descriptor.bytes),
            2: .array(contributions.map { .bytes($0.nonce + $0.ephemeral.bytes) }),
            3: .bytes(publicKey),
            4: .bytes(chainCode),
            5: .array(verifyingShares.map { .bytes($0) }),
            6: .bytes(echo.bytes),
            7: .array(signatures.map { .bytes($0.bytes) }),
        ]).encoded()
    }

    public init(_ bytes: [UInt8]) throws(MalformedBytes) {
        guard bytes.count <= Self.byteLimit else { throw MalformedBytes("certificate too large") }
        var fields = try CBORFields(CBOR.decode(bytes), "key certificate")
        descriptor = try RunDescriptor(try fields.bytes(1, most: Self.byteLimit))
        contributions = try Self.list(&fields, 2) { bytes in
            guard bytes.count == 64, let key = EphemeralPublicKey(bytes.suffix(32)) else {
                return nil
            }
            return RunContribution(nonce: Array(bytes.prefix(32)), ephemeral: key)
        }
        publicKey = try fields.bytes(3, most: Self.pointBytesMost)
        chainCode = try fields.bytes(4, most: 32)
        verifyingShares = try Self.list(&fields, 5) {
            $0.count <= Self.pointBytesMost ? $0 : nil
        }
        echo = try fields.fixed(6)
        signatures = try Self.list(&fields, 7) { IdentitySignature($0) }
        try fields.finish()
        guard claimed() != nil else {
            throw MalformedBytes("key certificate whose points or counts do not fit its descriptor")
        }
    }

    private static func list<Value>(
        _ fields: inout CBORFields, _ key: UInt64, _ parse: ([UInt8]) -> Value?
    ) throws(MalformedBytes) -> [Value] {
        var values: [Value] = []
        for item in try fields.array(key, most: Int(ParticipantIndex.most)) {
            guard case .bytes(let bytes) = item, let value = parse(bytes) else {
                throw MalformedBytes("field \(key) of the key certificate is malformed")
            }
            values.append(value)
        }
        return values
    }
}
