import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@Suite struct `Extended keys` {
    @Test func `BIP 32's public keys are read and written as they are`() throws {
        var checked = 0
        for vector in try Vectors.json("keys/bip32.json").items {
            for chain in vector["chains"].items {
                let key = try #require(ExtendedPublicKey(text: chain["xpub"].text))
                #expect(key.description == chain["xpub"].text)
                #expect(Int(key.depth) == chain["path"].text.split(separator: "/").count - 1)
                #expect(ExtendedPublicKey(text: chain["xprv"].text) == nil)
                if key.depth == 0 {
                    #expect(
                        key == ExtendedPublicKey(root: key.key, chainCode: key.chainCode, key.form))
                }
                checked += 1
            }
        }
        #expect(checked == 17)
    }

    @Test func `a child's parent is known by its fingerprint`() throws {
        for vector in try Vectors.json("keys/bip32.json").items {
            let keys = vector["chains"].items.compactMap {
                ExtendedPublicKey(text: $0["xpub"].text)
            }
            for (above, below) in zip(keys, keys.dropFirst()) {
                #expect(below.parentFingerprint == above.fingerprint)
            }
        }
    }

    @Test func `what BIP 32 calls invalid is none`() throws {
        let invalid = try Vectors.json("keys/bip32.json").items.flatMap { $0["invalid"].items }
        #expect(invalid.count == 14)
        for vector in invalid {
            #expect(
                ExtendedPublicKey(text: vector["xkey"].text) == nil, "\(vector["why"].text)")
        }
    }

    @Test func `Cobo's keys on Ed25519 are spelt as its tool spells them`() throws {
        var checked = 0
        for root in try Vectors.json("keys/cobo_eddsa_ckd_nh.json").items {
            let key = try #require(
                ExtendedPublicKey(
                    root: Hex.decode(root["publicKey"].text) ?? [],
                    chainCode: Hex.decode(root["chainCode"].text) ?? [], .ed25519))
            #expect(key.description == root["cpub"].text)
            var above = key
            for child in root["children"].items {
                let below = try #require(ExtendedPublicKey(text: child["cpub"].text))
                #expect(below.description == child["cpub"].text)
                #expect(Hex.encode(below.key) == child["publicKey"].text)
                #expect(Hex.encode(below.chainCode) == child["chainCode"].text)
                #expect(below.parentFingerprint == above.fingerprint)
                #expect(Int(below.childNumber) == child["step"].integer)
                above = below
                checked += 1
            }
        }
        #expect(checked == 10)
    }

    @Test func `keys on edwards25519 follow one another as Cobo has it`() throws {
        var checked = 0
        for root in try Vectors.json("keys/cobo_eddsa_ckd_nh.json").items {
            let bytes = Hex.decode(root["publicKey"].text) ?? []
            var above = try #require(Ed25519.Point(compressed: bytes.dropFirst()))
            var code = Hex.decode(root["chainCode"].text) ?? []
            for child in root["children"].items {
                let step = UInt32(child["step"].integer ?? -1)
                let path = try #require(DerivationPath([step]))
                let derived = try #require(
                    DerivedKey<EdDSA>(path, below: above, chainCode: code))
                #expect("00" + derived.publicKey.description == child["publicKey"].text)
                #expect(Hex.encode(derived.chainCode) == child["chainCode"].text)
                (above, code) = (derived.publicKey, derived.chainCode)
                checked += 1
            }
        }
        print("vectors: cobo_eddsa_ckd_nh.json \(checked)")
        #expect(checked == 10)
    }

    @Test func `a root of another form or size is none`() {
        let code = [UInt8](repeating: 7, count: 32)
        let point = SecretScalar(Scalar(5)).timesGenerator()?.compressed ?? []
        #expect(ExtendedPublicKey(root: point, chainCode: code, .secp256k1) != nil)
        #expect(ExtendedPublicKey(root: point, chainCode: code, .ed25519) == nil)
        #expect(ExtendedPublicKey(root: point, chainCode: code + [0], .secp256k1) == nil)
        let other = Ed25519.SecretScalar(Ed25519.Scalar(5)).timesGenerator()?.compressed ?? []
        let edwards = [0] + other
        #expect(ExtendedPublicKey(root: edwards, chainCode: code, .ed25519) != nil)
        #expect(ExtendedPublicKey(root: edwards + [1], chainCode: code, .ed25519) == nil)
        #expect(ExtendedPublicKey(root: edwards, chainCode: code, .secp256k1) == nil)
    }

    @Test func `secret keys of BIP 32 and of Cobo are spelt as here`() throws {
        let bip32 = try Vectors.json("keys/bip32.json").items
            .flatMap { $0["chains"].items }.map { $0["xprv"].text }
        let cobo = try Vectors.json("keys/cobo_eddsa_ckd_nh.json").items
            .flatMap { [$0] + $0["children"].items }.map { $0["cprv"].text }
        for text in bip32 + cobo {
            let payload = try #require(Base58Check.decode(text))
            let spelt = Base58Check.secretlyEncode(SecretBytes(copying: payload))
            #expect(spelt.withBytes { String(decoding: $0, as: UTF8.self) } == text)
            let version = payload.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            #expect(
                ExtendedPublicKey.Form.allCases.map(\.secretVersion).contains(version))
        }
        #expect(bip32.count == 17 && cobo.count == 12)
    }
}
