import Algebra
import CSecp256k1
import Canonical
import KeyGroups
import TestKit
import Threshold

/// CPU of the threshold protocols, summed over all participants, envelopes sealed and signed: of a
/// signature everything from opening the stored key share to the verified signature, of a key from
/// the Ready on.
enum ThresholdFigures {
    private static let base = "secp256k1.ecdsa_sign"
    private static let signRuns = 200
    private static let keyRuns = 9

    /// What is measured, and the most that it shall cost, in signatures of libsecp256k1.
    private struct Group {
        let name: String
        let required: Int
        let holders: Int
        let signAim: Double
        let keyAim: Double
    }

    private static let groups = [
        Group(name: "2of2", required: 2, holders: 2, signAim: 160, keyAim: 7900),
        Group(name: "2of3", required: 2, holders: 3, signAim: 160, keyAim: 23_700),
        Group(name: "3of3", required: 3, holders: 3, signAim: 480, keyAim: 23_700),
    ]
    /// All envelopes of a signature by two, the Readys left out.
    private static let bytesAim = 119_000.0
    /// Of one participant, over what it has in memory before the run.
    private static let memoryAim = 8192.0

    static func measure(into report: Report) throws {
        let base = try LoneKey()
        for group in groups {
            let (sign, generate) = ("ecdsa.sign.\(group.name)", "ecdsa.keygen.\(group.name)")
            let (bytes, memory) = ("\(sign).bytes", "\(sign).memory")
            guard
                [sign, "\(sign).cpu", "\(sign).fresh.cpu", generate, "\(generate).cpu"].contains(
                    where: report.wants)
                    || (group.name == "2of2" && [bytes, memory].contains(where: report.wants))
            else { continue }
            guard let threshold = SigningThreshold(group.required, of: group.holders) else {
                throw Failed()
            }
            let holders = TestGroup(threshold, seed: group.name)
            try holders.generate()
            func compare(
                _ name: String, _ aim: Double?, runs: Int, _ work: () throws -> Void
            ) throws {
                guard report.wants("\(name).cpu") else { return }
                let found = try Measurement.compare(
                    runs: runs, baseCalls: LoneKey.calls, base: base.sign, work: work)
                report.add(
                    Figure(
                        name: "\(name).cpu", value: found.work, unit: "ms", ratio: found.ratio,
                        base: Self.base, baseValue: found.base, aim: aim, runs: runs))
            }
            try compare(sign, group.signAim, runs: signRuns) {
                _ = try signed(holders, group.required)
            }
            if group.name == "2of2", report.wants(bytes) {
                let sent = Double(try signed(holders, group.required))
                report.add(
                    Figure(name: bytes, value: sent, unit: "bytes", aim: bytesAim, runs: 1))
            }
            if group.name == "2of2", report.wants(memory) {
                let runs = 5
                let peak = try SigningMemory.peak(of: holders, runs: runs)
                report.add(
                    Figure(name: memory, value: peak, unit: "KiB", aim: memoryAim, runs: runs))
            }
            try compare("\(sign).fresh", nil, runs: keyRuns) {
                guard let item else { throw Failed() }
                let members = TestKeys.indices(group.required)
                let network = try holders.freshSigning(members, [item])
                network.run()
                guard network.outputs.count == members.count else { throw Failed() }
            }
            try compare(generate, group.keyAim, runs: keyRuns) { try holders.generate() }
        }
    }

    static let item = DerivationPath([44, 60, 0, 0, 7]).map {
        SigningItem(path: $0, digest: .sha256(Array("hello".utf8)))
    }

    /// One signature by the first members.
    ///
    /// - Returns: bytes of all envelopes.
    private static func signed(_ group: TestGroup, _ required: Int) throws -> Int {
        guard let item, let certificate = group.certificateDigest else { throw Failed() }
        let members = TestKeys.indices(required)
        let descriptor = group.descriptor(
            .signing(certificate: certificate, items: [item], group.roster(members)))
        let network = SessionNetwork<Signing>(group)
        for member in members {
            let session = try SigningMemory.session(
                descriptor, try group.share(member), group.identity(member))
            network.add(session, member)
        }
        network.run()
        guard network.outputs.count == required else { throw Failed() }
        return network.bytesSent
    }

}

/// One private key's signatures by libsecp256k1 alone.
final class LoneKey {
    static let calls = 100
    private let context: OpaquePointer
    private let key = [UInt8](repeating: 0x42, count: 32)
    private let digest = Digest.sha256([1]).bytes
    private var signature = secp256k1_ecdsa_signature()

    init() throws {
        guard let context = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_SIGN)) else {
            throw Failed()
        }
        self.context = context
    }

    deinit { secp256k1_context_destroy(context) }

    func sign() {
        for _ in 0..<Self.calls {
            _ = secp256k1_ecdsa_sign(context, &signature, digest, key, nil, nil)
        }
    }
}

/// A benchmark whose work did not succeed has no figure.
struct Failed: Error {}
