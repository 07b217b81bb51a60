import CLibCrypto
import Canonical

/// Bitcoin's base 58 with a checksum, the first four bytes of a double SHA-256: how extended keys
/// are spelt.
public enum Base58Check {
    /// Longest payload and longest text: an extended key has 78 bytes and 111 characters. The work
    /// grows with the square.
    public static let payloadMost = 128
    public static let textMost = 200
    private static let checkBytes = 4
    private static let alphabet = Array(
        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

    public static func encode(_ payload: [UInt8]) -> String {
        secretlyEncode(SecretBytes(copying: payload)).withBytes {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// The text of a payload that is a secret, in memory that is wiped. Every digit is calculated
    /// for every byte, without a branch on either; the first bytes alone say how many there are.
    public static func secretlyEncode(_ payload: borrowing SecretBytes) -> SecretBytes {
        precondition(payload.count <= payloadMost, "longer than anything that is spelt so")
        var data = SecretBytes(count: payload.count + checkBytes)
        data.replace(at: 0, with: payload)
        data.replace(at: payload.count, with: check(payload))
        var digits = SecretBytes(count: data.count * 7 / 5 + 1)
        digits.withMutableBytes { digits in
            data.withBytes { data in
                for byte in data {
                    var carry = UInt32(byte)
                    for at in digits.indices.reversed() {
                        carry += 256 * UInt32(digits[at])
                        (digits[at], carry) = (UInt8(truncatingIfNeeded: carry % 58), carry / 58)
                    }
                }
            }
        }
        let zeros = data.withBytes { $0.prefix { $0 == 0 }.count }
        let unused = digits.withBytes { $0.prefix { $0 == 0 }.count }
        digits.withMutableBytes { for at in $0.indices { $0[at] = alphabet[Int($0[at])] } }
        var text = SecretBytes(count: zeros + digits.count - unused)
        text.withMutableBytes { text in
            for at in 0..<zeros { text[at] = alphabet[0] }
            digits.withBytes { text[zeros...].copyBytes(from: $0[unused...]) }
        }
        return text
    }

    /// The payload that `text` spells, or nil if a character is no digit or the checksum is wrong.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count <= textMost else { return nil }
        var bytes: [UInt8] = []
        for character in characters {
            guard var carry = alphabet.firstIndex(of: character) else { return nil }
            for at in bytes.indices.reversed() {
                carry += 58 * Int(bytes[at])
                (bytes[at], carry) = (UInt8(carry & 255), carry >> 8)
            }
            if carry > 0 { bytes.insert(UInt8(carry), at: 0) }
        }
        let data = characters.prefix { $0 == alphabet[0] }.map { _ in 0 } + bytes
        let payload = Array(data.dropLast(checkBytes))
        guard data.count > checkBytes, payload.count <= payloadMost,
            check(SecretBytes(copying: payload)) == Array(data.suffix(checkBytes))
        else { return nil }
        return payload
    }

    private static func check(_ payload: borrowing SecretBytes) -> [UInt8] {
        var once = SecretBytes(count: Digest.byteCount)
        once.withMutableBytes { once in
            payload.withBytes {
                _ = SHA256(
                    $0.assumingMemoryBound(to: UInt8.self).baseAddress!, $0.count,
                    once.assumingMemoryBound(to: UInt8.self).baseAddress!)
            }
        }
        let twice = once.withBytes { Digest.sha256(Array($0)) }
        return Array(twice.bytes.prefix(checkBytes))
    }
}

/// RIPEMD-160 of SHA-256, as Bitcoin names public keys, 20 bytes.
public func hash160(_ bytes: [UInt8]) -> [UInt8] {
    let inner = Digest.sha256(bytes).bytes
    var digest = [UInt8](repeating: 0, count: Int(RIPEMD160_DIGEST_LENGTH))
    RIPEMD160(inner, inner.count, &digest)
    return digest
}
