/// A Swift file, taken apart as far as the rules need it.
struct SwiftSource: Sendable {
    /// An identifier, a keyword or a number of the code.
    struct Word: Sendable {
        let text: String
        let range: Range<Int>
    }

    let path: String
    let bytes: [UInt8]
    /// The file with comments and the text of literals blank.
    let code: [UInt8]
    /// The file with everything but comments blank.
    let comments: [UInt8]
    /// The file with everything but the text of literals blank.
    let literals: [UInt8]
    let words: [Word]
    let lineStarts: [Int]

    init(_ file: RepositoryFile) {
        let parts = Lexer(file.bytes)
        path = file.path
        bytes = file.bytes
        (code, comments, literals) = (parts.code, parts.comments, parts.literals)
        words = Self.words(of: parts.code)
        lineStarts = [0] + bytes.indices.filter { file.bytes[$0] == .newline }.map { $0 + 1 }
    }

    init(_ path: String, _ text: String) { self.init(RepositoryFile(path, text)) }

    /// `Custody` of `Sources/Custody/Ledger.swift`; nil outside `Sources`.
    var room: String? { path.hasPrefix("Sources/") ? folder(1) : nil }
    var isTest: Bool { path.hasPrefix("Tests/") }
    /// `CustodyTests` of `Tests/CustodyTests/CallTests.swift`; nil outside `Tests`.
    var suite: String? { isTest ? folder(1) : nil }
    /// `Ledger` of `Sources/Custody/Ledger.swift`.
    var stem: String { String((path.split(separator: "/").last ?? "").prefix { $0 != "." }) }

    private func folder(_ depth: Int) -> String? {
        let parts = path.split(separator: "/")
        return parts.count > depth + 1 ? String(parts[depth]) : nil
    }

    func line(at offset: Int) -> Int {
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low + 1
    }

    func finding(at offset: Int, _ what: String) -> Finding {
        Finding(path: path, line: line(at: offset), what: what)
    }

    func finding(_ word: Word, _ what: String) -> Finding {
        finding(at: word.range.lowerBound, what)
    }

    /// The byte of code right before the word.
    func byte(before word: Word) -> UInt8? {
        word.range.lowerBound > 0 ? code[word.range.lowerBound - 1] : nil
    }

    /// The byte of code right after the word.
    func byte(after word: Word) -> UInt8? {
        word.range.upperBound < code.count ? code[word.range.upperBound] : nil
    }

    /// The text of the code in `range`.
    func text(_ range: Range<Int>) -> String { String(decoding: code[range], as: UTF8.self) }

    /// The words in `range`.
    func words(in range: Range<Int>) -> ArraySlice<Word> {
        let first = index(ofWordAt: range.lowerBound)
        return words[first..<max(first, index(ofWordAt: range.upperBound))]
    }

    /// The place among the words of the first one that begins at `offset` or later.
    private func index(ofWordAt offset: Int) -> Int {
        var (low, high) = (0, words.count)
        while low < high {
            let middle = (low + high) / 2
            if words[middle].range.lowerBound < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// From the parenthesis at `offset` to the one that closes it, both included.
    func parenthesised(from offset: Int) -> Range<Int> {
        var depth = 0
        for at in offset..<code.count {
            if code[at] == .leftParenthesis { depth += 1 }
            if code[at] == .rightParenthesis { depth -= 1 }
            if depth == 0 { return offset..<at + 1 }
        }
        return offset..<code.count
    }

    static func words(of code: [UInt8]) -> [Word] {
        var words: [Word] = []
        var start: Int?
        for (at, byte) in code.enumerated() {
            if byte.isWordByte {
                start = start ?? at
            } else if let from = start {
                words.append(
                    Word(text: String(decoding: code[from..<at], as: UTF8.self), range: from..<at))
                start = nil
            }
        }
        if let start {
            let text = String(decoding: code[start...], as: UTF8.self)
            words.append(Word(text: text, range: start..<code.count))
        }
        return words
    }
}

extension String {
    /// The lower-case words that a name is made of: `apiKey`, `API_KEY` and `APIKey` give the same.
    var nameParts: [String] {
        var parts: [String] = []
        var part = ""
        let letters = Array(self)
        for (at, letter) in letters.enumerated() {
            let follows = at + 1 < letters.count && letters[at + 1].isLowercase
            let isHead =
                letter.isUppercase && at > 0
                && (letters[at - 1].isLowercase || letters[at - 1].isNumber || follows)
            if (isHead || letter == "_"), !part.isEmpty {
                parts.append(part.lowercased())
                part = ""
            }
            if letter != "_" { part.append(letter) }
        }
        return part.isEmpty ? parts : parts + [part.lowercased()]
    }
}
