import Algebra
import Canonical
import TestKit
import Testing

@testable import Chains

@Suite struct `Messages of EVM accounts` {
    private static func bytes(_ json: JSON) -> [UInt8] { Hex.decode(json.text.dropFirst(2)) ?? [] }

    @Test func `agree with another library, what is signed and by whom`() throws {
        let vectors = try Vectors.json("chains/evm_messages.json")
        let signer = WholeKey(SecretBytes(copying: Self.bytes(vectors["privateKey"])))!.publicKey
        func check(_ digest: Digest, _ vector: JSON) throws {
            #expect("0x" + digest.hex == vector["digest"].text)
            var signature = Self.bytes(vector["signature"])
            signature[64] -= 27
            let read = try #require(ECDSASignature(signature))
            #expect(read.signer(of: digest) == signer)
        }
        let personal = vectors["personal"].items
        #expect(personal.count == 6)
        for vector in personal {
            try check(EVMMessage.digest(ofPersonal: Self.bytes(vector["message"])), vector)
        }
        let typed = vectors["typed"].items
        #expect(typed.count == 48)
        for vector in typed {
            try check(EVMTypedData(Array(vector["data"].text.utf8)).digest, vector)
        }
    }

    /// The example of EIP-712.
    private static let mail = """
        {"types":{"EIP712Domain":[{"name":"name","type":"string"},\
        {"name":"version","type":"string"},{"name":"chainId","type":"uint256"},\
        {"name":"verifyingContract","type":"address"}],\
        "Person":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}],\
        "Mail":[{"name":"from","type":"Person"},{"name":"to","type":"Person"},\
        {"name":"contents","type":"string"}]},"primaryType":"Mail",\
        "domain":{"name":"Ether Mail","version":"1","chainId":1,\
        "verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},\
        "message":{"from":{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},\
        "to":{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},\
        "contents":"Hello, Bob!"}}
        """

    @Test func `of EIP-712's own example, digest and domain`() throws {
        let data = try EVMTypedData(Array(Self.mail.utf8))
        #expect(
            data.digest.hex == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
        #expect(data.primaryType == "Mail")
        #expect(data.chainID == 1)
        #expect(data.verifyingContract?.bytes == [UInt8](repeating: 0xcc, count: 20))
    }

