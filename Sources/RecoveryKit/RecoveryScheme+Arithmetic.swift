import Algebra
import KeyGroups

// What recovery calculates, on bytes: the only place in this room that knows a group.
extension RecoveryScheme {
    /// xᵢ·G, encoded, or nil if the bytes are no big-endian scalar of the group or zero.
    func sharePublicKey(of secret: borrowing SecretBytes) -> [UInt8]? {
        switch self {
        case .ecdsa, .bip340: Self.publicKey(of: secret, Secp256k1.self)
        case .eddsa: Self.publicKey(of: secret, Ed25519.self)
        }
    }

    private static func publicKey<Group: PrimeGroup>(
        of secret: borrowing SecretBytes, _: Group.Type
    ) -> [UInt8]? {
        let scalar = secret.withBytes { Group.SecretScalar(canonicalBigEndian: $0) }
        return scalar?.timesGenerator()?.compressed
    }

    /// Σ λᵢ·Xᵢ: the root's public key if these are as many shares as must sign, each once.
    func rootPublicKey(of shares: [ParticipantIndex: [UInt8]]) -> [UInt8]? {
        func sum<Group: PrimeGroup>(_: Group.Type) -> [UInt8]? {
            let members = shares.keys.sorted()
            let terms = members.compactMap { index in
                shares[index].flatMap { Group.Point(compressed: $0) }?
                    .variableTimeTimes(Sharing<Group>.lagrange(index, in: members))
            }
            guard !terms.isEmpty, terms.count == members.count else { return nil }
            return Group.Point.sum(terms)?.compressed
        }
        let key =
            switch self {
            case .ecdsa, .bip340: sum(Secp256k1.self)
            case .eddsa: sum(Ed25519.self)
            }
        return key.map { form.serialized($0) }
    }
}
