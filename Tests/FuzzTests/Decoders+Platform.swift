import Canonical
import Chains
import Custody
import Foundation
import Identity
import Intents
import TestKit

@testable import Algebra
@testable import Gateway

/// What clients, chain nodes and operators give the platform.
extension Decoders {
    private static let cursorKey = PlatformVaultKey(
        SealingKey(SecretBytes(copying: random("cursor", 32))))
    private static let cursorTenant = TenantID(unchecked: random("t", 16))

    private static let transfer = EVMTransaction(
        chainID: 1, nonce: 300,
        fee: EVMFeeLimit(gasLimit: 21_000, maxFeePerGas: 30_000_000_000, maxPriorityFeePerGas: 1)!,
        to: EVMAddress(point("to")), value: Amount(baseUnits: "1000000000000000000")!)

    private static let tokenTransfer = EVMTransaction(
        chainID: 1, nonce: 301, fee: transfer.fee,
        payment: .tokens(
            ERC20Transfer(recipient: EVMAddress(point("to")), amount: Amount(UInt32(1_000_000))),
            contract: EVMAddress(point("a"))))

    private static let call = EVMTransaction(
        chainID: 1, nonce: 302, fee: transfer.fee,
        payment: .call([1, 2, 3], value: Amount(UInt32(7)), contract: EVMAddress(point("a"))))

    private static let signedTransfers: [[UInt8]] = {
        guard let key = WholeKey(SecretBytes(copying: random("stranger", 32))) else { return [] }
        return [transfer, tokenTransfer, call].compactMap { transaction in
            key.sign(transaction.signingDigest).map { transaction.signed($0).raw }
        }
    }()

    private static let block = """
        {"jsonrpc":"2.0","id":1,"result":{"number":"0x1","hash":"0x\(Digest.sha256([1]).hex)",\
        "parentHash":"0x\(Digest.sha256([2]).hex)","baseFeePerGas":"0x7","transactions":[{"hash":\
        "0x\(Digest.sha256([3]).hex)","from":"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf","to":\
        null,"nonce":"0x0","value":"0xde0b6b3a7640000"}]}}
        """

    private static let receipt = """
        {"result":{"transactionHash":"0x\(Digest.sha256([3]).hex)","blockHash":\
        "0x\(Digest.sha256([1]).hex)","status":"0x1","gasUsed":"0x5208",\
        "effectiveGasPrice":"0x3b9aca00","logs":[\(log)]}}
        """

    private static let log = """
        {"address":"0x\(String(repeating: "70", count: 20))","topics":["0x\(ERC20Log.topic.hex)",\
        "0x\(String(repeating: "0", count: 64))","0x\(String(repeating: "0", count: 64))"],"data":\
        "0x\(String(repeating: "0", count: 62))ff","blockHash":"0x\(Digest.sha256([1]).hex)",\
        "transactionHash":"0x\(Digest.sha256([3]).hex)"}
        """

    private static let rpcPieces = ["0x", "\"", "null", "{}", "[]", "error", "f", "-", "+", "e9"]

    /// Answers of a node: read or refused; what is read is not written again.
    private static func answer<Value>(
        _ name: String, _ call: EVMRPC.Call<Value>, seeds: [String]
    ) -> Decoder {
        Decoder(
            name: "node's \(name)", form: .text(rpcPieces),
            seeds: seeds.map { Array($0.utf8) }
        ) { bytes in (try? call.result(of: Data(bytes))).map { _ in bytes } }
    }

    static let chains: [Decoder] = [
        Decoder(
            name: "RLP",
            seeds: signedTransfers.map { Array($0.dropFirst()) } + [
                RLP.list([.bytes([UInt8](repeating: 1, count: 300)), .list([]), .integer(.max)])
                    .encoded()
            ]
        ) { try? RLP.decode($0).encoded() },
        Decoder(
            name: "SignedEVMTransaction", limit: SignedEVMTransaction.byteLimit,
            seeds: signedTransfers
        ) { bytes in
            guard let read = SignedEVMTransaction(raw: bytes) else { return nil }
            return read.transaction.signed(read.signature).raw
        },
        .text(
            "EVMAddress", seeds: [EVMAddress(point("to")).text, EVMAddress(point("a")).text],
            pieces: ["0x", "a", "F", "\u{301}"]
        ) { try? EVMAddress(text: $0).text },
        .text(
            "ChainID", seeds: ["eip155:1", "eip155:18446744073709551615"],
            pieces: ["eip155", ":", "0", "1", "+", "-"]
        ) { ChainID($0)?.text },
        .text(
            "AssetID",
            seeds: [
                "eip155:1/slip44:60", "eip155:31337/slip44:60",
                "eip155:1/erc20:\(EVMAddress(point("a")).text)",
            ],
            pieces: ["/slip44:60", "/erc20:", "0x", "eip155:", "/", ":", "0"]
        ) { AssetID($0)?.text },
        .text(
            "Amount in base units", seeds: ["0", "1", Amount.most.baseUnitText],
            pieces: ["0", "9", "+", "-", "1000000000000000000"]
        ) { Amount(baseUnits: $0)?.baseUnitText },
        .text(
            "Amount in coins", seeds: ["0", "1.5", "0.000000000000000001"],
            pieces: ["0", "9", ".", "-", "+", "e", "000000000000000000"], isCanonical: false
        ) { try? Amount(text: $0, decimals: 18).text(decimals: 18) },
        Decoder(
            name: "Amount's magnitude", isCanonical: false, seeds: [[1], Amount.most.magnitude]
        ) { Amount(magnitude: $0)?.magnitude },
        answer("block", EVMRPC.block(1), seeds: [block, "{\"result\":null}"]),
        answer("receipt", EVMRPC.receipt(.sha256([3])), seeds: [receipt]),
        answer(
            "logs",
            EVMRPC.tokenTransfers(
                inBlock: .sha256([1]),
                of: [EVMAddress(unchecked: [UInt8](repeating: 0x70, count: 20))]),
            seeds: ["{\"result\":[\(log)]}", "{\"result\":[]}"]),
        answer(
            "balance", EVMRPC.balance(of: EVMAddress(point("to"))),
            seeds: ["{\"result\":\"0xde0b6b3a7640000\"}"]),
        answer("chain id", EVMRPC.chainID(), seeds: ["{\"result\":\"0x1\"}"]),
    ]

