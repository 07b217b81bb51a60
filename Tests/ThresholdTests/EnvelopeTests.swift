import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// What a relay can do to envelopes: nothing but lose them.
@Suite struct `Envelopes through a hostile relay` {
    static let threshold = SigningThreshold(2, of: 3)!
    let members = [ParticipantIndex(1)!, ParticipantIndex(3)!]
    let item = SigningItem(
        path: DerivationPath([44, 60, 0, 0, 7])!, digest: .sha256(Array("hello".utf8)))

    private static let shared: Result<TestGroup, any Error> = Result {
        let group = TestGroup(threshold, seed: "envelopes")
        try group.generate()
        return group
    }

    private var group: TestGroup { get throws { try Self.shared.get() } }

    @Test func `an honest relay: both sign`() throws {
        let network = try group.signing(members, [item])
        network.run()
        #expect(network.outputs.count == 2)
        #expect(network.aborts.isEmpty)
    }

    @Test func `a key is certified by all holders, and the certificate says the key`() throws {
        let certificate = try #require(try group.certificate)
        let (key, digest) = try #require(certificate.verified())
        #expect(digest == (try group.certificateDigest))
        #expect(try KeyCertificate(certificate.bytes) == certificate)
        #expect(key.isConsistent)
        var bytes = certificate.bytes
        bytes[bytes.count - 1] ^= 1
        #expect((try? KeyCertificate(bytes))?.verified() == nil)
    }

    @Test func `27 a flipped bit anywhere is dropped, and the true envelope still counts`() throws {
        // One bit of each kind of place: version, name, round, item, from, to, kind, body,
        // signature.
        for offset in [0, 1, 33, 34, 36, 37, 38, 40, 41, 42, 60, -1, -64] {
            let network = try group.signing(members, [item])
            network.run { bytes, _ in
                var flipped = bytes
                flipped[offset >= 0 ? offset : flipped.count + offset] ^= 1
                return [flipped, bytes]
            }
            #expect(network.outputs.count == 2, "offset \(offset)")
            #expect(network.aborts.isEmpty, "offset \(offset): \(network.aborts)")
            #expect(network.dropped.count >= 8, "offset \(offset)")
        }
    }

    @Test func `27 another node's signature, or another recipient, is dropped`() throws {
        let group = try group
        let stranger = group.identity(ParticipantIndex(2)!)
        let network = try group.signing(members, [item])
        network.run { bytes, to in
            guard let envelope = try? Envelope(bytes) else { return [bytes] }
            let forged = stranger.with { Envelope(envelope.header, envelope.body, signedBy: $0) }
            let sender = group.identity(envelope.header.from == 0 ? members[0] : members[1])
            let header = envelope.header
            let misaddressed = Envelope.Header(
                run: header.run, scheme: header.scheme, round: header.round, item: header.item,
                from: header.from, to: header.from, kind: header.kind)
            let other = sender.with { Envelope(misaddressed, envelope.body, signedBy: $0) }
            return [forged.bytes, other.bytes, bytes]
        }
        #expect(network.outputs.count == 2)
        #expect(network.aborts.isEmpty)
    }

    @Test func `14 a message of another run, epoch, curve or direction is dropped`() throws {
        let group = try group
        let before = try group.signing(members, [item])
        before.run()
        let old = before.sent.map(\.bytes)
        let network = try group.signing(members, [item])
        network.run { bytes, _ in
            var otherCurve = bytes
            otherCurve[33] = 2
            return old + [otherCurve, bytes]
        }
        #expect(network.outputs.count == 2)
        #expect(network.aborts.isEmpty)
        // Another epoch is another descriptor, so another name of the run.
        let descriptor = group.descriptor(
            .signing(
                certificate: group.certificateDigest!, items: [item], group.roster(members)))
        let other = RunDescriptor(
            request: descriptor.request, attempt: descriptor.attempt, intent: descriptor.intent,
            group: descriptor.group, epoch: descriptor.epoch + 1, scheme: descriptor.scheme,
            purpose: descriptor.purpose, expires: descriptor.expires)
        #expect(other.digest != descriptor.digest)
    }

    @Test func `identical duplicates and any order change nothing`() throws {
        let network = try group.signing(members, [item])
        network.run { bytes, _ in [bytes, bytes, bytes] }
        #expect(network.outputs.count == 2)
        #expect(network.aborts.isEmpty)
    }

