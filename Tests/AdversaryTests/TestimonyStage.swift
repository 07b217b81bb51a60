import Algebra
import Canonical
import Holder
import HolderStorage
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// What a holder is told of a new key's confirmation, changed: it counts only what a holder has
/// signed, whoever brings it.
final class TestimonyStage {
    /// Holder 0 waits for the other two; what they would say is in our hands.
    private let quorum: SimulatedQuorum
    private let theirs: KeyTestimony
    let fields: [Layout.Field]

    init() throws {
        quorum = try SimulatedQuorum(SigningThreshold(2, of: 3)!, seed: "testimonies")
        var held: [KeyTestimony] = []
        quorum.relay = { transit in
            guard case .testimony(let bytes) = transit.input else { return [transit] }
            if let testimony = try? KeyTestimony(bytes) { held.append(testimony) }
            return []
        }
        try quorum.generateKey()
        theirs = try #require(held.first { $0.signatures.keys.contains(1) })
        let bytes = theirs.bytes
        fields = [
            Self.field("group", theirs.group.bytes, in: bytes),
            Self.field("certificate", theirs.certificateDigest.bytes, in: bytes),
            Self.field("signature", theirs.signatures[1]?.bytes ?? [], in: bytes),
            Layout.Field("frame", .bytes, at: 0, length: 1, count: 2),
        ]
    }

    private static func field(_ name: String, _ value: [UInt8], in bytes: [UInt8]) -> Layout.Field {
        let at = bytes.indices.first { bytes[$0...].starts(with: value) } ?? 0
        return Layout.Field(name, .bytes, at: at, length: value.count)
    }

    func mutate(
        _ field: Layout.Field, _ mutation: Mutation, _ random: inout TestRandom
    ) throws -> MutationOutcome? {
        let layout = Layout(
            name: "testimony", round: 4, isBroadcast: true, byteCount: theirs.bytes.count,
            fields: fields, rows: [])
        let donors = Mutation.Donors(
            peer: try key().testimony.bytes, otherRun: random.bytes(theirs.bytes.count),
            otherRounds: [[], random.bytes(theirs.bytes.count)])
        let mutated = mutation.apply(to: theirs.bytes, field, of: layout, donors, &random)
        let before = try key()
        guard mutated != theirs.bytes else { return nil }
        try quorum.handle(.testimony(mutated), by: 0)
        #expect(try key() == before, "\(field.name), \(mutation.rawValue)")
        let isRead = (try? KeyTestimony(mutated)) != nil
        return ("testimony \(field.name)", isRead ? "read, changes nothing" : "malformed")
    }

    private func key() throws -> KeyRecord {
        let database = quorum.members[0].database
        return try #require(
            try database.commit { try database.keys(of: quorum.group).first })
    }

    /// All that was changed has spoilt nothing: the holders find out that they are complete.
    func finish() throws {
        quorum.relay = { [$0] }
        for index in quorum.members.indices { quorum.post(.connected, to: index) }
        try quorum.run()
        #expect(try key().state == .active)
    }
}
