import Algebra
import Canonical
import KeyGroups
import RecoveryKit

/// The whole private key that a group's shares are of: what custody exists to avoid. Whoever has
/// it, or any key below it together with the public root, has everything.
struct WholeRoot: ~Copyable {
    /// Big-endian, on either group.
    private let secret: SecretBytes
    private let root: ExtendedPublicKey

    /// Σ λᵢ·xᵢ over as many shares as must sign; nil unless it is the secret of the root key.
    init?(dangerouslyReconstruct quorum: RecoveryQuorum) {
        let sum =
            switch quorum.group.scheme {
            case .ecdsa, .bip340: Self.sum(quorum, Secp256k1.self)
            case .eddsa: Self.sum(quorum, Ed25519.self)
            }
        guard let sum else { return nil }
        secret = sum
        root = quorum.group.root
    }

    private static func sum<Group: PrimeGroup>(
        _ quorum: RecoveryQuorum, _: Group.Type
    ) -> SecretBytes? {
        guard quorum.isEnough else { return nil }
        let shares = quorum.shares.prefix(quorum.group.threshold.required)
        let members = shares.map(\.index)
        var sum = Group.SecretScalar(Group.Scalar.zero)
        for share in shares {
            let lambda = Sharing<Group>.lagrange(share.index, in: members)
            let secret = share.with {
                $0.secret.withBytes { Group.SecretScalar(canonicalBigEndian: $0) }
            }
            guard let secret else { return nil }
            sum = sum + secret * lambda
        }
        let root = quorum.group.root
        guard let point = sum.timesGenerator(),
            root.form.serialized(point.compressed) == root.key
        else { return nil }
        return sum.bigEndian()
    }

    /// BIP 32's serialised form, such as `xprv…`, as text.
    borrowing func extended() -> SecretBytes {
        let head =
            root.form.secretVersion.bigEndianBytes + [UInt8](repeating: 0, count: 9)
            + root.chainCode + [0]
        var payload = SecretBytes(count: head.count + secret.count)
        payload.replace(at: 0, with: head)
        payload.replace(at: head.count, with: secret)
        return Base58Check.secretlyEncode(payload)
    }

    borrowing func hex() -> SecretBytes { Self.hex(secret) }

    /// The secret of a secp256k1 key below the root, as hexadecimal.
    borrowing func hex(below offset: Scalar) -> SecretBytes? {
        let root = secret.withBytes { SecretScalar(canonicalBigEndian: $0) }
        guard let root else { return nil }
        return Self.hex((root + offset).bigEndian())
    }

    private static func hex(_ bytes: borrowing SecretBytes) -> SecretBytes {
        let digits = Array("0123456789abcdef".utf8)
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