    @Test func `two different messages for one place are evidence against their sender`() throws {
        let group = try group
        let network = try group.signing(members, [item])
        network.run { bytes, to in
            guard let envelope = try? Envelope(bytes), envelope.header.kind == .round,
                envelope.header.round == 1, envelope.header.from == 1,
                envelope.header.to == Envelope.toAll
            else { return [bytes] }
            var body = envelope.body
            body[0] ^= 1
            let second = group.identity(members[1]).with {
                Envelope(envelope.header, body, signedBy: $0)
            }
            return [bytes, second.bytes]
        }
        let abort = network.aborts[members[0]]
        #expect(abort == Abort(.equivocation, by: members[1]))
        let held = try #require(network.sessions[members[0]]).evidence
        #expect(held.contains { $0.header.round == 1 && $0.header.from == 1 })
    }

    @Test func `a signed body that does not open names its sender`() throws {
        let group = try group
        let network = try group.signing(members, [item])
        network.run { bytes, to in
            guard let envelope = try? Envelope(bytes), envelope.header.round == 2,
                envelope.header.from == 1
            else { return [bytes] }
            var body = envelope.body
            body[100] ^= 1
            let broken = group.identity(members[1]).with {
                Envelope(envelope.header, body, signedBy: $0)
            }
            return [broken.bytes]
        }
        #expect(network.aborts[members[0]] == Abort(.undecryptableMessage, by: members[1]))
        #expect(!network.gaveLast.contains(members[0]))
    }

    @Test func `15 a body that seals nothing does not open, and nothing traps`() {
        var random = TestRandom("empty")
        let key = SealingKey(SecretBytes(count: 32, from: &random))
        let nonce = random.bytes(SealingKey.nonceBytes)
        let box = key.seal([], nonce: nonce, authenticating: [])
        #expect(box.count == SealingKey.overhead)
        let opens = key.open(box, nonce: nonce, authenticating: []) != nil
        #expect(!opens)
    }

    @Test func `27 the keys of the two directions differ`() throws {
        var random = TestRandom("keys")
        let one = EphemeralKey(random: &random), two = EphemeralKey(random: &random)
        let run = RunID(unchecked: [UInt8](repeating: 9, count: 32))
        let shared = one.shared(with: two.publicKey)!
        let there = shared.derive(salt: run, info: Array("p2p".utf8) + [0, 0, 0, 1])
        let back = shared.derive(salt: run, info: Array("p2p".utf8) + [0, 1, 0, 0])
        let isSame = there.matches(back)
        #expect(!isSame)
        let zero = EphemeralPublicKey(unchecked: [UInt8](repeating: 0, count: 32))
        let hasSecret = one.shared(with: zero) != nil
        #expect(!hasSecret)
    }

    @Test func `31 setups that differ end the run before it begins, without a ban`() throws {
        let group = try group
        let descriptor = group.descriptor(
            .signing(
                certificate: group.certificateDigest!, items: [item], group.roster(members)))
        let network = SessionNetwork<Signing>(group)
        for me in members {
            network.add(
                try group.signingSession(
                    descriptor, me, MemoryRegistry(),
                    setupsFrom: me == members[0] ? me : ParticipantIndex(2)!),
                me)
        }
        network.run()
        for abort in network.aborts.values {
            #expect(abort.reason == .differentSetup || abort.reason == .endedByPeer)
            #expect(abort.consequence == Abort.Consequence.none)
        }
        #expect(!network.aborts.isEmpty)
    }

    @Test func `every byte string is decoded or refused, and nothing traps`() throws {
        var random = TestRandom("decoders")
        let samples = [
            try group.certificate!.bytes,
            try group.descriptor(
                .signing(
                    certificate: .sha256([]), items: [item], group.roster(members))
            ).bytes,
        ]
        for round in 0..<4000 {
            var bytes = random.bytes(random.integer(below: 300))
            if round.isMultiple(of: 2) {
                bytes = samples[random.integer(below: samples.count)]
                for _ in 0...random.integer(below: 4) {
                    bytes[random.integer(below: bytes.count)] = random.bytes(1)[0]
                }
                bytes.removeLast(random.integer(below: 3))
            }
            _ = try? Envelope(bytes)
            _ = try? Ready(bytes)
            if let descriptor = try? RunDescriptor(bytes) { #expect(descriptor.bytes == bytes) }
            if let certificate = try? KeyCertificate(bytes) { #expect(certificate.bytes == bytes) }
        }
    }
}