    @Test func `of EIP-191's form, wallets' known answer`() {
        // web3.js, documentation of eth.accounts.hashMessage("Hello World").
        #expect(
            EVMMessage.digest(ofPersonal: Array("Hello World".utf8)).hex
                == "a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2")
    }

    @Test(arguments: [
        // What is missing, what nobody hashes, and what stands twice.
        ("\"contents\":\"Hello, Bob!\"", "\"content\":\"Hello, Bob!\""),
        ("\"contents\":\"Hello, Bob!\"", "\"contents\":\"Hello, Bob!\",\"cc\":\"Eve\""),
        (",\"contents\":\"Hello, Bob!\"", ""),
        ("\"contents\":\"Hello, Bob!\"", "\"contents\":null"),
        ("\"primaryType\":\"Mail\"", "\"primaryType\":\"Mail\",\"primaryType\":\"Mail\""),
        ("\"primaryType\":\"Mail\"", "\"primaryType\":\"Mail\",\"extra\":1"),
        ("\"primaryType\":\"Mail\"", "\"primaryType\":\"EIP712Domain\""),
        ("\"primaryType\":\"Mail\"", "\"primaryType\":\"Nobody\""),
        ("\"primaryType\":\"Mail\",", ""),
        // Types that are none, and names that would make one type's text another's.
        (
            "{\"name\":\"contents\",\"type\":\"string\"}",
            "{\"name\":\"contents\",\"type\":\"uint\"}"
        ),
        (
            "{\"name\":\"contents\",\"type\":\"string\"}",
            "{\"name\":\"contents\",\"type\":\"text\"}"
        ),
        (
            "{\"name\":\"contents\",\"type\":\"string\"}",
            "{\"name\":\"contents\",\"type\":\"string\"},{\"name\":\"to\",\"type\":\"Person\"}"
        ),
        ("\"Person\":[", "\"Person)\":["), ("\"Person\":[", "\"uint8\":[],\"Person\":["),
        ("\"name\":\"wallet\"", "\"name\":\"wallet,string x\""),
        ("\"name\":\"wallet\"", "\"name\":\"wallet\",\"x\":1"),
        // A domain that is not as the paper says.
        ("\"EIP712Domain\"", "\"EIP712Domains\""),
        ("\"name\":\"chainId\",\"type\":\"uint256\"", "\"name\":\"chainId\",\"type\":\"uint64\""),
        ("\"chainId\":1,", ""), ("\"version\":\"1\",", "\"version\":\"1\",\"salt\":\"0x\","),
        // Values that are none of their types.
        ("\"chainId\":1,", "\"chainId\":1.0,"), ("\"chainId\":1,", "\"chainId\":1e3,"),
        ("\"chainId\":1,", "\"chainId\":-1,"), ("\"chainId\":1,", "\"chainId\":\"\","),
        ("\"chainId\":1,", "\"chainId\":\"0x\","), ("\"chainId\":1,", "\"chainId\":\"+1\","),
        ("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD8"),
        ("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "cow.eth"),
    ])
    func `what is not exactly as EIP-712 says is none`(_ part: String, _ other: String) {
        let text = Self.mail.replacing(part, with: other)
        #expect(text != Self.mail)
        #expect(throws: EVMTypedData.Malformed.self) { try EVMTypedData(Array(text.utf8)) }
    }

    @Test func `numbers keep to their bits, and lists to their length`() throws {
        func digest(_ type: String, _ value: String) throws -> Digest {
            try EVMTypedData(
                Array(
                    """
                    {"types":{"EIP712Domain":[],"T":[{"name":"v","type":"\(type)"}]},\
                    "primaryType":"T","domain":{},"message":{"v":\(value)}}
                    """.utf8)
            ).digest
        }
        for (type, value) in [
            ("uint8", "256"), ("uint8", "-0"), ("int8", "128"), ("int8", "-129"), ("int8", "-0"),
            ("uint256", "\"0x1" + String(repeating: "0", count: 64) + "\""), ("bool", "1"),
            ("uint256", "1" + String(repeating: "0", count: 78)), ("bytes2", "\"0x000000\""),
            ("bytes2", "\"0x00\""), ("bytes", "\"00\""), ("bytes", "\"0x0\""), ("uint8[2]", "[1]"),
            ("uint8[]", "[256]"), ("uint8[0]", "[]"), ("uint8[+1]", "[1]"), ("uint8[", "[1]"),
            ("bytes33", "\"0x\""), ("uint8 ", "1"), ("", "1"), ("string", "1"),
        ] {
            #expect(throws: EVMTypedData.Malformed.self, "\(type) \(value)") {
                try digest(type, value)
            }
        }
        #expect(try digest("uint8", "255") == digest("uint8", "\"0xff\""))
        #expect(try digest("int8", "-128") != digest("int8", "127"))
        #expect(try digest("uint8[2]", "[1,2]") != digest("uint8[]", "[1,2]"))
    }

    @Test func `a field of no type is refused, even where no value has it`() throws {
        func text(_ type: String) -> [UInt8] {
            Array(
                """
                {"types":{"EIP712Domain":[],"A":[{"name":"x","type":"\(type)"}],\
                "P":[{"name":"l","type":"A[]"}]},"primaryType":"P","domain":{},\
                "message":{"l":[]}}
                """.utf8)
        }
        _ = try EVMTypedData(text("uint256"))
        _ = try EVMTypedData(text("uint8" + String(repeating: "[]", count: 16)))
        for type in [
            "any text,)(uint256", "uint", "uint8" + String(repeating: "[]", count: 17),
            "uint256" + String(repeating: "[]", count: 4000), "A[", "A]", "",
        ] {
            #expect(throws: EVMTypedData.Malformed.self, "\(type.prefix(40))") {
                try EVMTypedData(text(type))
            }
        }
    }

    @Test func `a text that is too long, or declares too much, is not read`() throws {
        let types = (0...EVMTypedData.typesMost).map { "\"T\($0)\":[]" }.joined(separator: ",")
        let many = "{\"types\":{\(types)},\"primaryType\":\"T0\",\"domain\":{},\"message\":{}}"
        #expect(throws: EVMTypedData.Malformed.self) { try EVMTypedData(Array(many.utf8)) }
        let long = Self.mail.replacing(
            "Hello, Bob!", with: String(repeating: "x", count: EVMMessage.byteLimit))
        #expect(throws: EVMTypedData.Malformed.self) { try EVMTypedData(Array(long.utf8)) }
    }
}
