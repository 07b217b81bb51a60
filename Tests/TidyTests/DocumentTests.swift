import Testing

/// Rules about documents.
enum Documents {
    static func titles(_ document: Document) -> [Finding] {
        let titles = document.headings(1)
        guard titles.count == 1, titles[0].number == 1 else {
            return [
                document.finding(1, "a document begins with its one title; \(titles.count) found")
            ]
        }
        return []
    }

    static func tooLong(_ document: Document, most: Int) -> [Finding] {
        guard document.lines.count > most else { return [] }
        return [document.finding(most, "\(document.lines.count) lines, the limit is \(most)")]
    }

    /// The first screen must lead on to these.
    static let doors = [
        "ARCHITECTURE.md", "docs/api/README.md", "docs/operations.md", "SECURITY.md",
    ]

    static func readme(_ document: Document) -> [Finding] {
        let seen = document.links.filter { $0.line.number <= 40 }.map(\.target)
        let first = document.lines.dropFirst().first { !$0.text.isEmpty }
        let isBadge = first.map { $0.text.hasPrefix("[![") || $0.text.hasPrefix("![") } ?? true
        return doors.filter { !seen.contains($0) }
            .map { document.finding(1, "no link to \($0) within the first 40 lines") }
            + (isBadge ? [document.finding(2, "begin with a sentence")] : [])
    }

    /// Keep a Changelog, with a paragraph on compatibility in each release.
    static func changelog(_ document: Document) -> [Finding] {
        let kinds: Set = [
            "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Compatibility",
        ]
        var found: [Finding] = []
        if document.lines.first?.text != "# Changelog" {
            found.append(document.finding(1, "the title is '# Changelog'"))
        }
        let releases = document.headings(2)
        if releases.isEmpty { found.append(document.finding(1, "no release")) }
        let sections = document.headings(3)
        for (at, release) in releases.enumerated() {
            if !isRelease(release.text) {
                found.append(
                    document.finding(release, "'## [Unreleased]' or '## [1.2.3] - 2026-01-31'"))
            }
            let end = at + 1 < releases.count ? releases[at + 1].number : Int.max
            let own = sections.filter { $0.number > release.number && $0.number < end }
            let isOut = release.text != "## [Unreleased]"
            if isOut, !own.contains(where: { $0.text == "### Compatibility" }) {
                found.append(document.finding(release, "no section '### Compatibility'"))
            }
        }
        return found
            + sections.filter { !kinds.contains(String($0.text.dropFirst(4))) }
            .map { document.finding($0, "a section is one of \(kinds.sorted())") }
    }

    private static func isRelease(_ text: Substring) -> Bool {
        if text == "## [Unreleased]" { return true }
        let parts = text.dropFirst(3).split(separator: " ")
        guard parts.count == 3, parts[0].hasPrefix("["), parts[0].hasSuffix("]"), parts[1] == "-"
        else { return false }
        let version = parts[0].dropFirst().dropLast().split(separator: ".").map { Int($0) }
        let date = parts[2].split(separator: "-").map(\.count)
        return version.count == 3 && !version.contains(nil) && date == [4, 2, 2]
    }
}

@Suite struct `Documents of the house` {
    private let set = Repository.documents
    private func document(_ path: String) throws -> Document {
        try #require(Repository.documents.documents[path], "\(path) is missing")
    }

    @Test func `links lead somewhere`() {
        expectNone(set.documents.values.flatMap(set.deadLinks))
    }

    @Test func `dead links are found, in any form`() {
        let text = """
            # A b, C
            [a](b.md) [b](../README.md "t") [c](#a-b-c) ![d](https://x.y/z) [up](..) `[e](f.md)`
            [x](c.md) and [y](../../x.md)
            [z](#nowhere) [w](b.md#b)
            [v](b.md#c)

            [ref]: d.md
            ```
            [code](e.md)
            ```
            """
        let files = [("docs/a.md", text), ("docs/b.md", "# B"), ("README.md", "")]
            .map { RepositoryFile($0, $1) }
        let found = DocumentSet(files).deadLinks(Document(files[0]))
        #expect(found.map(\.line) == [2, 3, 3, 4, 5, 7])
    }

