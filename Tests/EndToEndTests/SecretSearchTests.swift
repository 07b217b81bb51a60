import Algebra
import Canonical
import CustodyClient
import Foundation
import GRDB
import Gateway
import Intents
import KeyGroups
import Testing

@testable import Threshold
@testable import quorumkeep

/// Looks for a whole private key where none may be: in the memory and files of every process.
@Suite(.serialized) struct `No process ever holds a whole key` {
    /// A secret in the forms in which a program could have it.
    private struct Needle {
        let name: String
        let forms: [[UInt8]]

        init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            let hex = Hex.encode(bytes)
            forms = [
                bytes, Array(bytes.reversed()), Array(hex.utf8), Array(hex.uppercased().utf8),
                Array(Data(bytes).base64EncodedString().utf8.prefix(42)),
            ]
        }
    }

    /// Needles that are looked for together, in one pass.
    private struct Search {
        private let forms: [(name: String, bytes: [UInt8])]
        /// Whether a form begins with these two bytes.
        private let heads: [Bool]

        init(_ needles: [Needle]) {
            forms = needles.flatMap { needle in needle.forms.map { (needle.name, $0) } }
            var heads = [Bool](repeating: false, count: 1 << 16)
            for form in forms { heads[Int(form.bytes[0]) << 8 | Int(form.bytes[1])] = true }
            self.heads = heads
        }

        /// Names of the needles that are there.
        func names(in haystack: UnsafeRawBufferPointer) -> Set<String> {
            var found: Set<String> = []
            guard haystack.count > 1 else { return found }
            for at in 0..<haystack.count - 1
            where heads[Int(haystack[at]) << 8 | Int(haystack[at + 1])] {
                for form in forms where at + form.bytes.count <= haystack.count {
                    if haystack[at..<at + form.bytes.count].elementsEqual(form.bytes) {
                        found.insert(form.name)
                    }
                }
            }
            return found
        }
    }

    /// Names of the needles that a process has in its memory.
    private func search(memoryOf pid: Int32, for needles: [Needle]) throws -> Set<String> {
        let maps = try String(contentsOfFile: "/proc/\(pid)/maps", encoding: .utf8)
        let memory = open("/proc/\(pid)/mem", O_RDONLY)
        try #require(memory >= 0, "the memory of process \(pid) can be read")
        defer { close(memory) }
        let search = Search(needles)
        var found: Set<String> = []
        var bytesRead = 0
        for line in maps.split(separator: "\n") {
            let parts = line.split(separator: " ", omittingEmptySubsequences: true)
            let range = parts[0].split(separator: "-").compactMap { Int($0, radix: 16) }
            guard parts[1].hasPrefix("rw"), range.count == 2 else { continue }
            // In pieces that overlap, so that nothing hides on an edge.
            let (piece, overlap) = (8 << 20, 256)
            var at = range[0]
            while at < range[1] {
                let count = min(piece, range[1] - at)
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
                defer { buffer.deallocate() }
                let got = pread(memory, buffer.baseAddress!, count, at)
                if got > 0 {
                    bytesRead += got
                    let region = UnsafeRawBufferPointer(rebasing: buffer[..<got])
                    found.formUnion(search.names(in: region))
                }
                at += count < piece ? count : piece - overlap
            }
        }
        #expect(bytesRead > 1 << 20)
        return found
    }

    private func search(filesIn folder: URL, for needles: [Needle]) throws -> [String: Set<String>]
    {
        let search = Search(needles)
        var found: [String: Set<String>] = [:]
        let files = FileManager.default.enumerator(atPath: folder.path)
        while let name = files?.nextObject() as? String {
            guard
                let data = FileManager.default.contents(atPath: folder.appending(path: name).path),
                !data.isEmpty
            else { continue }
            let names = data.withUnsafeBytes { search.names(in: $0) }
            for needle in names { found[needle, default: []].insert(name) }
        }
        return found
    }

    private struct OpenedShare {
        let group: GroupID
        let index: ParticipantIndex
        let publicKey: Point
        let bytes: [UInt8]
    }

    /// Opens a holder's shares with its sealing key, as only this test does.
    private func shares(of holder: DevFile.Holder) throws -> [OpenedShare] {
        let folder = URL(filePath: holder.dataDir)
        let sealing = SealingKey(
            SecretBytes(copying: Array(try Data(contentsOf: folder.appending(path: "sealing.key"))))
        )
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(
            path: folder.appending(path: "holder.sqlite").path, configuration: configuration)
        let rows = try queue.read {
            try Row.fetchAll(
                $0, sql: "SELECT group_id, epoch, scheme, my_index, sealed_share FROM keys")
        }
        return try rows.map { row in
            let group = try #require(GroupID(Array(row["group_id"] as Data)))
            let context =
                Array("quorumkeep/share/v1".utf8) + group.bytes
                + UInt64(row["epoch"] as Int64).bigEndianBytes
                + UInt64(row["scheme"] as Int64).bigEndianBytes
            guard
                let stored = sealing.openStored(
                    Array(row["sealed_share"] as Data), authenticating: context)
            else { throw Stack.Late(description: "the share does not open") }
            let share = try KeyShare<ECDSA>(stored: stored)
            let bytes = share.secret.encoded().withBytes { Array($0) }
            return OpenedShare(
                group: group, index: share.me, publicKey: share.key.publicKey, bytes: bytes)
        }
    }

    @Test func `neither memory nor files have the key that the shares imply`() async throws {
        let stack = Stack(portBase: 18300)
        try await stack.start()
        let file = try stack.description
        let api = try stack.api()
        let wallet = try await api.fundedWallet("w", "9", on: try stack.chain)
        let entry = try await api.entry("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
        let canary = SystemRandom.bytes32()
        _ = try await api.call(
            "POST", "/vaults",
            .object(["externalId": .string(Hex.encode(canary)), "name": .string("canary")]))
        for _ in 0..<3 {
            try await api.wait(
                for: try await api.withdraw("0.5", from: wallet, to: entry), "Completed")
        }

        let shares = try file.holders.map { try self.shares(of: $0) }
        var keys: [Needle] = []
        for (one, two) in zip(shares[0], shares[1]) {
            try #require(one.group == two.group)
            let quorum = [one.index, two.index]
            let key = try [one, two].reduce(Scalar.zero) { sum, share in
                sum + Sharing.lagrange(share.index, in: quorum)
                    * (try #require(Scalar(canonical: share.bytes)))
            }
            // What was rebuilt is the key indeed, or the search would be for nothing.
            guard let whole = WholeKey(SecretBytes(copying: key.bytes)) else { continue }
            #expect(whole.publicKey == one.publicKey)
            keys.append(Needle("key of \(one.group)", key.bytes))
        }
        #expect(keys.count == 2, "one of each tenant")

        let canaryNeedle = Needle("canary", canary)
        let shareNeedles = shares.enumerated().flatMap { number, shares in
            shares.map { Needle("share of \(file.holders[number].name)", $0.bytes) }
        }
        let platform = try search(
            memoryOf: file.platform.pid, for: keys + shareNeedles + [canaryNeedle])
        #expect(platform == ["canary"], "of the platform")
        for holder in file.holders {
            let own = Needle("own identity", Hex.decode(holder.nodeId)!)
            let others = shareNeedles.filter { $0.name != "share of \(holder.name)" }
            let found = try search(memoryOf: holder.pid, for: keys + others + [own])
            #expect(found == ["own identity"], "of \(holder.name)")
        }
        let supervisor = try search(memoryOf: stack.pid, for: keys + shareNeedles)
        #expect(supervisor.isEmpty, "of the supervisor")
        let inFiles = try search(
            filesIn: stack.directory, for: keys + shareNeedles + [canaryNeedle])
        #expect(Set(inFiles.keys) == ["canary"], "\(inFiles)")
        try await stack.stop()
        let after = try search(filesIn: stack.directory, for: keys + shareNeedles + [canaryNeedle])
        #expect(Set(after.keys) == ["canary"], "\(after)")
    }
}

extension SystemRandom {
    fileprivate static func bytes32() -> [UInt8] {
        var random = SystemRandom()
        return random.bytes(32)
    }
}
