import Testing

/// Declarations that nothing ever speaks of.
enum DeadNames {
    private static let keywords: Set<String> = [
        "func", "var", "let", "struct", "enum", "class", "actor", "protocol", "typealias",
    ]

    /// Names that somebody outside of our Swift asks for: where the reason is.
    static let asked: [String: String] = [
        "InboundIn": "NIO's ChannelHandler",
        "InboundOut": "NIO's ChannelHandler",
        "OutboundIn": "NIO's ChannelHandler",
        "OutboundOut": "NIO's ChannelHandler",
        "channelActive": "NIO's ChannelHandler",
        "channelInactive": "NIO's ChannelHandler",
        "channelReadComplete": "NIO's ChannelHandler",
        "channelRead": "NIO's ChannelHandler",
        "databaseDidChange": "GRDB's TransactionObserver",
        "databaseDidCommit": "GRDB's TransactionObserver",
        "databaseDidRollback": "GRDB's TransactionObserver",
        "databaseWillCommit": "GRDB's TransactionObserver",
        "errorCaught": "NIO's ChannelHandler",
        "handlerAdded": "NIO's ChannelHandler",
        "handlerRemoved": "NIO's ChannelHandler",
        "jsonrpc": "JSON-RPC 2.0: a member that is encoded",
        "maxUploadSize": "Hummingbird's RequestContext",
        "observes": "GRDB's TransactionObserver",
        "package": "Package.swift",
        "userInboundEventTriggered": "NIO's ChannelHandler",
    ]

    /// The declarations whose name stands in all sources once: where it is declared.
    static func of(_ sources: [SwiftSource]) -> [Finding] {
        var counts: [String: Int] = [:]
        for source in sources {
            for word in source.words { counts[word.text, default: 0] += 1 }
        }
        return sources.flatMap { source in
            zip(source.words, source.words.dropFirst()).compactMap { keyword, word in
                let gap = source.code[keyword.range.upperBound..<word.range.lowerBound]
                guard keywords.contains(keyword.text), counts[word.text] == 1, word.text != "_",
                    gap.allSatisfy({ $0 == .space }), asked[word.text] == nil,
                    !isMain(source, keyword)
                else { return nil }
                return source.finding(word, "\(word.text) is declared, and never used")
            }
        }
    }

    /// Whether `@main` stands before the declaration.
    private static func isMain(_ source: SwiftSource, _ keyword: SwiftSource.Word) -> Bool {
        let before = source.code[..<keyword.range.lowerBound]
        guard let at = before.lastIndex(where: { $0 > .space }) else { return false }
        return before[...at].suffix(5).elementsEqual("@main".utf8)
    }
}

@Suite struct `Dead names` {
    @Test func `everything that is declared is used`() {
        expectNone(DeadNames.of(Repository.swift))
    }

    @Test func `a name that stands only where it is declared is found`() {
        let first = SwiftSource(
            "Sources/A/A.swift",
            """
            @main
            struct Program { let a = 1 }
            // unused, alone, forgotten
            func unused(a: Int) -> Int { "\\(a) alone" == "" ? used : a }
            typealias Alone = Int
            let maxUploadSize = 1
            """)
        let second = SwiftSource("Sources/A/B.swift", "var used = 1\nlet forgotten: Int\n")
        #expect(
            DeadNames.of([first, second]).map { $0.what.prefix { $0 != " " } }
                == ["unused", "Alone", "forgotten"])
    }
}
