import Testing

/// Rules about scripts, and about what files say of the machine that they were written on.
enum Scripts {
    static func isScript(_ file: RepositoryFile) -> Bool {
        file.path.hasPrefix("bin/") || file.path.hasPrefix(".ci/") || file.path.hasSuffix(".sh")
    }

    static func broken(_ file: RepositoryFile) -> [Finding] {
        guard isScript(file) else { return [] }
        var found: [Finding] = []
        if !file.isExecutable { found.append(file.finding(1, "is not executable: chmod +x")) }
        guard let first = file.lines.first, first.hasPrefix("#!") else {
            return found + [file.finding(1, "begins without '#!'")]
        }
        let commands = file.lines.dropFirst().filter { !$0.isEmpty && !$0.hasPrefix("#") }
        let isWrapper = commands.count == 1 && commands[0].hasPrefix("exec ")
        if first.hasSuffix("sh"), !isWrapper, commands.first != "set -euo pipefail" {
            found.append(file.finding(2, "the first command is 'set -euo pipefail'"))
        }
        return found
    }

    /// Paths of the workshop that this was written in; nobody else has them.
    static let strangePaths = ["../" + "shared", "/wo" + "rk/"]

    static func strange(_ file: RepositoryFile) -> [Finding] {
        let patterns = strangePaths.map { Array($0.utf8) }
        return file.bytes.indices.flatMap { at -> [Finding] in
            guard file.bytes[at] == .slash || file.bytes[at] == UInt8(ascii: ".") else { return [] }
            return patterns.filter { file.bytes[at...].starts(with: $0) }.map { pattern in
                let line = file.bytes[..<at].count { $0 == .newline } + 1
                return file.finding(line, "refers to \(String(decoding: pattern, as: UTF8.self))")
            }
        }
    }
}

@Suite struct `Scripts and paths` {
    @Test func `scripts run, say with what, and stop at the first fault`() {
        expectNone(Repository.files.flatMap(Scripts.broken))
        #expect(Repository.files.filter(Scripts.isScript).count > 5)
    }

    @Test(arguments: [
        ("#!/usr/bin/env bash\n# Says.\nset -euo pipefail\na\nb\n", true, 0),
        ("#!/usr/bin/env bash\nexec a\n", true, 0),
        ("#!/usr/bin/env python3\nimport a\nb()\n", true, 0),
        ("#!/usr/bin/env bash\nset -euo pipefail\na\nb\n", false, 1),
        ("set -euo pipefail\na\nb\n", true, 1),
        ("#!/usr/bin/env bash\na\nset -euo pipefail\nb\n", true, 1),
        ("#!/usr/bin/env bash\nset -e\na\nb\n", true, 1),
    ])
    func `a careless script is found`(text: String, isExecutable: Bool, count: Int) {
        let file = RepositoryFile("bin/a", text, isExecutable: isExecutable)
        #expect(Scripts.broken(file).count == count)
    }

    @Test func `nothing refers to the place where it was written`() {
        expectNone(Repository.files.flatMap(Scripts.strange))
        for path in Scripts.strangePaths {
            let file = RepositoryFile("docs/a.md", "# A\nsee `\(path)x`\n")
            #expect(Scripts.strange(file).map(\.line) == [2])
        }
    }
}
