import Algebra
import Canonical
import KeyGroups

/// What is known of a new key's confirmation: each holder's signature for the certificate, and each
/// holder's word that it has all of those (specification section 3.6).
///
/// Every entry is a holder's own signature, so a testimony is worth the same whoever brings it, and
/// two of them are merged by keeping all. Holders send theirs until all know everything; sending
/// again changes nothing.
public struct KeyTestimony: Equatable, Sendable {
    public static let byteLimit = 8 * 1024

    public let group: GroupID
    public let epoch: UInt64
    public let scheme: SignatureScheme
    public let certificateDigest: Digest
    /// By position: signatures of the certificate's digest.
    public var signatures: [UInt16: IdentitySignature]
    /// By position: signatures of `activationDigest`.
    public var activations: [UInt16: IdentitySignature]

    public init(
        group: GroupID, epoch: UInt64, scheme: SignatureScheme, certificateDigest: Digest,
        signatures: [UInt16: IdentitySignature] = [:],
        activations: [UInt16: IdentitySignature] = [:]
    ) {
        self.group = group
        self.epoch = epoch
        self.scheme = scheme
        self.certificateDigest = certificateDigest
        self.signatures = signatures
        self.activations = activations
    }

    /// ack(group, scheme, epoch, certificate): "I have every holder's signature".
    public var activationDigest: Digest {
        KeyActivation.digest(
            group: group, scheme: scheme, epoch: epoch, certificate: certificateDigest)
    }

    /// Whether `other` lacks something that we have.
    public func knowsMore(than other: KeyTestimony) -> Bool {
        !Set(signatures.keys).isSubset(of: other.signatures.keys)
            || !Set(activations.keys).isSubset(of: other.activations.keys)
    }

    /// Takes over what `other` has, where the holder's signature is good.
    public mutating func merge(_ other: KeyTestimony, roster: Roster) {
        for (position, signature) in other.signatures where signatures[position] == nil {
            let isGood = roster.identity(at: position)?.verifies(signature, of: certificateDigest)
            if isGood == true { signatures[position] = signature }
        }
        let activation = activationDigest
        for (position, signature) in other.activations where activations[position] == nil {
            let isGood = roster.identity(at: position)?.verifies(signature, of: activation)
            if isGood == true { activations[position] = signature }
        }
    }

    public var bytes: [UInt8] {
        func entries(_ signatures: [UInt16: IdentitySignature]) -> CBOR {
            .map(
                Dictionary(
                    uniqueKeysWithValues: signatures.map {
                        (UInt64($0.key), .bytes($0.value.bytes))
                    }
                ))
        }
        return CBOR.map([
            1: .bytes(group.bytes), 2: .unsigned(epoch), 3: .unsigned(scheme.rawValue),
            4: .bytes(certificateDigest.bytes), 5: entries(signatures), 6: entries(activations),
        ]).encoded()
    }

    public init(_ bytes: [UInt8]) throws(MalformedBytes) {
        guard bytes.count <= Self.byteLimit else { throw MalformedBytes("testimony too large") }
        var fields = try CBORFields(CBOR.decode(bytes), "key testimony")
        group = try fields.fixed(1)
        epoch = try fields.unsigned(2)
        guard let scheme = SignatureScheme(rawValue: try fields.unsigned(3)) else {
            throw MalformedBytes("unknown signature scheme")
        }
        self.scheme = scheme
        certificateDigest = try fields.fixed(4)
        signatures = try Self.entries(try fields.take(5))
        activations = try Self.entries(try fields.take(6))
        try fields.finish()
    }

    private static func entries(
        _ value: CBOR
    ) throws(MalformedBytes) -> [UInt16: IdentitySignature] {
        guard case .map(let map) = value, map.count <= Int(ParticipantIndex.most) else {
            throw MalformedBytes("testimony entries that are no map")
        }
        var entries: [UInt16: IdentitySignature] = [:]
        for (key, value) in map {
            guard let position = UInt16(exactly: key), case .bytes(let bytes) = value,
                let signature = IdentitySignature(bytes)
            else { throw MalformedBytes("testimony entry that is no signature") }
            entries[position] = signature
        }
        return entries
    }
}
