import Testing

@Suite struct `Taking Swift apart` {
    private func parts(_ text: String) -> (code: String, comments: String, literals: String) {
        let lexer = Lexer(Array(text.utf8))
        func squeezed(_ bytes: [UInt8]) -> String {
            String(decoding: bytes, as: UTF8.self).split(separator: " ").joined(separator: " ")
        }
        return (squeezed(lexer.code), squeezed(lexer.comments), squeezed(lexer.literals))
    }

    @Test(arguments: [
        ("a // b \"c\"", "a", "// b \"c\"", ""),
        ("a /* b /* c */ d */ e", "a e", "/* b /* c */ d */", ""),
        ("a(\"b // \\\" c\") // d", "a(\" \")", "// d", "b // \\\" c"),
        ("\"a \\(b(\"c\") + d) e\"", "\" b(\" \") + d \"", "", "a c e"),
        ("#\"a \" \\(b) \\#(c)\"# d", "#\" c \"# d", "", "a \" \\(b)"),
        (
            "\"\"\"\na \" b \\\"\"\" c\n\"\"\" d", "\"\"\"\n \n\"\"\" d", "",
            "\n a \" b \\\"\"\" c\n"
        ),
        ("@Test func `a } sentence`() {}", "@Test func () {}", "", ""),
        ("a = \"\" + b", "a = \"\" + b", "", ""),
        ("\"ends\na", "\"\n a", "", "ends\n"),
    ])
    func `every byte is code, comment, literal or the text of a name`(
        text: String, code: String, comments: String, literals: String
    ) {
        let found = parts(text)
        func flat(_ text: String) -> String {
            text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        #expect(flat(found.code) == flat(code))
        #expect(flat(found.comments) == flat(comments))
        #expect(flat(found.literals) == flat(literals))
    }

    @Test func `all parts have the length and the lines of the file`() {
        for source in Repository.swift {
            #expect(source.code.count == source.bytes.count)
            #expect(source.code.count { $0 == .newline } == source.lineStarts.count - 1)
        }
        let source = SwiftSource("a.swift", "a\n\"\"\"\nb\n\"\"\"\n/*\n*/ c")
        #expect(source.words.map { source.line(at: $0.range.lowerBound) } == [1, 6])
    }

    @Test func `every brace of our own code has its other half`() {
        for source in Repository.swift {
            let open = source.code.count { $0 == .leftBrace }
            let close = source.code.count { $0 == .rightBrace }
            #expect(open == close, "\(source.path)")
        }
    }

    @Test func `types are found with their names and what they conform to`() {
        let source = SwiftSource(
            "a.swift",
            """
            public struct Box<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
                let a: Int
                private enum State: ~Copyable { case open, closed }
                func f<A: Hashable>(_ a: A) where A: Codable { struct Local: Codable {} }
            }
            extension Box.State: Module.Codable & Equatable where Value: Hashable {}
            final class Plain {}
            """)
        let types = source.types
        #expect(types.map(\.name) == ["Box", "Box.State", "Box.State", "Plain"])
        #expect(types[0].inherited == ["~Copyable", "Sendable"])
        #expect(types[1].inherited == ["~Copyable"])
        #expect(types[2].inherited == ["Module.Codable", "Equatable"])
        #expect(types.map(\.isExtension) == [false, false, true, false])
        #expect(types[3].inherited == [])
    }

    @Test(arguments: [
        ("apiKeyID", ["api", "key", "id"]), ("APISecret", ["api", "secret"]),
        ("secp256k1_ec_pubkey", ["secp256k1", "ec", "pubkey"]),
        ("PreSignature2", ["pre", "signature2"]),
        ("Keccak256", ["keccak256"]), ("_state", ["state"]), ("x", ["x"]),
    ])
    func `a name falls into its words`(name: String, parts: [String]) {
        #expect(name.nameParts == parts)
    }
}