    static let identity: [Decoder] = [
        .text(
            "APIKeyID",
            seeds: [true, false].map { APIKeyID(isLive: $0, random: random("k", 12)).text },
            pieces: ["qk_live_", "qk_test_", "a", "F", "_"]
        ) { APIKeyID(text: $0)?.text },
        .text(
            "SignedRequest",
            seeds: ["1800000000\nnonce\n" + Hex.encode(random("signature", 32))],
            pieces: ["\n", "-", "+", "0", "\u{301}", "9223372036854775807"]
        ) { text in
            let parts = text.split(separator: "\n", omittingEmptySubsequences: false)
            guard parts.count == 3,
                let read = try? SignedRequest(
                    method: "POST", path: "/v1/vaults", query: nil, timestamp: String(parts[0]),
                    nonce: String(parts[1]), signature: String(parts[2]))
            else { return nil }
            _ = read.isTimely(at: 1_800_000_000)
            return "\(read.timestamp)\n\(read.nonce ?? "")\n\(Hex.encode(read.signature))"
        },
        .text(
            "WebhookSecret", seeds: [Data(random("w", 32)).base64EncodedString()],
            pieces: ["=", "A", "+", "/", "\n"], isCanonical: false
        ) { text in
            switch WebhookSecret(base64: text) {
            case .some(let secret): return secret.dangerouslyReveal()
            case nil: return nil
            }
        },
    ]

    private static let jsonPieces = [
        "{", "}", "[", "]", "\"", ":", ",", "\\u", "\\ud83d\\ude00", "\\", "null", "true", "1e9",
        "-0", "amount", "\u{301}", "\u{212a}", "\n",
    ]

    private static let requests = [
        "{\"assetId\":\"eip155:1/slip44:60\",\"amount\":\"1.5\",\"externalId\":\"a\"}",
        "{\"metadata\":{\"a\":\"b\"},\"list\":[1,2.5e-3,true,null,\"\\u00e9\\n\"]}", "[]", "0",
    ]

    static let platform: [Decoder] = [
        .text("JSON", seeds: requests, pieces: jsonPieces, isCanonical: false) { text in
            (try? JSONParser.parse(Array(text.utf8))).map {
                String(decoding: $0.bytes, as: UTF8.self)
            }
        },
        .text("request fields", seeds: Array(requests.prefix(2)), pieces: jsonPieces) { text in
            let known: Set = ["amount", "externalId", "metadata", "entries", "source"]
            guard var fields = try? RequestFields(Array(text.utf8), knowing: known) else {
                return nil
            }
            _ = fields.object("source", knowing: "id") { $0.string("id") }
            _ = fields.objects("entries", most: 3, knowing: "id") { $0.boolean("id") }
            _ = fields.string("amount")
            _ = fields.id("externalId", VaultID.self)
            _ = fields.strings("metadata")
            try? fields.finish()
            return text
        },
        .text(
            "a request signed by key",
            seeds: ["/v2/wallets/tokens?token_ids=SETH%2CX&limit=3", "/v2/a%20b?c=d%21+e&f"],
            pieces: ["%", "|", "+", "&", "=", "%7C", "%FF", "?"]
        ) { text in
            let parts = text.split(separator: "?", maxSplits: 1).map(String.init)
            let request = try? KeySignedRequest(
                method: "GET", path: parts.first ?? "", query: parts.dropFirst().first ?? "",
                key: "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737",
                nonce: "1795219370468", signature: String(repeating: "ab", count: 64))
            _ = request?.isSigned(body: Array("{}".utf8))
            return request.map { _ in text }
        },
        .text(
            "WebhookTarget",
            seeds: ["https://example.com/hook?a=b", "https://[2001:db9::1]:8443/"],
            pieces: ["https://", "http://", "[", "]", ":", "@", "#", "%00", "%31", "127.0.0.1"]
        ) { (try? WebhookTarget($0, allowsLocal: false))?.url },
        .text(
            "NetworkAddress", seeds: ["192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1"],
            pieces: [":", "::", ".", "ffff", "0", "255"]
        ) { text in NetworkAddress(text).map { $0.isPublic ? text : text } },
        .text(
            "PageCursor",
            seeds: [1, .max].map { cursorKey.text(of: PageCursor(number: $0), for: cursorTenant) },
            pieces: ["0", "f", "F", "8"]
        ) { text in cursorKey.cursor(text, of: cursorTenant).map { _ in text } },
        .text("Hex", seeds: ["00ff", "ABcd"], pieces: ["0", "g", "F"], isCanonical: false) {
            Hex.decode($0).map { Hex.encode($0) }
        },
    ]
}
