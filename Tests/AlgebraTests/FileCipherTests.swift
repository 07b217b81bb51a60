import Algebra
import Canonical
import TestKit
import Testing

@Suite struct `What files are sealed and spelt with` {
    private static func open(
        _ box: [UInt8], _ nonce: [UInt8], under key: borrowing AESGCMKey
    ) -> [UInt8]? {
        guard let plain = key.open(box, nonce: nonce) else { return nil }
        return plain.withBytes { Array($0) }
    }

    private static func bytes(_ json: JSON) -> [UInt8] { Hex.decode(json.text) ?? [] }

    @Test func `AES-256-GCM agrees with Wycheproof`() throws {
        let file = try Vectors.json("keys/wycheproof_aes_gcm_test.json")
        var checked = 0
        for group in file["testGroups"].items
        where group["keySize"].integer == 256 && group["ivSize"].integer == 96 {
            // Without additional data, which nothing here has.
            for vector in group["tests"].items where vector["aad"].text.isEmpty {
                let key = AESGCMKey(SecretBytes(copying: Self.bytes(vector["key"])))
                let (nonce, plain) = (Self.bytes(vector["iv"]), Self.bytes(vector["msg"]))
                let box = Self.bytes(vector["ct"]) + Self.bytes(vector["tag"])
                let opened = Self.open(box, nonce, under: key)
                let isValid = vector["result"].text == "valid" && !plain.isEmpty
                #expect(opened == (isValid ? plain : nil), "\(vector["tcId"])")
                if isValid {
                    #expect(key.seal(SecretBytes(copying: plain), nonce: nonce) == box)
                }
                checked += 1
            }
        }
        #expect(checked > 20)
    }

    @Test func `a changed box does not open`() {
        var random = TestRandom("gcm")
        let key = AESGCMKey(SecretBytes(count: AESGCMKey.byteCount, from: &random))
        let nonce = random.bytes(AESGCMKey.nonceBytes)
        let box = key.seal(SecretBytes(count: 32, from: &random), nonce: nonce)
        #expect(box.count == 32 + AESGCMKey.overhead)
        #expect(Self.open(box, nonce, under: key)?.count == 32)
        for at in box.indices {
            var changed = box
            changed[at] ^= 1
            #expect(Self.open(changed, nonce, under: key) == nil)
        }
        #expect(Self.open(Array(box.prefix(AESGCMKey.overhead)), nonce, under: key) == nil)
        #expect(Self.open(box, Array(nonce.dropLast()), under: key) == nil)
    }

    @Test func `PBKDF2 agrees with Python's hashlib`() throws {
        // hashlib.pbkdf2_hmac(hash, b"correct horse battery", bytes(range(32)), 10000, 32)
        let known: [(PassphraseStretch.Hash, String)] = [
            (.sha256, "54ae1eb320da9211e410f3a22cc2d02cba45519660723fe5512cf517b61c307a"),
            (.sha512, "b2f0974f8f660837ade4e0b23330f557eedc1fe0740092bda7da0179ba1feb78"),
        ]
        let phrase = SecretBytes(copying: Array("correct horse battery".utf8))
        for (hash, expected) in known {
            let stretch = try #require(
                PassphraseStretch(hash, iterations: 10_000, salt: (0..<32).map { UInt8($0) }))
            #expect(stretch.key(from: phrase).withBytes { Hex.encode($0) } == expected)
        }
    }

    @Test func `a stretch that is too weak, too slow or odd is none`() {
        let salt = [UInt8](repeating: 1, count: PassphraseStretch.saltBytes)
        for iterations in [Int.min, 0, 9_999, 10_000_001, Int.max] {
            #expect(PassphraseStretch(.sha512, iterations: iterations, salt: salt) == nil)
        }
        #expect(PassphraseStretch(.sha512, iterations: 10_000, salt: []) == nil)
    }

    @Test func `base 58 comes back as it was, and a changed digit is noticed`() throws {
        var random = TestRandom("base58")
        for count in [1, 2, 20, 33, 78, Base58Check.payloadMost] {
            for zeros in [0, 1, count] {
                let payload =
                    [UInt8](repeating: 0, count: zeros) + random.bytes(count - min(zeros, count))
                let text = Base58Check.encode(Array(payload.prefix(count)))
                #expect(Base58Check.decode(text) == Array(payload.prefix(count)))
            }
        }
        let text = Base58Check.encode(random.bytes(33))
        for at in text.indices {
            var changed = text
            changed.replaceSubrange(at...at, with: text[at] == "z" ? "y" : "z")
            #expect(Base58Check.decode(changed) == nil)
        }
        let long = String(repeating: "2", count: Base58Check.textMost + 1)
        for bad in ["", "1", "1111", "0OIl", "\u{e9}", text + "1", long] {
            #expect(Base58Check.decode(bad) == nil, "\(bad)")
        }
    }

    @Test func `a public key is hashed as Bitcoin hashes it`() {
        // BIP 143's first native P2WPKH example.
        let key = "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357"
        let hash = hash160(Hex.decode(key) ?? [])
        #expect(Hex.encode(hash) == "1d0f172a0ecb48aee1be1f2687d2963ae33f71a1")
    }
}
