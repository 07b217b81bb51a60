/// Rules that look at more than a word.
enum Shapes {
    /// `value!`, but for what cannot be nil by its form: the address of a buffer that has bytes,
    /// and a value made of one literal.
    static func forcedUnwraps(_ source: SwiftSource) -> [Finding] {
        guard source.room != nil else { return [] }
        let code = source.code
        let excused = Set(
            source.words.filter { ["baseAddress", "try", "as"].contains($0.text) }
                .map(\.range.upperBound))
        return code.indices.dropFirst().compactMap { at in
            let before = code[at - 1]
            let isPostfix =
                before.isWordByte || before == .rightParenthesis || before == UInt8(ascii: "]")
            guard code[at] == UInt8(ascii: "!"), isPostfix, !excused.contains(at),
                at + 1 == code.count || code[at + 1] != UInt8(ascii: "="),
                !(before == .rightParenthesis && at > 1 && code[at - 2] == .quote)
            else { return nil }
            return source.finding(at: at, "a forced unwrap: guard it, or make nil impossible")
        }
    }

    static func unexplainedPreconditions(_ source: SwiftSource) -> [Finding] {
        let words = source.words.filter {
            ["precondition", "preconditionFailure"].contains($0.text)
                && source.byte(after: $0) == .leftParenthesis
        }
        return words.compactMap { word in
            let call = source.parenthesised(from: word.range.upperBound)
            guard source.room != nil, !source.code[call].contains(.quote) else { return nil }
            return source.finding(word, "a precondition gives its reason")
        }
    }

    /// `catch {}` without a word on why that is right.
    static func swallowedErrors(_ source: SwiftSource) -> [Finding] {
        source.words.filter { $0.text == "catch" }.compactMap { word in
            guard !source.isTest,
                let open = source.code[word.range.upperBound...].firstIndex(of: .leftBrace),
                let close = source.code[(open + 1)...].firstIndex(where: { $0 > .space }),
                source.code[close] == .rightBrace,
                source.comments[open..<close].allSatisfy({ $0 <= .space })
            else { return nil }
            return source.finding(word, "an error is swallowed without a reason")
        }
    }

    /// Promises to the compiler, each of which needs a comment beside or above it.
    static func unexplainedPromises(_ source: SwiftSource) -> [Finding] {
        source.words.filter { ["unchecked", "unsafe"].contains($0.text) }.compactMap { word in
            let before = source.byte(before: word)
            let line = source.line(at: word.range.lowerBound)
            let start = source.lineStarts[max(0, line - 2)]
            let end = line < source.lineStarts.count ? source.lineStarts[line] : source.code.count
            guard source.room != nil,
                before == UInt8(ascii: "@")
                    || before == .leftParenthesis && source.byte(after: word) == .rightParenthesis,
                source.comments[start..<end].allSatisfy({ $0 <= .space })
            else { return nil }
            return source.finding(word, "say why this is safe, beside it or in the line above")
        }
    }

    /// One instance that everybody reaches.
    static func singletons(_ source: SwiftSource) -> [Finding] {
        let names: Set = ["shared", "current", "instance", "global"]
        return source.words.indices.dropFirst(2).compactMap { at in
            let (word, before) = (source.words[at], source.words[at - 2...at - 1].map(\.text))
            guard source.room != nil, names.contains(word.text),
                before == ["static", "let"] || before == ["static", "var"]
            else { return nil }
            return source.finding(word, "no singletons: what a thing needs is handed to it")
        }
    }

    /// `threshold + 1` counts corruptions; ours counts signers.
    static func shiftedThresholds(_ source: SwiftSource) -> [Finding] {
        source.words.filter { $0.text == "threshold" }.compactMap { word in
            let after = source.code[word.range.upperBound...].filter { $0 != .space }.prefix(2)
            guard after.elementsEqual("+1".utf8) else { return nil }
            return source.finding(word, "the threshold is how many must sign")
        }
    }

    /// A type that bears its module's name: nothing of that module can then be qualified.
    static func typesNamedAsTheirRoom(_ source: SwiftSource) -> [Finding] {
        source.types.filter { !$0.isExtension && $0.name == source.room }
            .map { source.finding(at: $0.block.start, "\($0.name) bears its module's name") }
    }

    /// `Ledger+Fees.swift` extends `Ledger`.
    static func strayCapabilities(_ source: SwiftSource) -> [Finding] {
        guard let plus = source.stem.firstIndex(of: "+") else { return [] }
        let base = String(source.stem[..<plus])
        guard !source.types.contains(where: { $0.isExtension && $0.ownName == base }) else {
            return []
        }
        return [source.finding(at: 0, "the file is named for an extension of \(base)")]
    }

    /// SQL outside of the rooms that have a database.
    static func straySQL(_ source: SwiftSource) -> [Finding] {
        guard let room = source.room, !["Storage", "HolderStorage"].contains(room) else {
            return []
        }
        let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"]
        let objects: Set = ["FROM", "INTO", "SET", "TABLE", "INDEX"]
        let said = SwiftSource.words(of: source.literals)
        return said.indices.compactMap { at in
            guard verbs.contains(said[at].text),
                said[at...].prefix(30).contains(where: { objects.contains($0.text) })
            else { return nil }
            return source.finding(said[at], "SQL belongs to Storage and HolderStorage")
        }
    }

    /// Generated names, which only Wire gives readable ones.
    static func generatedNames(_ source: SwiftSource) -> [Finding] {
        guard let room = source.room, room != "Wire" else { return [] }
        return source.words.filter { $0.text.hasPrefix("Quorumkeep_") }
            .map { source.finding($0, "\($0.text): use the name that RelayWire gives it") }
    }
}
