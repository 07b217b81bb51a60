/// Separates a Swift file into its code, its comments and the text of its literals: three arrays as
/// long as the file, in each of which everything else is blank. Line breaks stay in all three.
///
/// A literal's quotes stay in the code, and so does what is interpolated. The text of a raw
/// identifier, as tests have them, is in none of the three.
struct Lexer {
    private enum Mode {
        case code(parentheses: Int)
        case literal(hashes: Int, isMultiline: Bool)
    }

    private enum Part {
        case code
        case comments
        case literals
    }

    private let bytes: [UInt8]
    private var at = 0
    private var modes: [Mode] = [.code(parentheses: 0)]
    private(set) var code: [UInt8]
    private(set) var comments: [UInt8]
    private(set) var literals: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        code = bytes.map { $0 == .newline ? .newline : .space }
        (comments, literals) = (code, code)
        while at < bytes.count {
            switch modes[modes.count - 1] {
            case .code(let parentheses): readCode(parentheses)
            case .literal(let hashes, let isMultiline): readLiteral(hashes, isMultiline)
            }
        }
    }

    private mutating func readCode(_ parentheses: Int) {
        if starts(with: [.slash, .slash]) {
            while at < bytes.count, bytes[at] != .newline { keep(in: .comments) }
        } else if starts(with: [.slash, .asterisk]) {
            readBlockComment()
        } else if bytes[at] == .backtick {
            at += 1
            while at < bytes.count, bytes[at] != .backtick, bytes[at] != .newline { at += 1 }
            at += 1
        } else if let (hashes, isMultiline) = opening() {
            for _ in 0..<hashes + (isMultiline ? 3 : 1) { keep(in: .code) }
            modes.append(.literal(hashes: hashes, isMultiline: isMultiline))
        } else if modes.count > 1, bytes[at] == .rightParenthesis, parentheses == 1 {
            modes.removeLast()
            at += 1
        } else {
            if bytes[at] == .leftParenthesis { count(parentheses + 1) }
            if bytes[at] == .rightParenthesis { count(parentheses - 1) }
            keep(in: .code)
        }
    }

    private mutating func readBlockComment() {
        var depth = 0
        repeat {
            if starts(with: [.slash, .asterisk]) {
                depth += 1
                keep(in: .comments)
            } else if starts(with: [.asterisk, .slash]) {
                depth -= 1
                keep(in: .comments)
            }
            keep(in: .comments)
        } while depth > 0 && at < bytes.count
    }

    private mutating func readLiteral(_ hashes: Int, _ isMultiline: Bool) {
        let hash = [UInt8](repeating: .hash, count: hashes)
        let quotes = [UInt8](repeating: .quote, count: isMultiline ? 3 : 1)
        if starts(with: quotes + hash) {
            for _ in 0..<quotes.count + hashes { keep(in: .code) }
            modes.removeLast()
        } else if starts(with: [.backslash] + hash + [.leftParenthesis]) {
            at += 2 + hashes
            modes.append(.code(parentheses: 1))
        } else if starts(with: [.backslash] + hash) {
            for _ in 0..<2 + hashes where at < bytes.count { keep(in: .literals) }
        } else if bytes[at] == .newline, !isMultiline {
            modes.removeLast()
        } else {
            keep(in: .literals)
        }
    }

    /// The hashes and the kind of the literal that begins here, if one does.
    private func opening() -> (hashes: Int, isMultiline: Bool)? {
        guard bytes[at] == .quote || bytes[at] == .hash else { return nil }
        let hashes = bytes[at...].prefix { $0 == .hash }.count
        guard at + hashes < bytes.count, bytes[at + hashes] == .quote else { return nil }
        return (hashes, bytes[(at + hashes)...].prefix(3).elementsEqual([.quote, .quote, .quote]))
    }

    private mutating func count(_ parentheses: Int) {
        modes[modes.count - 1] = .code(parentheses: parentheses)
    }

    private mutating func keep(in part: Part) {
        guard at < bytes.count else { return }
        switch part {
        case .code: code[at] = bytes[at]
        case .comments: comments[at] = bytes[at]
        case .literals: literals[at] = bytes[at]
        }
        at += 1
    }

    private func starts(with text: [UInt8]) -> Bool {
        bytes[at] == text[0] && bytes[at...].starts(with: text)
    }
}

extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let slash = UInt8(ascii: "/")
    static let asterisk = UInt8(ascii: "*")
    static let backtick = UInt8(ascii: "`")
    static let backslash = UInt8(ascii: "\\")
    static let quote = UInt8(ascii: "\"")
    static let hash = UInt8(ascii: "#")
    static let leftParenthesis = UInt8(ascii: "(")
    static let rightParenthesis = UInt8(ascii: ")")
    static let leftBrace = UInt8(ascii: "{")
    static let rightBrace = UInt8(ascii: "}")

    var isWordByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: self >= 0x80
        }
    }
}
