import Canonical
import TestKit
import Testing

@testable import Algebra

@Suite struct `Hashing and bit matrices` {
    @Test func `an element of GF(2^128) is multiplied as the model does`() throws {
        let answers = try Vectors.json("threshold-ecdsa/known-answers.json")
        let factor = (1...16).map { UInt8($0) }
        // χ₀ is the factor, the other factors and blocks are zero, so the hash is one product.
        let zero = [UInt8](repeating: 0, count: 16)
        let hash = UniversalHash(factors: [factor, zero, zero, zero])
        let row: [UInt64] = [.max, .max] + [UInt64](repeating: 0, count: 8)
        let product = row.withUnsafeBufferPointer { hash($0.baseAddress!) }
        let bytes = [product.x, product.y].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
        }
        #expect(Hex.encode(bytes) == answers["gf128(01..10,ff*16)"].text)
    }

    @Test func `the universal hash is linear`() {
        var random = TestRandom("linear")
        let hash = UniversalHash(factors: (0..<4).map { _ in random.bytes(16) })
        func words() -> [UInt64] {
            (0..<10).map { _ in random.bytes(8).reduce(0) { $0 << 8 | UInt64($1) } }
        }
        for _ in 0..<100 {
            let (a, b) = (words(), words())
            let sum = zip(a, b).map { $0 ^ $1 }
            let (x, y, z) = (hash(a), hash(b), hash(sum))
            #expect(x ^ y == z)
        }
    }

    @Test func `a row is hashed to a scalar as the model does`() throws {
        let answers = try Vectors.json("threshold-ecdsa/known-answers.json")
        let name = Digest(unchecked: [UInt8](repeating: 0, count: 32))
        var rows = SecretBytes(count: 6 * 32)
        rows.replace(at: 5 * 32, with: (0..<32).map { UInt8($0) })
        let matrix = SecretMatrix(
            hashing: rows, xor: SecretBytes(count: 32), columns: 2, HashTag("ss/row"), name)
        // Entry (5, 1), found by a sum over the column with a factor of one at row 5 only.
        let expected = answers["rowhash(sid=0,j=5,m=1,row=00..1f)"].text
        let zeros = SecretMatrix(
            hashing: SecretBytes(count: 6 * 32), xor: SecretBytes(count: 32), columns: 2,
            HashTag("ss/row"), name)
        let inputs = SecretMatrix(
            hashing: SecretBytes(count: 32), xor: SecretBytes(count: 32), columns: 2,
            HashTag("none"), name)
        let difference = matrix.corrections(minus: zeros, plus: inputs)
        let entry = { (m: PublicMatrix, at: Int) in Scalar(limbs: m.limbs(at)) }
        let own = inputs.corrections(minus: inputs, plus: inputs)
        var hash = FixedHash(HashTag("ss/row"), name, payloadBytes: 35)
        hash.payload.storeBytes(of: 0, toByteOffset: 0, as: UInt64.self)
        let bare = [UInt8](repeating: 0, count: 32) + [0, 5, 1]
        hash.payload.copyMemory(from: bare, byteCount: 35)
        let ofZeros = Scalar(limbs: hash.limbs())
        let found = entry(difference, 5 * 2 + 1) - entry(own, 1) + ofZeros
        #expect(Hex.encode(found.bytes) == expected)
    }

    @Test func `a matrix of bits is transposed`() {
        var random = TestRandom("matrix")
        let rows = SecretBytes(count: 256 * 80, from: &random)
        let columns = BitMatrix.transpose(rows, rowCount: 256, rowWords: 10, columnCount: 512)
        for _ in 0..<5000 {
            let (row, column) = (random.integer(below: 256), random.integer(below: 512))
            #expect(rows.bit(row * 640 + column) == columns.bit(column * 256 + row))
        }
    }

    @Test func `parts cannot be moved from one to the next`() {
        func digest(_ parts: [[UInt8]]) -> Digest {
            var transcript = Transcript(HashTag("test"))
            for part in parts { transcript.append(part) }
            return transcript.digest()
        }
        #expect(digest([[1, 2], [3]]) != digest([[1], [2, 3]]))
        #expect(digest([[1, 2, 3]]) != digest([[1, 2], [3]]))
        #expect(digest([[], [1]]) != digest([[1], []]))
        var other = Transcript(HashTag("other"))
        other.append([1])
        let otherDigest = other.digest()
        #expect(digest([[1]]) != otherDigest)
    }

    @Test func `hedged randomness differs each time, and fills any length`() {
        let secret = SecretBytes(copying: [UInt8](repeating: 7, count: 32))
        var one = HedgedRandom(secret: secret, context: [1])
        var two = HedgedRandom(secret: secret, context: [1])
        #expect(one.bytes(100) != two.bytes(100))
        #expect(one.bytes(1).count == 1)
        #expect(one.bytes(33) != one.bytes(33))
    }
}

