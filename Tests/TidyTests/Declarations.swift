/// A pair of braces and what it belongs to.
struct Block: Sendable {
    enum Kind: Sendable {
        /// A type or an extension.
        case type
        /// The outermost braces that are no type: a function, an initialiser, a computed property.
        case body
    }

    let kind: Kind
    /// Where the keyword of the declaration stands.
    let start: Int
    let open: Int
    let close: Int
}

/// A declaration of a type, or an extension of one.
struct TypeDeclaration: Sendable {
    let keyword: String
    /// With the names of the types around it: `Multiplication.Bob`.
    let name: String
    /// What is said to be conformed to, without generic arguments: `~Copyable`, `Sendable`.
    let inherited: [String]
    let block: Block

    var isExtension: Bool { keyword == "extension" }
    /// The name without the types around it.
    var ownName: String { name.split(separator: ".").last.map(String.init) ?? name }
}

extension SwiftSource {
    private static let typeKeywords: Set<String> = [
        "struct", "class", "enum", "actor", "protocol", "extension",
    ]
    private static let memberKeywords: Set<String> = [
        "func", "init", "deinit", "subscript", "var", "let",
    ]

    /// Types and bodies in the order of their closing braces. What is in a body is part of it.
    var blocks: [Block] {
        var found: [Block] = []
        var open: [(kind: Block.Kind, start: Int, at: Int, parentheses: Int)] = []
        var keyword: Word?
        var parentheses = 0
        var next = 0
        for (at, byte) in code.enumerated() {
            while next < words.count, words[next].range.lowerBound < at { next += 1 }
            switch byte {
            case .leftParenthesis: parentheses += 1
            case .rightParenthesis: parentheses -= 1
            case .leftBrace:
                let isType = keyword.map { Self.typeKeywords.contains($0.text) } ?? false
                let start = keyword?.range.lowerBound ?? at
                open.append((isType ? .type : .body, start, at, parentheses))
                (keyword, parentheses) = (nil, 0)
            case .rightBrace:
                guard let block = open.popLast() else { continue }
                if !open.contains(where: { $0.kind == .body }) {
                    found.append(
                        Block(kind: block.kind, start: block.start, open: block.at, close: at))
                }
                (keyword, parentheses) = (nil, block.parentheses)
            default:
                guard parentheses == 0, next < words.count, words[next].range.lowerBound == at,
                    self.byte(before: words[next]) != UInt8(ascii: "."),
                    Self.typeKeywords.contains(words[next].text)
                        || Self.memberKeywords.contains(words[next].text)
                else { continue }
                keyword = words[next]
            }
        }
        return found
    }

    /// The types and extensions that the file declares, outermost first.
    var types: [TypeDeclaration] {
        let blocks = blocks.filter { $0.kind == .type }.sorted { $0.start < $1.start }
        return blocks.map { block in
            let around = blocks.filter { $0.open < block.start && block.close < $0.close }
            let own = header(of: block)
            let names = around.map { header(of: $0).name } + [own.name]
            return TypeDeclaration(
                keyword: own.keyword, name: names.joined(separator: "."),
                inherited: own.inherited, block: block)
        }
    }

    private func header(
        of block: Block
    ) -> (keyword: String, name: String, inherited: [String]) {
        let words = text(block.start..<block.open).withoutGenericArguments
            .split(whereSeparator: \.isWhitespace).prefix { $0 != "where" }
        let clauses = words.joined(separator: " ").split(separator: ":", maxSplits: 1)
        let subject = clauses[0].split(separator: " ").prefix(2)
        let list = clauses.dropFirst().first ?? ""
        let inherited = list.split { $0 == "," || $0 == "&" }
            .compactMap { $0.split(separator: " ").last.map(String.init) }
        return (String(subject.first ?? ""), String(subject.last ?? ""), inherited)
    }
}

extension String {
    fileprivate var withoutGenericArguments: String {
        var depth = 0
        return filter { letter in
            if letter == "<" { depth += 1 }
            defer { if letter == ">" { depth -= 1 } }
            return depth == 0
        }
    }
}