    @Test func `files that documents name are there`() {
        expectNone(
            set.documents.values.filter { $0.path != "CHANGELOG.md" }.flatMap { document in
                document.quoted.flatMap { line, text in
                    set.missing(in: text).map { document.finding(line, "there is no \($0)") }
                }
            })
    }

    @Test func `files that comments name are there`() {
        expectNone(
            Repository.swift.flatMap { source in
                String(decoding: source.comments, as: UTF8.self)
                    .split(separator: "\n", omittingEmptySubsequences: false).enumerated()
                    .flatMap { at, line in
                        set.missing(in: String(line)).map {
                            Finding(path: source.path, line: at + 1, what: "there is no \($0)")
                        }
                    }
            })
        let named =
            "See `docs/operations.md`, (bin/nothing), Tests/TidyTests/, Sources/*/README.md."
        let files = ["docs/operations.md", "Tests/TidyTests/A.swift"].map { RepositoryFile($0, "") }
        #expect(DocumentSet(files).missing(in: named) == ["bin/nothing"])
    }

    @Test func `each has one title, and begins with it`() {
        expectNone(set.documents.values.flatMap(Documents.titles))
        for text in ["", "A\n# B\n", "# A\n# B\n", "## A\n"] {
            #expect(Documents.titles(Document("a.md", text)).count == 1)
        }
        #expect(Documents.titles(Document("a.md", "# A\n```\n# B\n```\n")) == [])
    }

    @Test func `each room explains itself within thirty lines`() throws {
        for room in Rooms.all.keys.sorted() {
            guard let readme = set.documents["Sources/\(room)/README.md"] else {
                Issue.record("Sources/\(room)/README.md is missing")
                continue
            }
            expectNone(Documents.tooLong(readme, most: 30))
        }
        let long = Document("a.md", "# A\n" + String(repeating: "\n", count: 30) + "b\n")
        #expect(Documents.tooLong(long, most: 30).count == 1)
        #expect(Documents.tooLong(long, most: 32) == [])
    }

    @Test func `the guide and the architecture stay short`() throws {
        expectNone(Documents.tooLong(try document("ARCHITECTURE.md"), most: 250))
        expectNone(Documents.tooLong(try document("STYLE.md"), most: 150))
    }

    @Test func `the first screen leads to the other documents`() throws {
        expectNone(Documents.readme(try document("README.md")))
        let links = Documents.doors.map { "[a](\($0))" }.joined(separator: " ")
        #expect(Documents.readme(Document("README.md", "# A\n\nSays.\n\(links)\n")) == [])
        let late = "# A\n\nSays.\n" + String(repeating: "\n", count: 40) + links
        #expect(Documents.readme(Document("README.md", late)).count == 4)
        #expect(
            Documents.readme(Document("README.md", "# A\n\n![logo](a.png)\n\(links)\n")).count == 1)
    }

    @Test func `the changelog keeps its shape`() throws {
        expectNone(Documents.changelog(try document("CHANGELOG.md")))
        let good = "# Changelog\n\n## [Unreleased]\n### Added\n## [0.1.0] - 2026-01-31\n"
        #expect(
            Documents.changelog(Document("a.md", good + "### Added\n### Compatibility\n")) == [])
        #expect(Documents.changelog(Document("a.md", good)).map(\.line) == [5])
        let bad = "# Changes\n## 0.1\n### Compatibility\n### News\n"
        #expect(Documents.changelog(Document("a.md", bad)).map(\.line) == [1, 2, 4])
        #expect(Documents.changelog(Document("a.md", "# Changelog\n")).count == 1)
    }
}
