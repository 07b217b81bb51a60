import Algebra
import Canonical
import Foundation
import Holder
import HolderStorage
import Intents
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Row 29: whatever bytes arrive, a decoder takes or refuses them, and what it takes is spelt so.
///
/// `QUORUMKEEP_INPUTS=1000000` gives each decoder so many.
@Suite struct `Every decoder` {
    private struct Decoder {
        let name: String
        /// What it takes, to be changed here and there.
        let samples: [[UInt8]]
        /// What it has understood, spelt again; nil if it refuses, or has no spelling.
        let respell: ([UInt8]) -> [UInt8]?
    }

    private static let most =
        ProcessInfo.processInfo.environment["QUORUMKEEP_INPUTS"].flatMap { Int($0) } ?? 4000

    private static let tally = Tally("decoders")

    /// Samples from a key and a signature that holders made.
    private static func decoders() throws -> [Decoder] {
        let quorum = try SimulatedQuorum(SigningThreshold(2, of: 2)!, seed: "decoders")
        var testimonies: [[UInt8]] = []
        quorum.relay = { transit in
            if case .testimony(let bytes) = transit.input { testimonies.append(bytes) }
            return [transit]
        }
        try quorum.generateKey()
        let order = quorum.order()
        let intent = quorum.intent(.transfer(order))
        quorum.offer(intent)
        try quorum.run()
        let run = quorum.proposeSigning(intent, order, [0, 1])
        try quorum.run()
        let envelopes = quorum.envelopes.map(\.envelope)
        let readys = envelopes.filter { $0.header.kind == .ready }.map(\.body)
        let signatures = quorum.signatures[intent.digest]?[0] ?? []
        let share = try quorum.share(0).stored().withBytes { Array($0) }
        let certificate = try #require(quorum.certificate)
        return [
            Decoder(name: "envelope", samples: envelopes.map(\.bytes)) {
                (try? Envelope($0))?.bytes
            },
            Decoder(name: "ready", samples: readys) { (try? Ready($0))?.bytes },
            Decoder(name: "run descriptor", samples: [run.bytes, certificate.descriptor.bytes]) {
                (try? RunDescriptor($0))?.bytes
            },
            Decoder(name: "certificate", samples: [certificate.bytes]) {
                (try? KeyCertificate($0))?.bytes
            },
            Decoder(name: "testimony", samples: testimonies) { (try? KeyTestimony($0))?.bytes },
            Decoder(name: "intent", samples: [intent.bytes]) { (try? Intent($0))?.bytes },
            Decoder(name: "verdict", samples: quorum.verdicts.map(\.verdict.bytes)) {
                (try? SignedVerdict($0))?.bytes
            },
            Decoder(name: "signature", samples: signatures.map(\.bytes)) {
                ECDSASignature($0)?.bytes
            },
            Decoder(name: "stored share", samples: [share]) { bytes in
                guard !bytes.isEmpty else { return nil }
                let stored = SecretBytes(copying: bytes)
                guard let share = try? KeyShare<ECDSA>(stored: stored) else { return nil }
                return share.stored().withBytes { Array($0) }
            },
            Decoder(name: "point", samples: [certificate.verified()!.key.publicKey]) {
                Point(compressed: $0)?.compressed
            },
            Decoder(name: "CBOR", samples: [intent.bytes, run.bytes]) {
                (try? CBOR.decode($0))?.encoded()
            },
        ]
    }

    @Test func `takes or refuses any bytes, and respells what it takes`() throws {
        var random = TestRandom("decoders")
        for decoder in try Self.decoders() {
            #expect(!decoder.samples.isEmpty, "\(decoder.name)")
            // Large ones are copied and parsed more slowly, and have no more places to go wrong in.
            let size = decoder.samples.map(\.count).max() ?? 0
            let count = size > 4096 ? Self.most / 16 : Self.most
            for sample in decoder.samples {
                #expect(decoder.respell(sample) == sample, "\(decoder.name): a sample")
            }
            for _ in 0..<count {
                let bytes = Self.changed(decoder.samples, &random)
                let respelt = decoder.respell(bytes)
                if let respelt { #expect(respelt == bytes, "\(decoder.name): \(bytes)") }
                Self.tally.add(decoder.name, respelt == nil ? "refused" : "taken")
            }
        }
        if let lines = Self.tally.closing(after: 1) { print(lines) }
    }

    private static func changed(_ samples: [[UInt8]], _ random: inout TestRandom) -> [UInt8] {
        if random.integer(below: 4) == 0 { return random.bytes(random.integer(below: 300)) }
        var bytes = samples[random.integer(below: samples.count)]
        for _ in 0...random.integer(below: 4) where !bytes.isEmpty {
            let at = random.integer(below: bytes.count)
            switch random.integer(below: 6) {
            case 0: bytes.remove(at: at)
            case 1: bytes.insert(random.bytes(1)[0], at: at)
            case 2: bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.integer(below: 5)]
            case 3: bytes.removeLast(min(bytes.count, random.integer(below: 40)))
            case 4:
                let from = random.integer(below: bytes.count)
                bytes.replaceSubrange(at..., with: bytes[from...])
            default: bytes[at] ^= 1 << UInt8(random.integer(below: 8))
            }
        }
        return bytes
    }
}
