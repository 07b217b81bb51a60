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

    /// Signed by eth-account 0.13 with the key of 32 bytes 0x46.
    private static let tokenTransfer =
        "02f8b10109843b9aca008506fc23ac00830186a094dac17f958d2ee523a2206206994597c13d831ec780b844a9059cbb"
        + "0000000000000000000000005aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
        + "000000000000000000000000000000000000000000000000000000000012d687"
        + "c080a0c28625d6842d2e08cecae0a775c0bb8ae1a86c414982ac6e4393d5a2e110a6a2"
        + "a036fd00a55cdda0e3d73967022434b5219cece8bde888c3ac734226dff37035a6"

    @Test func `a token's transfer agrees with another library, and no other call is read as one`()
        throws
    {
        let contract = try EVMAddress(text: "0xdAC17F958D2ee523a2206206994597C13D831ec7")
        let transfer = ERC20Transfer(
            recipient: try EVMAddress(text: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            amount: Amount(UInt32(1_234_567)))
        let fee = try #require(
            EVMFeeLimit(
                gasLimit: 100_000, maxFeePerGas: 30_000_000_000, maxPriorityFeePerGas: 1_000_000_000
            ))
        let transaction = EVMTransaction(
            chainID: 1, nonce: 9, fee: fee, payment: .tokens(transfer, contract: contract))
        let key = WholeKey(SecretBytes(copying: [UInt8](repeating: 0x46, count: 32)))!
        let signed = transaction.signed(key.sign(transaction.signingDigest)!)
        #expect(Hex.encode(signed.raw) == Self.tokenTransfer)
        #expect(
            signed.hash.hex == "1f82482ee74f2212409808cfd94cbc9c15d5b48a11e61b3e21249d2a195b3a1a")
        #expect(SignedEVMTransaction(raw: signed.raw)?.transaction == transaction)

        let data = transfer.data
        #expect(ERC20Transfer(data: data) == transfer)
        let approve: [UInt8] = [0x09, 0x5e, 0xa7, 0xb3]
        var dirty = data
        dirty[4] = 1  // above the address
        var huge = data
        huge[36] = 1  // 2^248
        let others = [
            approve + Array(data.dropFirst(4)), data + [0], Array(data.dropLast()), dirty, huge,
        ]
        for other in others {
            #expect(ERC20Transfer(data: other) == nil)
            let read = SignedEVMTransaction(raw: try Self.signed(data: other, key))
            #expect(read?.transaction.payment.isCall == true && read?.transaction.data == other)
        }
        let read = SignedEVMTransaction(raw: try Self.signed(data: data, key))
        #expect(read?.transaction.payment.isCall == false)
        let paying = SignedEVMTransaction(raw: try Self.signed(data: data, value: [1], key))
        #expect(paying?.transaction.payment.isCall == true, "a token's transfer moves no coins")
        let most = [UInt8](repeating: 7, count: ContractCall.dataMost)
        #expect(SignedEVMTransaction(raw: try Self.signed(data: most, key)) != nil)
        #expect(SignedEVMTransaction(raw: try Self.signed(data: most + [7], key)) == nil)
    }

    /// Signed by eth-account 0.14 with the key of 32 bytes 0x46.
    private static let call =
        "02f8720109843b9aca008506fc23ac008303d090945aaeb6053f3e94c9b9a09f33669435e7ef1beaed058612"
        + "3456780001c080a0c2893ad7bfae8693ee79d7f9d158efbbb82d06fa27112a7f677dab24a3b6ab6ba00fb24d"
        + "9cda0ba15d6223cf2a04ff76fe719af1be988391a1118d8cf79e62d23c"

    @Test func `a contract call agrees with another library`() throws {
        let contract = try EVMAddress(text: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        let fee = try #require(
            EVMFeeLimit(
                gasLimit: 250_000, maxFeePerGas: 30_000_000_000, maxPriorityFeePerGas: 1_000_000_000
            ))
        let transaction = EVMTransaction(
            chainID: 1, nonce: 9, fee: fee,
            payment: .call(
                [0x12, 0x34, 0x56, 0x78, 0, 1], value: Amount(UInt32(5)), contract: contract))
        let key = WholeKey(SecretBytes(copying: [UInt8](repeating: 0x46, count: 32)))!
        let signed = transaction.signed(key.sign(transaction.signingDigest)!)
        #expect(Hex.encode(signed.raw) == Self.call)
        #expect(SignedEVMTransaction(raw: signed.raw)?.transaction == transaction)
        #expect(transaction.to == contract && transaction.value == Amount(UInt32(5)))
    }

    /// A transaction with any data, validly signed.
    private static func signed(
        data: [UInt8], value: [UInt8] = [], _ key: borrowing WholeKey
    ) throws -> [UInt8] {
        let fields: [RLP] = [
            .integer(1), .integer(9), .integer(1), .integer(2), .integer(100_000),
            .bytes([UInt8](repeating: 7, count: 20)), .bytes(value), .bytes(data), .list([]),
        ]
        let signature = key.sign(Keccak256.hash([2] + RLP.list(fields).encoded()))!
        let parts: [RLP] = [
            .integer(UInt64(signature.recoveryID & 1)),
            .bytes(Array(signature.r.bytes.drop { $0 == 0 })),
            .bytes(Array(signature.s.bytes.drop { $0 == 0 })),
        ]
        return [2] + RLP.list(fields + parts).encoded()
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
        let token = "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
        #expect(AssetID(token)?.text == token)
        #expect(AssetID(token)?.feeAsset == .native(.eip155(1)))
        for text in [
            "eip155:1/slip44:61", "eip155:1", "eip155:1/slip44:060", "eip155:1/erc20:0x",
            token.lowercased(), "eip155:01/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7",
            token + "/1", token.replacingOccurrences(of: "erc20", with: "erc721"),
        ] {
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

extension EVMPayment {
    fileprivate var isCall: Bool {
        if case .call = self { true } else { false }
    }
}
