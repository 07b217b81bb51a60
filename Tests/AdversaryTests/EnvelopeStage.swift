import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Every part of an envelope and of a Ready, changed and signed again by its sender; what the
/// receiver does is compared with docs/protocols/envelope.md, "What is done with an envelope".
final class EnvelopeStage {
    private enum Outcome: Equatable, CustomStringConvertible {
        case signs
        /// Dropped: the receiver goes on waiting for what never comes.
        case waits
        case ends(Abort.Reason, isNamed: Bool)

        var description: String {
            switch self {
            case .signs: "signs"
            case .waits: "waits"
            case .ends(let reason, let isNamed): "\(reason.rawValue)\(isNamed ? ", named" : "")"
            }
        }
    }

    /// One of the sender's envelopes to the victim.
    private struct Place: Hashable {
        let kind: Envelope.Kind
        let round: UInt8
        let isBroadcast: Bool

        init(_ header: Envelope.Header) {
            (kind, round) = (header.kind, header.round)
            isBroadcast = header.to == Envelope.toAll
        }

        var name: String {
            kind == .ready ? "ready" : "envelope \(round)\(isBroadcast ? " broadcast" : "")"
        }
    }

    private let group: TestGroup
    private let members = [ParticipantIndex(1)!, ParticipantIndex(3)!]
    private let item = SigningItem(
        path: DerivationPath([44, 60, 0, 0, 7])!, digest: .sha256(Array("envelopes".utf8)))
    private let key: Point
    private var places: [Place] = []

    private var victim: ParticipantIndex { members[0] }
    private var cheater: ParticipantIndex { members[1] }

    private static let header: [Layout.Field] = [
        .init("version", .bytes, at: 0, length: 1), .init("run", .bytes, at: 1),
        .init("scheme", .bytes, at: 33, length: 1), .init("round", .bytes, at: 34, length: 1),
        .init("item", .bytes, at: 35, length: 2), .init("from", .bytes, at: 37, length: 2),
        .init("to", .bytes, at: 39, length: 2), .init("kind", .bytes, at: 41, length: 1),
        .init("body", .bytes, at: 42),
    ]

    private static let ready: [Layout.Field] = [
        .init("descriptor", .bytes, at: 42), .init("nonce", .bytes, at: 74),
        .init("ephemeral", .bytes, at: 106), .init("count", .bytes, at: 138, length: 1),
        .init("position", .bytes, at: 139, length: 2), .init("asAlice", .bytes, at: 141),
        .init("asBob", .bytes, at: 173),
    ]

    init() throws {
        group = TestGroup(SigningThreshold(2, of: 3)!, seed: "envelope mutations")
        try group.generate()
        key = DerivedKey(item.path, of: try group.share(members[0]).key)!.publicKey
        let network = try group.signing(members, [item])
        network.run { [unowned self] bytes, to in
            if to == victim, let envelope = try? Envelope(bytes) {
                places.append(Place(envelope.header))
            }
            return [bytes]
        }
    }

    /// Each field of each kind of envelope.
    var fields: [(place: Int, field: Layout.Field)] {
        places.indices.flatMap { place in
            let fields = Self.header + (places[place].kind == .ready ? Self.ready : [])
            return fields.map { (place, $0) }
        }
    }

    func mutate(
        _ number: Int, _ field: Layout.Field, _ mutation: Mutation, _ random: inout TestRandom
    ) throws -> MutationOutcome? {
        let place = places[number]
        let network = try group.signing(members, [item])
        var seen: [Envelope.Header: Envelope] = [:]
        var expected = Outcome.signs
        var earlier: [[UInt8]] = []
        var last: Envelope?
        var isChanged = false
        network.run { [unowned self] bytes, to in
            guard to == victim, let envelope = try? Envelope(bytes) else {
                if to == cheater { last = try? Envelope(bytes) }
                return [bytes]
            }
            guard Place(envelope.header) == place else {
                seen[envelope.header] = envelope
                earlier.append(bytes)
                return [bytes]
            }
            let donors = Mutation.Donors(
                peer: last?.bytes ?? [], otherRun: [], otherRounds: earlier)
            let layout = Layout(
                name: "", round: 0, isBroadcast: false, byteCount: 0, fields: Self.header,
                rows: [])
            let changed = signed(
                mutation.apply(to: bytes, field, of: layout, donors, &random))
            isChanged = changed != bytes
            expected = outcome(of: changed, insteadOf: envelope, seen)
            return [changed]
        }
        let name = "\(place.name) \(field.name)"
        let found = found(network)
        #expect(found == expected, "\(name), \(mutation.rawValue)")
        return isChanged ? (name, found.description) : nil
    }

    /// The same bytes with the sender's signature of whatever they are.
    private func signed(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= Envelope.headerBytes + IdentitySignature.byteCount else {
            return bytes
        }
        let body = bytes.dropFirst(Envelope.headerBytes).dropLast(IdentitySignature.byteCount)
        var transcript = Transcript(Tag.envelope)
        transcript.append(Array(bytes.prefix(Envelope.headerBytes)))
        transcript.append(Array(body))
        let digest = transcript.digest()
        let signature = group.identity(cheater).with { $0.sign(digest) }
        return bytes.dropLast(IdentitySignature.byteCount) + signature.bytes
    }

    private func found(_ network: SessionNetwork<Signing>) -> Outcome {
        if let signatures = network.outputs[victim] {
            #expect(signatures[0].verifies(item.digest, under: key), "a bad signature")
            return .signs
        }
        guard let abort = network.aborts[victim] else { return .waits }
        #expect(!abort.culprits.contains(victim))
        return .ends(abort.reason, isNamed: abort.culprits == [cheater])
    }

    /// What the document says.
    private func outcome(
        of bytes: [UInt8], insteadOf original: Envelope, _ seen: [Envelope.Header: Envelope]
    ) -> Outcome {
        guard let envelope = try? Envelope(bytes) else { return .waits }
        let header = envelope.header
        if header == original.header, envelope.body == original.body { return .signs }
        guard header.scheme == 1, header.from == 1, [0, Envelope.toAll].contains(header.to) else {
            return .waits
        }
        let isReady = original.header.kind == .ready
        switch header.kind {
        case .abort:
            return header.run == original.header.run
                ? .ends(.endedByPeer, isNamed: false) : .waits
        case .ready:
            guard isReady, header == original.header else { return .waits }
            return outcome(ofReady: envelope.body, insteadOf: original.body)
        case .round:
            // Before the run has its name nothing can be told of it.
            guard !isReady, header.run == original.header.run else { return .waits }
        }
        if let before = seen[header] {
            return before.body == envelope.body ? .waits : .ends(.equivocation, isNamed: true)
        }
        guard header.to == Envelope.toAll else {
            return .ends(.undecryptableMessage, isNamed: true)
        }
        guard header == original.header else { return .waits }
        return envelope.body.count == 32
            ? .ends(.transcriptMismatch, isNamed: false)
            : .ends(.malformedMessage, isNamed: true)
    }

    private func outcome(ofReady body: [UInt8], insteadOf original: [UInt8]) -> Outcome {
        guard body.count == original.count, body.prefix(32).elementsEqual(original.prefix(32)),
            body[96] == original[96]
        else { return .ends(.malformedMessage, isNamed: true) }
        guard body[97...].elementsEqual(original[97...]) else {
            return .ends(.differentSetup, isNamed: false)
        }
        // A key of small order has no secret with anybody.
        let isSmall = body[64..<96].allSatisfy { $0 == 0 }
        return isSmall ? .ends(.malformedMessage, isNamed: true) : .waits
    }
}
