import Algebra
import Canonical
import TestKit
import KeyGroups
import Threshold

/// CPU of the threshold protocols, summed over all participants: everything they do from their
/// Ready to the verified signature, envelopes sealed and signed.
enum ThresholdFigures {
    static let base = "secp256k1.ecdsa_sign"

    /// One `ecdsa_sign` by libsecp256k1, in milliseconds.
    static func ecdsaSign() throws -> Double {
        let secret = SecretBytes(copying: [UInt8](repeating: 0x42, count: 32))
        guard let key = WholeKey(secret) else { return .nan }
        let digest = Digest.sha256([1])
        let batch = 200
        return Measurement.median(runs: 25) {
            for _ in 0..<batch { _ = key.sign(digest) }
        } / Double(batch)
    }

    static func all() throws -> [Figure] {
        let base = try ecdsaSign()
        var figures = [
            Figure(
                name: Self.base, value: base, unit: "ms", ratio: nil, base: nil, baseValue: nil,
                runs: 25)
        ]
        let item = SigningItem(
            path: DerivationPath([44, 60, 0, 0, 7])!, digest: .sha256(Array("hello".utf8)))
        for (name, required, holders) in [("2of2", 2, 2), ("2of3", 2, 3), ("3of3", 3, 3)] {
            let group = TestGroup(SigningThreshold(required, of: holders)!, seed: name)
            let keygen = try Measurement.median(runs: 5) { try group.generate() }
            let members = TestKeys.indices(required)
            let runs = 100
            var bytes = 0
            let sign = try Measurement.median(runs: runs) {
                let network = try group.signing(members, [item])
                network.run()
                guard network.outputs.count == required else { throw Failed() }
                bytes = network.bytesSent
            }
            func figure(_ work: String, _ value: Double, _ runs: Int) -> Figure {
                Figure(
                    name: "ecdsa.\(work).\(name).cpu", value: value, unit: "ms",
                    ratio: value / base, base: Self.base, baseValue: base, runs: runs)
            }
            figures += [figure("sign", sign, runs), figure("keygen", keygen, 5)]
            if name == "2of2" {
                figures.append(
                    Figure(
                        name: "ecdsa.sign.2of2.bytes", value: Double(bytes), unit: "bytes",
                        ratio: nil, base: nil, baseValue: nil, runs: 1))
            }
        }
        return figures
    }
}

/// A benchmark whose work did not succeed has no figure.
struct Failed: Error {}
