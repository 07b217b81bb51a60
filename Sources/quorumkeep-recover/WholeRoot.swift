import Algebra
import Canonical
import KeyGroups
import RecoveryKit

/// The whole private key that a group's shares are of: what custody exists to avoid. Whoever has
/// it, or any key below it together with the public root, has everything.
struct WholeRoot: ~Copyable {
    private let secret: SecretScalar
    private let root: ExtendedPublicKey

    /// Σ λᵢ·xᵢ over as many shares as must sign; nil unless it is the secret of the root key.
    init?(dangerouslyReconstruct quorum: RecoveryQuorum) {
        guard quorum.isEnough, quorum.group.scheme != .eddsa else { return nil }
        let shares = quorum.shares.prefix(quorum.group.threshold.required)
        let members = shares.map(\.index)
        var sum = SecretScalar(Scalar.zero)
        for share in shares {
            let lambda = Sharing.lagrange(share.index, in: members)
            let secret = share.with { $0.secret.withBytes { SecretScalar(canonical: $0) } }
            guard let secret else { return nil }
            sum = sum + secret * lambda
        }
        guard sum.timesGenerator()?.compressed == quorum.group.root.key else { return nil }
        secret = sum
        root = quorum.group.root
    }

    /// BIP 32's serialised form, such as `xprv…`, as text.
    borrowing func extended() -> SecretBytes {
        let head =
            root.form.secretVersion.bigEndianBytes + [UInt8](repeating: 0, count: 9)
            + root.chainCode + [0]
        var payload = SecretBytes(count: head.count + Scalar.byteCount)
        payload.replace(at: 0, with: head)
        payload.replace(at: head.count, with: secret.encoded())
        return Base58Check.secretlyEncode(payload)
    }

    borrowing func hex() -> SecretBytes { Self.hex(secret) }

    /// The secret of a key below the root, as hexadecimal.
    borrowing func hex(below offset: Scalar) -> SecretBytes { Self.hex(secret + offset) }

    private static func hex(_ scalar: borrowing SecretScalar) -> SecretBytes {
        let digits = Array("0123456789abcdef".utf8)
        let bytes = scalar.encoded()
        var text = SecretBytes(count: 2 * bytes.count)
        text.withMutableBytes { text in
            bytes.withBytes { bytes in
                for (at, byte) in bytes.enumerated() {
                    text[2 * at] = digits[Int(byte >> 4)]
                    text[2 * at + 1] = digits[Int(byte & 15)]
                }
            }
        }
        return text
    }
}
