import Algebra
import TestKit
import Testing

@testable import Canonical

@Suite struct `Deterministic CBOR` {
    static let values: [(CBOR, String)] = [
        (.unsigned(0), "00"), (.unsigned(23), "17"), (.unsigned(24), "1818"),
        (.unsigned(255), "18ff"), (.unsigned(256), "190100"), (.unsigned(65_536), "1a00010000"),
        (.unsigned(.max), "1bffffffffffffffff"),
        (.bignum([1, 0, 0, 0, 0, 0, 0, 0, 0]), "c249010000000000000000"),
        (.bytes([]), "40"), (.bytes([1, 2, 3, 4]), "4401020304"), (.text("a"), "6161"),
        (.array([.unsigned(1), .unsigned(2)]), "820102"), (.bool(true), "f5"),
        (.map([1: .unsigned(2), 3: .unsigned(4)]), "a201020304"), (.map([:]), "a0"),
    ]

    @Test func `is written as RFC 8949 has it, and read back`() throws {
        for (value, hex) in Self.values {
            #expect(Hex.encode(value.encoded()) == hex)
            #expect(try CBOR.decode(value.encoded()) == value)
        }
    }

    @Test(arguments: [
        ("1817", "an integer not in its shortest form"), ("190017", "the same, longer"),
        ("1a000000ff", "the same"), ("1b00000000ffffffff", "the same"),
        ("5f41ff", "an indefinite length"), ("9fff", "an indefinite array"), ("f6", "null"),
        ("f90000", "a float"), ("20", "a negative integer"), ("c1", "a tag"),
        ("c24100", "a bignum with a leading zero"), ("c2480100000000000000", "a bignum of 64 bits"),
        ("a203040102", "keys out of order"), ("a201020103", "a key twice"),
        ("a1616101", "a key that is a text"), ("61ff", "text that is not ASCII"),
        ("62c3a9", "text beyond ASCII"), ("0000", "something after the value"), ("", "nothing"),
        ("44010203", "a string beyond the end"), ("9b7fffffffffffffff", "a length beyond the end"),
        ("8181818181818181818101", "nesting too deep"),
    ])
    func `refuses what it would not write`(_ hex: String, _ what: String) {
        #expect(throws: MalformedBytes.self, "\(what)") { try CBOR.decode(Hex.decode(hex)!) }
    }

    @Test func `reads only what it would write, whatever comes`() {
        var random = TestRandom("cbor")
        var read = 0
        for _ in 0..<50_000 {
            let bytes = random.bytes(random.integer(below: 24))
            guard let value = try? CBOR.decode(bytes) else { continue }
            read += 1
            #expect(value.encoded() == bytes)
        }
        #expect(read > 100)
    }

    @Test func `fields that nobody takes are refused`() throws {
        var fields = try CBORFields(.map([1: .unsigned(1), 2: .text("x")]), "test")
        #expect(try fields.unsigned(1, UInt8.self) == 1)
        #expect(throws: MalformedBytes.self) { try fields.finish() }
        #expect(throws: MalformedBytes.self) { try fields.unsigned(1, UInt8.self) }
        #expect(throws: MalformedBytes.self) { try fields.unsigned(2, UInt8.self) }
        var small = try CBORFields(.map([1: .unsigned(256)]), "test")
        #expect(throws: MalformedBytes.self) { try small.unsigned(1, UInt8.self) }
    }
}

@Suite struct `Hexadecimal and readers` {
    @Test func `hexadecimal is written in one way and read in both`() {
        #expect(Hex.encode([0, 0xab, 0xff]) == "00abff")
        #expect(Hex.decode("00ABff") == [0, 0xab, 0xff])
        #expect(Hex.decode("0") == nil)
        #expect(Hex.decode("0g") == nil)
        #expect(Hex.decode("+1") == nil)
        #expect(Digest(hex: "00") == nil)
    }

    @Test func `a reader takes what is there and no more`() throws {
        var reader = ByteReader([1, 2, 3, 4, 5])
        #expect(try reader.integer(UInt16.self) == 0x0102)
        #expect(throws: MalformedBytes.self) { try reader.take(4) }
        #expect(throws: MalformedBytes.self) { try reader.take(-1) }
        #expect(throws: MalformedBytes.self) { try reader.finish() }
        #expect(Array(reader.rest()) == [3, 4, 5])
        try reader.finish()
    }
}
