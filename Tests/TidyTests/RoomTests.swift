import Testing

/// Rules about who may import whom.
enum Imports {
    struct Line {
        let module: String
        let word: SwiftSource.Word
    }

    /// The modules that a file imports.
    static func of(_ source: SwiftSource) -> [Line] {
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        return source.words.indices.compactMap { at in
            let word = source.words[at]
            guard word.text == "import", at + 1 < source.words.count else { return nil }
            let next = source.words[at + 1]
            let isKind = kinds.contains(next.text) && at + 2 < source.words.count
            return Line(module: isKind ? source.words[at + 2].text : next.text, word: word)
        }
    }

    /// Imports of a room that its row does not allow.
    static func forbidden(_ source: SwiftSource) -> [Finding] {
        guard let name = source.room else { return [] }
        guard let room = Rooms.all[name] else {
            return [source.finding(at: 0, "the room \(name) has no row in Rooms.swift")]
        }
        return of(source).compactMap { line in
            let isNeeded =
                line.module == "Foundation"
                && room.foundationOnlyIn.contains { source.path == "Sources/\($0)" }
            if isNeeded || room.rooms.union(room.outside).contains(line.module) { return nil }
            return source.finding(line.word, "\(name) may not import \(line.module)")
        }
    }

    /// What rows allow and no file of the room imports any more.
    static func unused(_ sources: [SwiftSource], _ rooms: [String: Room]) -> [String] {
        rooms.flatMap { name, room in
            let files = sources.filter { $0.room == name }
            let imported = Set(files.flatMap { of($0).map(\.module) })
            let needing = room.foundationOnlyIn.filter { path in
                !files.contains { source in
                    source.path == "Sources/\(path)"
                        && of(source).contains { $0.module == "Foundation" }
                }
            }
            return room.rooms.union(room.outside).subtracting(imported).map { "\(name): \($0)" }
                + needing.map { "\(name): Foundation in \($0)" }
        }.sorted()
    }

    /// Modules other than Foundation and Testing in these tests.
    static func ofTidyTests(_ source: SwiftSource) -> [Finding] {
        guard source.path.hasPrefix("Tests/TidyTests/") else { return [] }
        return of(source).filter { !["Foundation", "Testing"].contains($0.module) }
            .map { source.finding($0.word, "TidyTests needs no \($0.module)") }
    }
}

@Suite struct `Imports and rooms` {
    @Test func `a room imports only what its row allows`() {
        expectNone(Repository.swift.flatMap(Imports.forbidden))
    }

    @Test(arguments: [
        ("Sources/Custody/Bad.swift", "import GRDB"),
        ("Sources/Custody/Bad.swift", "import Foundation"),
        ("Sources/Workers/Bad.swift", "@preconcurrency internal import Threshold"),
        ("Sources/Storage/Bad.swift", "public import struct Threshold.KeyShare"),
        ("Sources/Gateway/Bad.swift", "import Wire"),
        ("Sources/KeyGroups/Bad.swift", "import CSodium"),
        ("Sources/Attic/Bad.swift", "import Canonical"),
    ])
    func `an import beside the table is found`(path: String, line: String) {
        let found = Imports.forbidden(SwiftSource(path, "// import NIOCore\n\(line)\n"))
        #expect(found.count == 1)
    }

