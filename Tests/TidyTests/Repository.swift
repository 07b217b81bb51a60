import Foundation
import Testing

/// What a rule found wrong: where, and what to do about it.
struct Finding: Equatable, Sendable, CustomStringConvertible {
    let path: String
    let line: Int
    let what: String

    var description: String { "\(path):\(line): \(what)" }
}

/// Fails once for each finding, so that one run shows all there is to mend.
func expectNone(_ findings: [Finding]) {
    for finding in findings { Issue.record("\(finding)") }
}

/// A file of the repository, as bytes.
struct RepositoryFile: Sendable {
    /// From the root, with `/`.
    let path: String
    let bytes: [UInt8]
    let isExecutable: Bool

    init(_ path: String, _ bytes: [UInt8], isExecutable: Bool = false) {
        self.path = path
        self.bytes = bytes
        self.isExecutable = isExecutable
    }

    init(_ path: String, _ text: String, isExecutable: Bool = false) {
        self.init(path, Array(text.utf8), isExecutable: isExecutable)
    }

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
    var isGenerated: Bool { path.hasPrefix("Sources/Wire/Generated/") }

    var lines: [Substring] {
        String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
    }

    func finding(_ line: Int, _ what: String) -> Finding {
        Finding(path: path, line: line, what: what)
    }
}

/// The repository that these tests are part of, read once.
enum Repository {
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Everything that git would track.
    static let files: [RepositoryFile] = {
        let ignored = Ignored(
            (try? String(contentsOf: root.appending(path: ".gitignore"), encoding: .utf8)) ?? "")
        return walk("", ignored).sorted { $0.path < $1.path }
    }()

    /// All Swift that somebody wrote.
    static let swift: [SwiftSource] =
        files
        .filter { $0.path.hasSuffix(".swift") && !$0.isGenerated }.map(SwiftSource.init)

    static let documents = DocumentSet(files)

    static func file(_ path: String) -> RepositoryFile? { files.first { $0.path == path } }

    /// The folders directly below `folder`.
    static func folders(below folder: String) -> [String] {
        let parts = files.map { $0.path.split(separator: "/") }
        let names = parts.filter { $0.count > 2 && $0[0] == folder }.map { String($0[1]) }
        return Set(names).sorted()
    }

    private static func walk(_ folder: String, _ ignored: Ignored) -> [RepositoryFile] {
        let manager = FileManager.default
        let url = folder.isEmpty ? root : root.appending(path: folder)
        var found: [RepositoryFile] = []
        for name in (try? manager.contentsOfDirectory(atPath: url.path)) ?? [] {
            guard !ignored.covers(name) else { continue }
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            let file = url.appending(path: name)
            guard let attributes = try? manager.attributesOfItem(atPath: file.path) else {
                continue
            }
            switch attributes[.type] as? FileAttributeType {
            case .typeDirectory:
                found += walk(path, ignored)
            case .typeRegular:
                guard let data = try? Data(contentsOf: file) else { continue }
                let permissions = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
                found.append(
                    RepositoryFile(path, Array(data), isExecutable: permissions & 0o111 != 0))
            default:
                continue
            }
        }
        return found
    }
}

/// The patterns of a `.gitignore` that has only names, with a `*` at the end of a name.
struct Ignored {
    private var names: Set<String> = [".git", ".DS_Store", ".swiftpm", ".vscode", ".idea"]
    private var prefixes: [String] = []

    init(_ text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let name = line.split(separator: "/").last.map(String.init) ?? ""
            if name.hasSuffix("*") {
                prefixes.append(String(name.dropLast()))
            } else {
                names.insert(name)
            }
        }
    }

    func covers(_ name: String) -> Bool {
        names.contains(name) || prefixes.contains { name.hasPrefix($0) }
    }
}

@Suite struct `What the rules read` {
    @Test func `the walk reaches every kind of file, and this one`() {
        let paths = Set(Repository.files.map(\.path))
        let expected = [
            ".ci/run", ".gitignore", "Benchmarks/main.swift", "Package.swift", "STYLE.md",
            "Sources/Algebra/Point.swift", "Sources/CSodium/module.modulemap",
            "Tests/TidyTests/Repository.swift", "bin/test",
        ]
        #expect(expected.filter { !paths.contains($0) } == [])
        #expect(Repository.swift.count > 100)
        #expect(Repository.file("bin/test")?.isExecutable == true)
    }

    @Test func `what git ignores is not walked`() {
        let ignored = Ignored("# builds\n.build/\n.build-*/\n__pycache__/\n")
        let names = [".build", ".build-release", "__pycache__", ".git", "build", "Sources"]
        #expect(names.map(ignored.covers) == [true, true, true, true, false, false])
        let walked = Repository.files.filter { $0.path.hasPrefix(".build") }
        #expect(walked.map(\.path) == [])
    }

    @Test func `a finding names its place`() {
        let finding = RepositoryFile("a/b.md", "").finding(3, "is wrong")
        #expect(finding.description == "a/b.md:3: is wrong")
    }
}
