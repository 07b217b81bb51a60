import Algebra
import Canonical
import Foundation
import KeyGroups
import TestKit
import Testing

@testable import Chains

@Suite struct `EVM bytes` {
    @Test func `Keccak-256 agrees with published vectors`() throws {
        let vectors = try Vectors.json("chains/eth_hashes.json").items
        #expect(vectors.count == 80)
        for vector in vectors {
            let input = try #require(Hex.decode(vector["data"].text.dropFirst(2)))
            #expect("0x" + Keccak256.hash(input).hex == vector["keccak256"].text)
        }
    }

    @Test func `RLP agrees with published vectors, both ways`() throws {
        func value(_ json: JSON) -> RLP? {
            if case .array(let items) = json { return .list(items.compactMap(value)) }
            return Hex.decode(json.text.dropFirst(2)).map { .bytes($0) }
        }
        let vectors = try Vectors.json("chains/eth_rlp.json").items
        #expect(vectors.count == 61)
        for vector in vectors {
            let decoded = try #require(value(vector["decoded"]))
            let encoded = try #require(Hex.decode(vector["encoded"].text.dropFirst(2)))
            #expect(decoded.encoded() == encoded)
            #expect(try RLP.decode(encoded) == decoded)
        }
    }

    @Test func `RLP refuses other spellings`() {
        for hex in ["8100", "817f", "b800", "b83700", "f800", "c180ff", "83ff", "", "b90000"] {
            #expect(throws: MalformedBytes.self, "\(hex)") { try RLP.decode(Hex.decode(hex)!) }
        }
    }

