import CSecp256k1
import Canonical

/// An ECDSA signature on secp256k1 with s at most n/2 (BIP 146) and the two bits that tell which of
/// the possible public keys made it (SEC 1 section 4.1.6).
public struct ECDSASignature: Equatable, Sendable {
    public static let byteCount = 65

    public let r: Scalar
    public let s: Scalar
    /// Bit 0: R.y is odd; bit 1: R.x was at least n.
    public let recoveryID: UInt8

    public init?(r: Scalar, s: Scalar, recoveryID: UInt8) {
        guard !r.isZero, !s.isZero, !s.isHigh, recoveryID < 4 else { return nil }
        (self.r, self.s, self.recoveryID) = (r, s, recoveryID)
    }

    /// Takes s or n − s, whichever is low, and flips the recovery bit with it.
    public init?(r: Scalar, anyS s: Scalar, recoveryID: UInt8) {
        self.init(r: r, s: s.isHigh ? -s : s, recoveryID: s.isHigh ? recoveryID ^ 1 : recoveryID)
    }

    /// r || s || recovery id, 65 bytes.
    public var bytes: [UInt8] { r.bytes + s.bytes + [recoveryID] }

    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount, let last = Array(bytes).last,
            let r = Scalar(canonical: bytes.prefix(32)),
            let s = Scalar(canonical: bytes.dropFirst(32).prefix(32))
        else { return nil }
        self.init(r: r, s: s, recoveryID: last)
    }

    /// Whether this is a signature of the 32-byte digest under `key`, by libsecp256k1's verify.
    public func verifies(_ digest: Digest, under key: Point) -> Bool {
        var signature = secp256k1_ecdsa_signature()
        var raw = key.raw
        return secp256k1_ecdsa_signature_parse_compact(
            Library.secp256k1, &signature, r.bytes + s.bytes) == 1
            && secp256k1_ecdsa_verify(Library.secp256k1, &signature, digest.bytes, &raw) == 1
    }

    /// The public key that made this signature of the digest, or nil if there is none.
    public func signer(of digest: Digest) -> Point? {
        var signature = secp256k1_ecdsa_recoverable_signature()
        var raw = secp256k1_pubkey()
        guard
            secp256k1_ecdsa_recoverable_signature_parse_compact(
                Library.secp256k1, &signature, r.bytes + s.bytes, Int32(recoveryID)) == 1,
            secp256k1_ecdsa_recover(Library.secp256k1, &raw, &signature, digest.bytes) == 1
        else { return nil }
        return Point(raw: raw)
    }
}

extension GroupPoint where Group == Secp256k1 {
    /// Whether the bytes are, in strict DER, an ECDSA signature of the digest under this key, by
    /// libsecp256k1, which refuses a high s: there is one such signature for each nonce.
    public func verifiesECDSA(der signature: [UInt8], of digest: Digest) -> Bool {
        var parsed = secp256k1_ecdsa_signature()
        var raw = raw
        return secp256k1_ecdsa_signature_parse_der(
            Library.secp256k1, &parsed, signature, signature.count) == 1
            && secp256k1_ecdsa_verify(Library.secp256k1, &parsed, digest.bytes, &raw) == 1
    }
}

/// A whole private key in one process: what custody exists to avoid. For strangers on simulated
/// chains, tests, and the base of the benchmarks; `TidyTests` forbids it anywhere else.
public struct WholeKey: ~Copyable {
    private let secret: SecretScalar
    public let publicKey: Point

    /// Nil unless the bytes are 32 and an integer in 1…n−1.
    public init?(_ bytes: borrowing SecretBytes) {
        guard let secret = bytes.withBytes({ SecretScalar(canonical: $0) }),
            let publicKey = secret.timesGenerator()
        else { return nil }
        self.secret = secret
        self.publicKey = publicKey
    }

    public borrowing func sign(_ digest: Digest) -> ECDSASignature? {
        var signature = secp256k1_ecdsa_recoverable_signature()
        let key = secret.encoded()
        let signed = key.withBytes {
            secp256k1_ecdsa_sign_recoverable(
                Library.secp256k1, &signature, digest.bytes,
                $0.assumingMemoryBound(to: UInt8.self).baseAddress!, nil, nil)
        }
        guard signed == 1 else { return nil }
        var compact = [UInt8](repeating: 0, count: 64)
        var recoveryID: Int32 = 0
        _ = secp256k1_ecdsa_recoverable_signature_serialize_compact(
            Library.secp256k1, &compact, &recoveryID, &signature)
        return ECDSASignature(compact + [UInt8(truncatingIfNeeded: recoveryID)])
    }
}
