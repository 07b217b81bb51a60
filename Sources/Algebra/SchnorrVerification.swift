import CSecp256k1
import CSodium

extension GroupPoint where Group == Secp256k1 {
    /// Whether the 64 bytes are a BIP 340 signature of the message under this key's x coordinate,
    /// by libsecp256k1.
    public func verifiesBIP340(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        var key = secp256k1_xonly_pubkey()
        return signature.count == 64
            && secp256k1_xonly_pubkey_parse(Library.secp256k1, &key, x) == 1
            && secp256k1_schnorrsig_verify(
                Library.secp256k1, signature, message, message.count, &key) == 1
    }
}

extension GroupPoint where Group == Ed25519 {
    /// Whether the 64 bytes are an Ed25519 signature of the message under this key, by libsodium,
    /// which refuses points of small order and encodings that are not canonical.
    public func verifiesEd25519(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        Library.prepare()
        return signature.count == 64
            && crypto_sign_verify_detached(
                signature, message, UInt64(message.count), compressed) == 0
    }
}
