/// A Markdown file, line by line; what stands in a code block is told apart.
struct Document: Sendable {
    struct Line: Sendable {
        let number: Int
        let text: Substring
        let isCode: Bool
    }

    let path: String
    let lines: [Line]

    init(_ file: RepositoryFile) {
        path = file.path
        var isCode = false
        var lines: [Line] = []
        for (at, text) in file.lines.enumerated() {
            let isFence = text.drop { $0 == " " }.hasPrefix("```")
            lines.append(Line(number: at + 1, text: text, isCode: isCode || isFence))
            if isFence { isCode.toggle() }
        }
        if lines.last?.text.isEmpty == true { lines.removeLast() }
        self.lines = lines
    }

    init(_ path: String, _ text: String) { self.init(RepositoryFile(path, text)) }

    var prose: [Line] { lines.filter { !$0.isCode } }

    func finding(_ line: Line, _ what: String) -> Finding {
        Finding(path: path, line: line.number, what: what)
    }

    func finding(_ line: Int, _ what: String) -> Finding {
        Finding(path: path, line: line, what: what)
    }

    /// Headings of one level: `level` hashes and a space.
    func headings(_ level: Int) -> [Line] {
        prose.filter {
            $0.text.prefix { $0 == "#" }.count == level && $0.text.dropFirst(level).first == " "
        }
    }

    /// What links and pictures point to, with the line that they stand in.
    var links: [(line: Line, target: String)] {
        prose.flatMap { line in
            let parts = Self.split(line.text)
            let plain = parts.enumerated().filter { $0.offset.isMultiple(of: 2) }
                .map { String($0.element) }.joined(separator: " ")
            var targets = plain.split(separator: "](", omittingEmptySubsequences: false).dropFirst()
                .map { String($0.prefix { $0 != ")" && $0 != " " }) }
            let defined = plain.split(separator: "]: ", maxSplits: 1)
            if line.text.hasPrefix("["), defined.count == 2 {
                targets.append(String(defined[1].prefix { $0 != " " }))
            }
            return targets.map { (line, $0) }
        }
    }

    /// What stands between backticks.
    var quoted: [(line: Line, text: String)] {
        prose.flatMap { line in
            Self.split(line.text).enumerated().filter { !$0.offset.isMultiple(of: 2) }
                .map { (line, String($0.element)) }
        }
    }

    private static func split(_ text: Substring) -> [Substring] {
        text.split(separator: "`", omittingEmptySubsequences: false)
    }

    /// The names by which headings can be linked to, as code hosts make them.
    var anchors: Set<String> {
        var seen: [String: Int] = [:]
        let headings = prose.filter { $0.text.hasPrefix("#") }
        return Set(
            headings.map { line in
                let title = line.text.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
                let name = String(
                    title.filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
                        .map { $0 == " " ? "-" : $0 })
                defer { seen[name, default: 0] += 1 }
                return seen[name].map { "\(name)-\($0)" } ?? name
            })
    }
}

/// All Markdown, and every path that it may name.
struct DocumentSet: Sendable {
    let paths: Set<String>
    let documents: [String: Document]

    init(_ files: [RepositoryFile]) {
        var paths: Set<String> = []
        for file in files {
            var path = ""
            for part in file.path.split(separator: "/") {
                path = path.isEmpty ? String(part) : "\(path)/\(part)"
                paths.insert(path)
            }
        }
        self.paths = paths
        let markdown = files.filter { $0.path.hasSuffix(".md") }.map(Document.init)
        documents = Dictionary(uniqueKeysWithValues: markdown.map { ($0.path, $0) })
    }

    /// Relative links to files or headings that are not there.
    func deadLinks(_ document: Document) -> [Finding] {
        document.links.compactMap { line, target in
            if target.contains("://") || target.hasPrefix("mailto:") { return nil }
            let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let path = resolve(String(parts.first ?? ""), from: document.path)
            guard let path, paths.contains(path) else {
                return document.finding(line, "dead link to \(target)")
            }
            guard parts.count > 1, let linked = documents[path] else { return nil }
            return linked.anchors.contains(String(parts[1]))
                ? nil : document.finding(line, "no heading for \(target)")
        }
    }

    /// The path from the root; nil above it.
    private func resolve(_ target: String, from path: String) -> String? {
        guard !target.isEmpty else { return path }
        var parts = path.split(separator: "/").dropLast()
        for part in target.split(separator: "/") where part != "." {
            if part == ".." {
                guard parts.popLast() != nil else { return nil }
            } else {
                parts.append(part)
            }
        }
        return target.hasPrefix("/") ? nil : parts.joined(separator: "/")
    }

    /// Paths of ours, named in a text, that are not there: `docs/…`, `Sources/…`.
    func missing(in text: String) -> [String] {
        let folders = [
            "docs/", "Sources/", "Tests/", "Vectors/", "bin/", "Protos/", "Benchmarks/",
            "examples/",
        ]
        let words = text.split { !($0.isLetter || $0.isNumber || "/._+-*<>{}$".contains($0)) }
        return words.compactMap { word in
            let path = String(word.reversed().drop { "./".contains($0) }.reversed())
            let isPattern = path.contains { "*<>{}$".contains($0) }
            guard folders.contains(where: path.hasPrefix), !isPattern else { return nil }
            return paths.contains(path) ? nil : path
        }
    }
}
