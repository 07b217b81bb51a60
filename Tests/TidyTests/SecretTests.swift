import Testing

/// Rules about what must not be seen, compared, stored or copied.
enum Secrets {
    static let revealing: Set<String> = [
        "Codable", "Comparable", "CustomDebugStringConvertible", "CustomReflectable",
        "CustomStringConvertible", "Decodable", "Encodable", "Equatable", "Hashable",
        "LosslessStringConvertible", "RawRepresentable", "TextOutputStreamable",
    ]

    /// Classes that hold secrets and do not say so by their name.
    static let others: Set<String> = [
        "IntentKey", "PlatformVaultKey", "ResponseKey", "SealedChannel",
    ]

    /// The types that hold secrets: those that cannot be copied, and those that are called so.
    static func types(_ sources: [SwiftSource]) -> Set<String> {
        let declared = sources.filter { $0.room != nil }.flatMap(\.types)
            .filter { !$0.isExtension }
        let secret = declared.filter { type in
            let isMoved = type.inherited.contains("~Copyable") && type.keyword != "protocol"
            return isMoved || type.ownName.contains("Secret") || others.contains(type.ownName)
        }
        return Set(secret.map(\.name))
    }

    /// Secret types that can be printed, encoded or compared.
    static func revealed(_ source: SwiftSource, _ secret: Set<String>) -> [Finding] {
        source.types.filter { secret.contains($0.name) }.flatMap { type in
            let said = type.inherited.filter { name in
                revealing.contains(name.split(separator: ".").last.map(String.init) ?? name)
            }
            let words = Array(source.words(in: type.block.open..<type.block.close))
            let shown = zip(words, words.dropFirst()).filter { first, second in
                first.text == "var" && ["description", "debugDescription"].contains(second.text)
            }.map { "var \($1.text)" }
            let compared = words.contains { word in
                word.text == "func"
                    && source.code[word.range.upperBound...].starts(with: Array(" ==".utf8))
            }
            return (said + shown + (compared ? ["=="] : [])).map {
                source.finding(
                    at: type.block.start, "\(type.name) is secret and must not have \($0)")
            }
        }
    }

    /// Structures that are called secret and can be copied.
    static func copyable(_ source: SwiftSource) -> [Finding] {
        guard source.room != nil else { return [] }
        return source.types.filter { type in
            ["struct", "enum"].contains(type.keyword) && type.ownName.contains("Secret")
                && !type.inherited.contains("~Copyable")
        }.map { source.finding(at: $0.block.start, "\($0.name) is secret and can be copied") }
    }

    /// Log lines that name what must not be logged.
    static func logged(_ source: SwiftSource) -> [Finding] {
        let levels: Set = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        let kept: Set = [
            "secret", "secrets", "seed", "body", "password", "dangerously", "mnemonic",
        ]
        return source.words.filter { levels.contains($0.text) }.flatMap { word in
            let start = word.range.lowerBound
            guard source.byte(after: word) == .leftParenthesis,
                ["log.", "ogger."].contains(where: { source.code[..<start].ends(with: $0) })
            else { return [Finding]() }
            let call = source.parenthesised(from: word.range.upperBound)
            return source.words(in: call).filter { !kept.isDisjoint(with: $0.text.nameParts) }
                .map { source.finding($0, "'\($0.text)' does not belong in a log") }
        }
    }
}

/// Names that are dangerous wherever they stand, and the only places for them.
enum Danger {
    static let places: [String: [String]] = [
        "WholeKey": [
            "Sources/Algebra/ECDSASignature.swift", "Sources/SimulatedChains/SimulatedEVM.swift",
            "Sources/SimulatedChains/Stranger.swift", "Sources/quorumkeep/Dev/DevStack.swift",
        ],
        // Each shows a secret to the person who asked for it, once.
        "dangerouslyReveal": [
            "Sources/Custody/Books+Keys.swift", "Sources/Custody/Books+Webhooks.swift",
            "Sources/Identity/APISecret.swift", "Sources/Identity/WebhookSignature.swift",
        ],
        // A share leaves its holder's store, to be sealed under the operator's passphrase.
        "dangerouslyExportSecret": [
            "Sources/Threshold/KeyGeneration/KeyShare.swift", "Sources/Holder/SealedShare.swift",
            "Sources/quorumkeep-node/ExportShare.swift",
        ],
        // A whole key, offline, when there is no other way left to move what it guards.
        "dangerouslyReconstruct": [
            "Sources/quorumkeep-recover/WholeRoot.swift",
            "Sources/quorumkeep-recover/Reconstruct.swift",
        ],
        "dangerouslyReconstructKey": ["Sources/quorumkeep-recover/Reconstruct.swift"],
        // Development: nobody is asked before a key is made.
        "dangerouslyConfirmsCeremonies": [
            "Sources/Holder/HolderCore.swift", "Sources/quorumkeep-node/Commands.swift",
        ],
    ]

