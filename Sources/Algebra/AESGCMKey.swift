import CLibCrypto

/// AES-256-GCM (NIST SP 800-38D) with nonces of 96 bits, for files that programs of others can
/// open. What is ours alone is sealed under a `SealingKey`.
public struct AESGCMKey: ~Copyable, Sendable {
    public static let byteCount = 32
    public static let nonceBytes = 12
    public static let overhead = 16
    private let key: SecretBytes

    public init(_ key: consuming SecretBytes) {
        precondition(key.count == Self.byteCount, "a key of AES-256 has 32 bytes")
        self.key = key
    }

    /// The sealed bytes with their tag, `overhead` longer. A nonce must not be used twice under one
    /// key.
    public borrowing func seal(_ plain: borrowing SecretBytes, nonce: [UInt8]) -> [UInt8] {
        precondition(nonce.count == Self.nonceBytes, "a nonce has 12 bytes")
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_CIPHER_CTX_free(context) }
        let begun = key.withBytes {
            EVP_EncryptInit_ex(
                context, EVP_aes_256_gcm(), nil,
                $0.assumingMemoryBound(to: UInt8.self).baseAddress!, nonce)
        }
        var box = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: Self.overhead)
        var count: Int32 = 0
        let sealed = plain.withBytes {
            EVP_EncryptUpdate(
                context, &box, &count, $0.assumingMemoryBound(to: UInt8.self).baseAddress!,
                Int32(clamping: $0.count))
        }
        var none: UInt8 = 0
        precondition(
            begun == 1 && sealed == 1 && EVP_EncryptFinal_ex(context, &none, &count) == 1
                && EVP_CIPHER_CTX_ctrl(
                    context, EVP_CTRL_AEAD_GET_TAG, Int32(clamping: Self.overhead), &tag) == 1,
            "libcrypto has AES-256-GCM")
        return box + tag
    }

    /// The plain bytes, or nil if the box is too short, empty, or was not sealed so.
    public borrowing func open(_ box: some Collection<UInt8>, nonce: [UInt8]) -> SecretBytes? {
        guard box.count > Self.overhead, nonce.count == Self.nonceBytes else { return nil }
        guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_CIPHER_CTX_free(context) }
        let begun = key.withBytes {
            EVP_DecryptInit_ex(
                context, EVP_aes_256_gcm(), nil,
                $0.assumingMemoryBound(to: UInt8.self).baseAddress!, nonce)
        }
        let input = Array(box.dropLast(Self.overhead))
        var tag = Array(box.suffix(Self.overhead))
        var plain = SecretBytes(count: input.count)
        var count: Int32 = 0
        let opened = plain.withMutableBytes {
            EVP_DecryptUpdate(
                context, $0.assumingMemoryBound(to: UInt8.self).baseAddress!, &count, input,
                Int32(clamping: input.count))
        }
        precondition(
            begun == 1 && opened == 1
                && EVP_CIPHER_CTX_ctrl(
                    context, EVP_CTRL_AEAD_SET_TAG, Int32(clamping: Self.overhead), &tag) == 1,
            "libcrypto has AES-256-GCM")
        var none: UInt8 = 0
        guard EVP_DecryptFinal_ex(context, &none, &count) == 1 else { return nil }
        return plain
    }
}