    @Test func `addresses agree with published vectors and have their checksum`() throws {
        let vectors = try Vectors.json("chains/eth_accounts.json").items
        var checked = 0
        for vector in vectors {
            let text = vector["address"].text
            guard let bytes = Hex.decode(vector["privateKey"].text.dropFirst(2)), bytes.count == 32
            else { continue }
            let key = WholeKey(SecretBytes(copying: bytes))!
            #expect(EVMAddress(key.publicKey).text == text)
            #expect(try EVMAddress(text: text).text == text)
            #expect(throws: EVMAddress.Malformed.wrongChecksum) {
                try EVMAddress(text: "0x" + text.dropFirst(2).lowercased())
            }
            checked += 1
        }
        #expect(checked > 40)
    }

    @Test(arguments: [
        "", "0x", "0x12", "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xg39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    ])
    func `what is no address is refused`(_ text: String) {
        #expect(throws: EVMAddress.Malformed.notAnAddress) { try EVMAddress(text: text) }
    }

    @Test func `transfers agree with published vectors, unsigned and signed`() throws {
        let vectors = try Vectors.json("chains/eth_transfers.json").items
        var checked = 0
        for vector in vectors {
            let fields = vector["transaction"]
            func number(_ name: String) -> UInt64 {
                fields[name].integer.map { UInt64($0) }
                    ?? UInt64(fields[name].text.dropFirst(2), radix: 16) ?? 0
            }
            let fee = try #require(
                EVMFeeLimit(
                    gasLimit: number("gasLimit"), maxFeePerGas: number("maxFeePerGas"),
                    maxPriorityFeePerGas: number("maxPriorityFeePerGas")))
            let transaction = EVMTransaction(
                chainID: number("chainId"), nonce: number("nonce"), fee: fee,
                to: try EVMAddress(text: fields["to"].text),
                value: try #require(Amount(UInt128(number("value")))))
            let unsigned = try #require(Hex.decode(vector["unsignedLondon"].text.dropFirst(2)))
            #expect(transaction.signingDigest == Keccak256.hash(unsigned))
            let secret = SecretBytes(copying: Hex.decode(vector["privateKey"].text.dropFirst(2))!)
            let key = WholeKey(secret)!
            let signed = transaction.signed(key.sign(transaction.signingDigest)!)
            #expect("0x" + Hex.encode(signed.raw) == vector["signedLondon"].text)
            #expect(signed.sender == EVMAddress(key.publicKey))
            #expect(SignedEVMTransaction(raw: signed.raw) == signed)
            for at in signed.raw.indices {
                var broken = signed.raw
                broken[at] ^= 1
                if let other = SignedEVMTransaction(raw: broken) { #expect(other.raw == broken) }
            }
            checked += 1
        }
        #expect(checked == 14)
    }

    @Test func `derived addresses agree with two other libraries`() throws {
        let vectors = try Vectors.json("chains/xpub_addresses.json").items
        for vector in vectors {
            let root = try #require(ExtendedPublicKey(text: vector["xpub"].text))
            let key = try #require(Point(compressed: root.key))
            let steps = vector["path"].text.split(separator: "/").compactMap { UInt32($0) }
            let path = try #require(DerivationPath(steps))
            let derived = try #require(
                DerivedKey<ECDSA>(path, below: key, chainCode: root.chainCode))
            #expect(EVMAddress(derived.publicKey).text == vector["address"].text)
        }
        print("xpub_addresses: \(vectors.count) EVM addresses")
        #expect(vectors.count > 20)
    }

    @Test func `a path has one spelling and is never hardened`() {
        #expect(DerivationPath(text: "m/44/60/0/0/7")?.steps == [44, 60, 0, 0, 7])
        #expect(DerivationPath(text: "m")?.steps == [])
        for text in [
            "m/", "/m", "m/44'", "m/01", "m/+1", "m/2147483648", "44/60",
            "m/1/2/3/4/5/6/7/8/9/10/11",
        ] {
            #expect(DerivationPath(text: text) == nil, "\(text)")
        }
    }

    @Test func `chains and assets have one spelling`() {
        #expect(ChainID("eip155:1") == .eip155(1))
        for text in [
            "eip155:01", "eip155:0", "EIP155:1", "eip155:", "eip155:1:2", "eip155: 1", "solana:x",
        ] {
            #expect(ChainID(text) == nil, "\(text)")
        }
        #expect(AssetID("eip155:1/slip44:60") == .native(.eip155(1)))
        for text in ["eip155:1/slip44:61", "eip155:1", "eip155:1/slip44:060", "eip155:1/erc20:0x"] {
            #expect(AssetID(text) == nil, "\(text)")
        }
    }
}

@Suite struct `Answers of a node` {
    private func answer(_ result: String) -> Data {
        Data(#"{"jsonrpc":"2.0","id":1,"result":\#(result)}"#.utf8)
    }

    @Test func `a result, an error and garbage are told apart`() throws {
        #expect(try EVMRPC.chainID().result(of: answer("\"0x7a69\"")) == 31337)
        #expect(throws: EVMRPC.Failure.refused(code: -32000, message: "no")) {
            try EVMRPC.chainID().result(
                of: Data(#"{"id":1,"error":{"code":-32000,"message":"no"}}"#.utf8))
        }
        for text in ["", "<html>", "[]", "{}", "null", #"{"result":null}"#] {
            #expect(throws: EVMRPC.Failure.self, "\(text)") {
                try EVMRPC.chainID().result(of: Data(text.utf8))
            }
        }
        for result in ["\"7a69\"", "\"0x\"", "\"0xzz\"", "1", "\"0x11111111111111111\"", "{}"] {
            #expect(throws: EVMRPC.Failure.self, "\(result)") {
                try EVMRPC.chainID().result(of: answer(result))
            }
        }
        #expect(try EVMRPC.receipt(.sha256([])).result(of: answer("null")) == nil)
    }

    @Test func `a block with a malformed transaction is refused whole`() {
        let hash = "\"0x" + String(repeating: "ab", count: 32) + "\""
        func block(_ transactions: String) -> Data {
            answer(
                "{\"number\":\"0x1\",\"hash\":\(hash),\"parentHash\":\(hash),"
                    + "\"baseFeePerGas\":\"0x1\",\"transactions\":\(transactions)}")
        }
        #expect(throws: Never.self) { try EVMRPC.block(1).result(of: block("[]")) }
        for transactions in ["[1]", "[{}]", "{}", "[{\"hash\":\(hash)}]"] {
            #expect(throws: EVMRPC.Failure.self, "\(transactions)") {
                try EVMRPC.block(1).result(of: block(transactions))
            }
        }
    }
}
