import Algebra
import Canonical

/// A public key with the chain code that keys below it follow from, in BIP 32's serialised form:
/// `xpub…`. Who has it sees every address, and signs nothing.
public struct ExtendedPublicKey: Equatable, Sendable, CustomStringConvertible {
    /// The group that the key is in, and with it the four bytes that say so.
    public enum Form: UInt32, Sendable, CaseIterable {
        /// BIP 32's own, `xpub…` and `xprv…`; the key is a point in SEC 1's compressed form.
        case secp256k1 = 0x0488_B21E
        /// Cobo's `cpub…` and `cprv…` (CoboGlobal/cobo-mpc-recovery-kits,
        /// `pkg/crypto/eddsa_ckd_nh.go`); the key is 0 and the 32 bytes of RFC 8032.
        case ed25519 = 0x02E8_DE90

        /// The four bytes of a secret key's form.
        public var secretVersion: UInt32 {
            switch self {
            case .secp256k1: 0x0488_ADE4
            case .ed25519: 0x02E8_DA54
            }
        }

        fileprivate func admits(_ key: [UInt8]) -> Bool {
            switch self {
            case .secp256k1: Point(compressed: key) != nil
            case .ed25519: key.first == 0 && Ed25519.Point(compressed: key.dropFirst()) != nil
            }
        }

        /// The 33 bytes of an encoded point.
        public func serialized(_ point: [UInt8]) -> [UInt8] {
            switch self {
            case .secp256k1: point
            case .ed25519: [0] + point
            }
        }
    }

    private static let payloadBytes = 78

    public let form: Form
    /// Steps below the root, and the last of them.
    public let depth: UInt8
    public let childNumber: UInt32
    /// Of the key above; zero at the root.
    public let parentFingerprint: [UInt8]
    public let chainCode: [UInt8]
    public let key: [UInt8]

    /// The root that a group made, or nil if the key is none of this form or the chain code has
    /// not 32 bytes.
    public init?(root key: [UInt8], chainCode: [UInt8], _ form: Form) {
        guard form.admits(key), chainCode.count == 32 else { return nil }
        (self.form, self.key, self.chainCode) = (form, key, chainCode)
        (depth, childNumber, parentFingerprint) = (0, 0, [0, 0, 0, 0])
    }

    /// Reads what `description` writes; nil of anything else, a secret key among it.
    public init?(text: some StringProtocol) {
        guard let payload = Base58Check.decode(text), payload.count == Self.payloadBytes,
            let form = Form(rawValue: Self.integer(payload[0..<4])),
            form.admits(Array(payload[45...]))
        else { return nil }
        self.form = form
        depth = payload[4]
        parentFingerprint = Array(payload[5..<9])
        childNumber = Self.integer(payload[9..<13])
        chainCode = Array(payload[13..<45])
        key = Array(payload[45...])
        if depth == 0, childNumber != 0 || parentFingerprint != [0, 0, 0, 0] { return nil }
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    public var description: String { Base58Check.encode(payload) }

    private var payload: [UInt8] {
        form.rawValue.bigEndianBytes + [depth] + parentFingerprint + childNumber.bigEndianBytes
            + chainCode + key
    }

    /// BIP 32's fingerprint of the key, four bytes: short enough to be compared by eye, too short
    /// to prove anything.
    public var fingerprint: [UInt8] { Array(hash160(key).prefix(4)) }
}
