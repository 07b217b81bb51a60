import Testing

/// Limits of what one reads at once.
enum Sizes {
    static let fileLines = 600
    static let bodyLines = 70
    static let columns = 100
    static let blobBytes = 1 << 20

    static func longFiles(_ file: RepositoryFile) -> [Finding] {
        let isSource = ["swift", "py", "sh", "proto"].contains { file.path.hasSuffix(".\($0)") }
        guard isSource, !file.isGenerated else { return [] }
        let lines = file.bytes.count { $0 == .newline }
        guard lines > fileLines else { return [] }
        return [file.finding(lines, "file of \(lines) lines, the limit is \(fileLines)")]
    }

    static func longBodies(_ source: SwiftSource) -> [Finding] {
        source.blocks.filter { $0.kind == .body }.compactMap { block in
            let lines = source.line(at: block.close) - source.line(at: block.start) + 1
            guard lines > bodyLines else { return nil }
            return source.finding(
                at: block.start, "function of \(lines) lines, the limit is \(bodyLines)")
        }
    }

    static func longLines(_ source: SwiftSource) -> [Finding] {
        source.lineStarts.indices.compactMap { index in
            let start = source.lineStarts[index]
            let isLast = index + 1 == source.lineStarts.count
            let end = isLast ? source.bytes.count : source.lineStarts[index + 1] - 1
            // A character's first byte is none of 10xxxxxx.
            let width = source.bytes[start..<end].count { $0 & 0xc0 != 0x80 }
            guard width > columns, !(source.isTest && isOneLiteral(source, start..<end)) else {
                return nil
            }
            return source.finding(at: start, "line of \(width) columns, the limit is \(columns)")
        }
    }

    /// Whether a line has nothing but one literal and what holds it: tests quote what others wrote.
    private static func isOneLiteral(_ source: SwiftSource, _ line: Range<Int>) -> Bool {
        let isPlain = source.code[line].allSatisfy { !$0.isWordByte }
        return isPlain && source.literals[line].contains { $0 > .space }
    }

    /// Large files; published vectors may be large.
    static func blobs(_ file: RepositoryFile) -> [Finding] {
        guard file.bytes.count > blobBytes, !file.path.hasPrefix("Vectors/"),
            file.path != "Package.resolved"
        else { return [] }
        return [file.finding(1, "file of \(file.bytes.count) bytes, the limit is \(blobBytes)")]
    }
}

@Suite struct `Limits of size` {
    @Test func `a file has at most 600 lines`() {
        expectNone(Repository.files.flatMap(Sizes.longFiles))
        let long = String(repeating: "\n", count: 601)
        #expect(Sizes.longFiles(RepositoryFile("Sources/A/A.swift", long)).count == 1)
        #expect(Sizes.longFiles(RepositoryFile("Sources/A/A.swift", "\(long.dropLast())")) == [])
        #expect(Sizes.longFiles(RepositoryFile("Sources/Wire/Generated/a.swift", long)) == [])
    }

    @Test func `a function has at most 70 lines`() {
        expectNone(Repository.swift.flatMap(Sizes.longBodies))
    }

    @Test(arguments: [
        "func f() {", "init(_ a: Int = { 3 }()) where T: P {", "var a: Int {",
        "static func f() -> some P {", "subscript(a: Int) -> Int {", "deinit {",
    ])
    func `a body of 71 lines is found, and one of 70 is not`(head: String) {
        func source(_ lines: Int) -> SwiftSource {
            let inside = String(repeating: "    if a { b(\"}\") }  // }\n", count: lines - 2)
            let text = "struct S: P {\n    let c = 1\n    \(head)\n\(inside)    }\n}\n"
            return SwiftSource("Sources/A/A.swift", text)
        }
        #expect(Sizes.longBodies(source(70)) == [])
        #expect(Sizes.longBodies(source(71)).map(\.line) == [3])
    }

    @Test func `a type may be longer than a function`() {
        let text = "extension A {\n" + String(repeating: "    func f() {}\n", count: 90) + "}\n"
        #expect(Sizes.longBodies(SwiftSource("Sources/A/A.swift", text)) == [])
    }

    @Test func `a line of Swift has at most 100 columns`() {
        expectNone(Repository.swift.flatMap(Sizes.longLines))
        let wide = String(repeating: "é", count: 100)
        #expect(Sizes.longLines(SwiftSource("a.swift", "\n\(wide)\n")) == [])
        let found = Sizes.longLines(SwiftSource("a.swift", "\n\(wide)é\n\(wide)é"))
        #expect(found.map(\.line) == [2, 3])
        let quoted = "    + \"\(wide)\",\nlet a = \"\(wide)\"\n"
        #expect(Sizes.longLines(SwiftSource("Tests/A/a.swift", quoted)).map(\.line) == [2])
        #expect(Sizes.longLines(SwiftSource("Sources/A/a.swift", quoted)).map(\.line) == [1, 2])
    }

    @Test func `no file is larger than a mebibyte, published vectors aside`() {
        expectNone(Repository.files.flatMap(Sizes.blobs))
        let bytes = [UInt8](repeating: 0, count: Sizes.blobBytes + 1)
        #expect(Sizes.blobs(RepositoryFile("docs/picture.png", bytes)).count == 1)
        #expect(Sizes.blobs(RepositoryFile("Vectors/large.json", bytes)) == [])
    }
}