@Suite struct `Keys and seals` {
    private func key(_ seed: UInt8) -> IdentityKey {
        IdentityKey(seed: SecretBytes(copying: [UInt8](repeating: seed, count: 32)))!
    }

    @Test func `an identity's signature is its own, of its digest`() {
        let one = key(1), two = key(2)
        let digest = Digest.sha256([1])
        let signature = one.sign(digest)
        #expect(one.publicKey.verifies(signature, of: digest))
        #expect(!two.publicKey.verifies(signature, of: digest))
        #expect(!one.publicKey.verifies(signature, of: .sha256([2])))
        var bytes = signature.bytes
        bytes[0] ^= 1
        #expect(!one.publicKey.verifies(IdentitySignature(unchecked: bytes), of: digest))
        let small = IdentityPublicKey(unchecked: [1] + [UInt8](repeating: 0, count: 31))
        let nothing = IdentitySignature(unchecked: [1] + [UInt8](repeating: 0, count: 63))
        #expect(!small.verifies(nothing, of: digest))
    }

    @Test func `what is sealed opens only so`() {
        let key = SecretBox(SealingKey(SecretBytes(copying: [UInt8](repeating: 3, count: 32))))
        let other = SecretBox(SealingKey(SecretBytes(copying: [UInt8](repeating: 4, count: 32))))
        let nonce = [UInt8](repeating: 5, count: 24)
        let box = key.with { $0.seal([1, 2, 3], nonce: nonce, authenticating: [9]) }
        let plain = key.with {
            $0.open(box, nonce: nonce, authenticating: [9])?.withBytes { Array($0) }
        }
        #expect(plain == [1, 2, 3])
        func opens(
            _ key: SecretBox<SealingKey>, _ box: [UInt8], _ nonce: [UInt8], _ header: [UInt8]
        ) -> Bool {
            key.with { $0.open(box, nonce: nonce, authenticating: header) != nil }
        }
        #expect(!opens(other, box, nonce, [9]))
        #expect(!opens(key, box, nonce, [8]))
        #expect(!opens(key, box, [UInt8](repeating: 6, count: 24), [9]))
        #expect(!opens(key, Array(box.dropLast()), nonce, [9]))
        #expect(!opens(key, [], nonce, [9]))
        for at in box.indices {
            var broken = box
            broken[at] ^= 1
            #expect(!opens(key, broken, nonce, [9]))
        }
        let stored = key.with { $0.sealForStorage(SecretBytes(copying: [7]), authenticating: [1]) }
        let again = key.with {
            $0.openStored(stored, authenticating: [1])?.withBytes { Array($0) }
        }
        #expect(again == [7])
        let asOther = key.with { $0.openStored(stored, authenticating: [2]) != nil }
        #expect(!asOther)
    }

    @Test func `a signature is read canonical and low, and published vectors agree`() throws {
        let file = try Vectors.json("signatures/wycheproof_ecdsa_secp256k1_sha256_p1363_test.json")
        var counts = (good: 0, bad: 0)
        for group in file["testGroups"].items {
            let hex = group["publicKey"]["uncompressed"].text
            guard let bytes = Hex.decode(hex), bytes.count == 65 else { continue }
            let prefix: UInt8 = bytes[64] & 1 == 0 ? 2 : 3
            let key = try #require(Point(compressed: [prefix] + bytes[1..<33]))
            for test in group["tests"].items {
                let digest = Digest.sha256(try #require(Hex.decode(test["msg"].text)))
                let signature = Hex.decode(test["sig"].text) ?? []
                let parsed = ECDSASignature(signature + [0])
                let verifies = parsed?.verifies(digest, under: key) ?? false
                if verifies {
                    counts.good += 1
                    #expect(test["result"].text == "valid", "\(test["tcId"])")
                } else {
                    counts.bad += 1
                    // What we refuse of the valid ones has a high s, or another length.
                    let isHigh =
                        signature.count == 64
                        && Scalar(canonical: signature.suffix(32))?.isHigh == true
                    #expect(test["result"].text != "valid" || isHigh, "\(test["tcId"])")
                }
            }
        }
        print("wycheproof p1363: \(counts.good) verified, \(counts.bad) refused")
        #expect(counts.good > 50)
    }
}
