import Algebra
import CSecp256k1
import Canonical
import KeyGroups
import TestKit
import Threshold

/// CPU of the threshold protocols, summed over all participants: everything from their Ready to the
/// verified signature or the finished key, envelopes sealed and signed.
enum ThresholdFigures {
    private static let base = "secp256k1.ecdsa_sign"
    private static let signRuns = 200
    private static let keyRuns = 7

    static func measure(into report: Report) throws {
        let names = ["2of2", "2of3", "3of3"].flatMap { ["ecdsa.sign.\($0)", "ecdsa.keygen.\($0)"] }
        guard names.contains(where: { report.wants($0) }) else { return }
        let base = try ecdsaSign()
        report.add(
            Figure(
                name: Self.base, value: base, unit: "ms", ratio: nil, base: nil, baseValue: nil,
                runs: 25))
        for (name, required, holders) in [("2of2", 2, 2), ("2of3", 2, 3), ("3of3", 3, 3)] {
            guard let threshold = SigningThreshold(required, of: holders) else { throw Failed() }
            let group = TestGroup(threshold, seed: name)
            try group.generate()
            func add(_ work: String, _ value: Double, _ runs: Int) {
                report.add(
                    Figure(
                        name: "ecdsa.\(work).\(name).cpu", value: value, unit: "ms",
                        ratio: value / base, base: Self.base, baseValue: base, runs: runs))
            }
            if report.wants("ecdsa.sign.\(name)") {
                let (time, bytes) = try sign(group, required)
                add("sign", time, signRuns)
                if name == "2of2" {
                    report.add(
                        Figure(
                            name: "ecdsa.sign.2of2.bytes", value: Double(bytes), unit: "bytes",
                            ratio: nil, base: nil, baseValue: nil, runs: 1))
                }
            }
            if report.wants("ecdsa.keygen.\(name)") {
                add(
                    "keygen", try Measurement.median(runs: keyRuns) { try group.generate() },
                    keyRuns)
            }
        }
    }

    /// One `ecdsa_sign` by libsecp256k1, in milliseconds.
    private static func ecdsaSign() throws -> Double {
        guard let context = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_SIGN)) else {
            throw Failed()
        }
        defer { secp256k1_context_destroy(context) }
        let key = [UInt8](repeating: 0x42, count: 32)
        let digest = Digest.sha256([1]).bytes
        var signature = secp256k1_ecdsa_signature()
        let batch = 200
        return Measurement.median(runs: 25) {
            for _ in 0..<batch {
                _ = secp256k1_ecdsa_sign(context, &signature, digest, key, nil, nil)
            }
        } / Double(batch)
    }

    private static func sign(_ group: TestGroup, _ required: Int) throws -> (Double, bytes: Int) {
        guard let path = DerivationPath([44, 60, 0, 0, 7]) else { throw Failed() }
        let item = SigningItem(path: path, digest: .sha256(Array("hello".utf8)))
        var bytes = 0
        let time = try Measurement.median(runs: signRuns) {
            let network = try group.signing(TestKeys.indices(required), [item])
            network.run()
            guard network.outputs.count == required else { throw Failed() }
            bytes = network.bytesSent
        }
        return (time, bytes)
    }
}

/// A benchmark whose work did not succeed has no figure.
struct Failed: Error {}
