import Algebra
import KeyGroups

// What recovery calculates, on bytes: the only place in this room that knows a group.
extension RecoveryScheme {
    /// xᵢ·G as the file has it, or nil if the bytes are no scalar of the group or zero.
    func sharePublicKey(of secret: borrowing SecretBytes) -> [UInt8]? {
        switch self {
        case .ecdsa, .bip340:
            guard let scalar = secret.withBytes({ SecretScalar(canonical: $0) }) else {
                return nil
            }
            return scalar.timesGenerator()?.compressed
        case .eddsa: return nil
        }
    }

    /// Σ λᵢ·Xᵢ: the root's public key if these are as many shares as must sign, each once.
    func rootPublicKey(of shares: [ParticipantIndex: [UInt8]]) -> [UInt8]? {
        let members = shares.keys.sorted()
        switch self {
        case .ecdsa, .bip340:
            let terms = members.compactMap { index in
                shares[index].flatMap { Point(compressed: $0) }?
                    .variableTimeTimes(Sharing.lagrange(index, in: members))
            }
            guard !terms.isEmpty, terms.count == members.count else { return nil }
            return Point.sum(terms)?.compressed
        case .eddsa: return nil
        }
    }
}