    static func misplaced(_ source: SwiftSource) -> [Finding] {
        guard source.room != nil else { return [] }
        return source.words.filter { places[$0.text].map { !$0.contains(source.path) } ?? false }
            .map { source.finding($0, "\($0.text) has no place here; see Danger.places") }
    }

    static func unused(_ sources: [SwiftSource]) -> [String] {
        places.flatMap { word, paths in
            paths.filter { path in
                !sources.contains { $0.path == path && $0.words.contains { $0.text == word } }
            }.map { "\(word) in \($0)" }
        }.sorted()
    }
}

extension Collection<UInt8> {
    fileprivate func ends(with text: String) -> Bool {
        suffix(text.utf8.count).elementsEqual(text.utf8)
    }
}

@Suite struct `What is secret` {
    private static let found = Secrets.types(Repository.swift)

    @Test func `cannot be printed, encoded or compared`() {
        expectNone(Repository.swift.flatMap { Secrets.revealed($0, Self.found) })
    }

    @Test func `are found by form or by name`() {
        let expected: Set = [
            "APISecret", "EphemeralKey", "IdentityKey", "IntentKey", "KeyShare", "PlatformVaultKey",
            "ResponseKey", "SealedChannel", "SealingKey", "SecretBox", "SecretBytes",
            "SecretMatrix", "GroupSecretScalar", "SharedSecret", "Signing", "WebhookSecret",
            "WholeKey",
        ]
        #expect(expected.subtracting(Self.found) == [])
        #expect(!Self.found.contains("RandomSource") && !Self.found.contains("PublicMatrix"))
    }

    @Test(arguments: [
        "struct Share: ~Copyable, Equatable {}",
        "struct Share: ~Copyable {}\nextension Share: Swift.Codable {}",
        "final class SecretList: Sendable, CustomStringConvertible {}",
        "enum A { struct Share: ~Copyable {} }\nextension A.Share: Hashable {}",
        "struct Share: ~Copyable { static func == (a: borrowing A, b: borrowing A) -> B { c } }",
        "struct Share: ~Copyable {}\nextension Share { public var description: String { a } }",
        "final class IntentKey: Encodable {}",
    ])
    func `one that reveals itself is found`(text: String) {
        let source = SwiftSource("Sources/A/A.swift", text)
        #expect(Secrets.revealed(source, Secrets.types([source])).count == 1)
    }

    @Test func `public twins may be printed and compared`() {
        let text =
            "struct Share: ~Copyable {}\nstruct ShareID: Hashable { var description: String }"
        let source = SwiftSource("Sources/A/A.swift", text)
        #expect(Secrets.revealed(source, Secrets.types([source])) == [])
    }

    @Test func `are moved, not copied`() {
        expectNone(Repository.swift.flatMap(Secrets.copyable))
        let bad = SwiftSource("Sources/A/A.swift", "struct SharedSecret: Sendable {}")
        #expect(Secrets.copyable(bad).count == 1)
        let good = SwiftSource("Sources/A/A.swift", "final class PairSecrets {}\nstruct A {}")
        #expect(Secrets.copyable(good) == [])
    }

    @Test func `stay out of logs`() {
        expectNone(Repository.swift.flatMap(Secrets.logged))
        let bad = [
            "log.info(\"key \\(apiSecret)\")",
            "self.logger.error(\"a\", metadata: [\"a\": \"\\(body)\"])",
        ]
        for text in bad { #expect(Secrets.logged(SwiftSource("a.swift", text)).count == 1) }
        let good = "log.info(\"body of \\(count) bytes\")\nbook.info(secret)"
        #expect(Secrets.logged(SwiftSource("a.swift", good)) == [])
    }

    @Test func `dangerous names stand only where the table says, and there they do`() {
        expectNone(Repository.swift.flatMap(Danger.misplaced))
        #expect(Danger.unused(Repository.swift) == [])
    }

    @Test func `a dangerous name elsewhere is found`() {
        for word in Danger.places.keys {
            let text = "// \(word)\nlet a = \(word)(b)\n"
            #expect(
                Danger.misplaced(SwiftSource("Sources/Custody/A.swift", text)).map(\.line) == [2])
            #expect(Danger.misplaced(SwiftSource("Tests/CustodyTests/A.swift", text)) == [])
        }
        #expect(Danger.unused([]).count == Danger.places.values.joined().count)
    }
}
