import KeyGroups

/// What a key signs with, as a recovery file has it: `type` and `curve`.
///
/// 1 and 2 are Cobo's. Its tool refuses any other, so it cannot check a key of ours for BIP 340;
/// one root serves one scheme, and calling that key ECDSA would invite its use for both.
public enum RecoveryScheme: Int, Sendable {
    case ecdsa = 1
    case eddsa = 2
    case bip340 = 340

    public init(_ scheme: SignatureScheme) {
        switch scheme {
        case .ecdsaSecp256k1: self = .ecdsa
        case .bip340Secp256k1: self = .bip340
        case .ed25519: self = .eddsa
        }
    }

    var curve: String {
        switch self {
        case .ecdsa, .bip340: "secp256k1"
        case .eddsa: "ed25519"
        }
    }

    /// How the root key is spelt.
    public var form: ExtendedPublicKey.Form {
        switch self {
        case .ecdsa, .bip340: .secp256k1
        case .eddsa: .ed25519
        }
    }

    public var name: String {
        switch self {
        case .ecdsa: "ECDSA on secp256k1"
        case .eddsa: "EdDSA on Ed25519"
        case .bip340: "BIP 340 on secp256k1"
        }
    }
}