    @Test func `a row names nothing that the room does not use`() {
        #expect(Imports.unused(Repository.swift, Rooms.all) == [])
        let file = SwiftSource("Sources/Attic/A.swift", "import Canonical\n")
        let row = Room(["Canonical", "Algebra"], foundationOnlyIn: ["Attic/A.swift"])
        #expect(
            Imports.unused([file], ["Attic": row])
                == ["Attic: Algebra", "Attic: Foundation in Attic/A.swift"])
    }

    @Test func `the rooms of the table are the folders of Sources`() {
        #expect(Repository.folders(below: "Sources") == Rooms.all.keys.sorted())
        #expect(Rooms.pure.union(Rooms.executables).subtracting(Rooms.all.keys) == [])
    }

    @Test func `arrows point down`() {
        let links = Rooms.all.mapValues(\.rooms)
        let climbing = links.filter { name, below in
            below.contains { Rooms.reach(of: $0, links).contains(name) }
        }
        #expect(climbing.keys.sorted() == [])
        #expect(Rooms.reach(of: "b", ["a": ["b"], "b": ["c"], "c": ["b"]]) == ["b", "c"])
    }

    @Test func `these tests need nothing of the house`() {
        expectNone(Repository.swift.flatMap(Imports.ofTidyTests))
        let bad = SwiftSource("Tests/TidyTests/Bad.swift", "import Custody\n")
        #expect(Imports.ofTidyTests(bad).count == 1)
    }
}

/// What Package.swift lets a target link.
enum Manifest {
    /// The rooms that each room links, by the calls that declare them.
    static func links(_ manifest: SwiftSource, _ rooms: Set<String>) -> [String: Set<String>] {
        var links: [String: Set<String>] = [:]
        let calls: Set = ["room", "target", "executable", "executableTarget"]
        for word in manifest.words where calls.contains(word.text) {
            guard manifest.byte(after: word) == .leftParenthesis else { continue }
            let call = manifest.parenthesised(from: word.range.upperBound)
            let names = texts(manifest, call)
            guard let name = names.first, rooms.contains(name) else { continue }
            links[name, default: []].formUnion(rooms.intersection(names.dropFirst()))
            links[name]?.remove(name)
        }
        return links
    }

    private static func texts(_ source: SwiftSource, _ range: Range<Int>) -> [String] {
        source.bytes[range].split(separator: .quote, omittingEmptySubsequences: false)
            .enumerated().filter { !$0.offset.isMultiple(of: 2) }
            .map { String(decoding: $0.element, as: UTF8.self) }
    }
}

@Suite struct `The package manifest` {
    private func manifest() throws -> SwiftSource {
        SwiftSource(try #require(Repository.file("Package.swift")))
    }

    @Test func `links no room that the table does not allow`() throws {
        let links = Manifest.links(try manifest(), Set(Rooms.all.keys))
        #expect(Set(links.keys) == Set(Rooms.all.keys).subtracting(Rooms.walls))
        for (name, linked) in links {
            #expect(linked.subtracting(Rooms.all[name]?.rooms ?? []) == [], "\(name)")
        }
    }

    @Test(arguments: ["quorumkeep", "Gateway", "Custody", "Workers", "Storage", "SimulatedChains"])
    func `never links the platform with what sees key shares`(room: String) throws {
        let links = Manifest.links(try manifest(), Set(Rooms.all.keys))
        #expect(Rooms.reach(of: room, links).isDisjoint(with: Rooms.holderOnly))
    }

    @Test func `a forbidden link is found, direct or not`() {
        let bad = SwiftSource(
            "Package.swift",
            """
            func room(_ name: String) -> Target { .target(name: name) }
            room("Storage", ["Custody", grdb]),
            room("Custody", ["Threshold"]),
            .executableTarget(name: "quorumkeep", dependencies: ["Storage"] + grpc),
            """)
        let links = Manifest.links(bad, Set(Rooms.all.keys))
        #expect(
            links == ["Storage": ["Custody"], "Custody": ["Threshold"], "quorumkeep": ["Storage"]])
        #expect(Rooms.reach(of: "quorumkeep", links).contains("Threshold"))
    }

    @Test func `runs every folder of tests that has Swift in it`() throws {
        let text = String(decoding: try manifest().bytes, as: UTF8.self)
        let folders = Set(Repository.swift.filter(\.isTest).compactMap(\.suite))
        #expect(folders.filter { !text.contains("\"\($0)\"") } == [])
        #expect(SwiftSource("Tests/XTests/A.swift", "").suite == "XTests")
    }
}
