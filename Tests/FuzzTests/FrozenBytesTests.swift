import Algebra
import Canonical
import Foundation
import TestKit
import Testing

/// The bytes of every message and stored type as an earlier version wrote them, in
/// `Vectors/frozen/bytes.json`: later versions read them, and write them the same.
///
/// `QUORUMKEEP_FREEZE=DIR` adds what is new. What is there is never changed: another form is
/// another version, with another entry beside the old.
@Suite struct `Frozen bytes` {
    /// Longer ones stand there by their hash.
    private static let bytesMost = 4096

    private static func kept(_ seed: [UInt8]) -> String {
        seed.count <= bytesMost ? Hex.encode(seed) : "sha256 " + Digest.sha256(seed).hex
    }

    private static let decoders = Decoders.all.filter {
        if case .text = $0.form { false } else { true }
    }

    @Test func `of every message and stored type are read and written as they were`() throws {
        let file = try Vectors.json("frozen/bytes.json")
        var all = file.entries.mapValues { $0.items.map(\.text) }
        for decoder in Self.decoders {
            let before = all[decoder.name, default: []]
            for text in before where !text.hasPrefix("sha256") {
                let bytes = Hex.decode(text) ?? []
                let written = decoder.decode(bytes)
                #expect(written != nil, "\(decoder) no longer reads \(text.prefix(40))")
                if decoder.isCanonical { #expect(written == bytes, "\(decoder)") }
            }
            if decoder.seedsVary, !before.isEmpty { continue }
            for seed in decoder.seeds where !before.contains(Self.kept(seed)) {
                all[decoder.name, default: []].append(Self.kept(seed))
            }
        }
        if let directory = ProcessInfo.processInfo.environment["QUORUMKEEP_FREEZE"] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(all).write(
                to: URL(filePath: directory).appending(path: "bytes.json"))
        } else {
            for (name, seeds) in all {
                #expect(
                    seeds == file[name].items.map(\.text),
                    "\(name): forms that are not kept yet; add them with QUORUMKEEP_FREEZE")
            }
        }
    }
}
