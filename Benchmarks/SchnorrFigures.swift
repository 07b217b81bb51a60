import Algebra
import CSecp256k1
import CSodium
import Canonical
import KeyGroups
import TestKit
import Threshold

/// CPU of FROST signatures by two of three, summed over both signers: from the opened share to the
/// verified signature at each, at the root key; no envelopes, as the figures that it is compared
/// with have none. `stored`: with opening the stored share and a path of four steps.
enum SchnorrFigures {
    private static let runs = 300

    static func measure(into report: Report) throws {
        let (sodium, secp256k1) = (SodiumKey(), try LoneKey())
        for isStored in [false, true] {
            let suffix = isStored ? "stored" : "cpu"
            try measure(
                EdDSA.self, "frost.ed25519.sign.2of3.\(suffix)", isStored: isStored,
                aim: isStored ? nil : 43, base: "libsodium.sign", by: sodium.sign, into: report)
            try measure(
                BIP340.self, "frost.bip340.sign.2of3.\(suffix)", isStored: isStored, aim: nil,
                base: "secp256k1.ecdsa_sign", by: secp256k1.sign, into: report)
        }
    }

    private static func measure<Scheme: SchnorrScheme>(
        _ scheme: Scheme.Type, _ name: String, isStored: Bool, aim: Double?, base: String,
        by sign: () -> Void,
        into report: Report
    ) throws {
        guard report.wants(name), let threshold = SigningThreshold(2, of: 3),
            let path = DerivationPath(isStored ? [44, 501, 0, 0] : []),
            let item = SchnorrItem(path: path, message: [UInt8](repeating: 7, count: 32))
        else { return }
        let shares = try TestKeys.shares("bench", threshold, of: scheme)
        let members = TestKeys.indices(2)
        var opened: [SecretBox<KeyShare<Scheme>>] = []
        func open(_ me: ParticipantIndex) throws -> KeyShare<Scheme> {
            guard let stored = shares[me] else { throw Failed() }
            return try stored.with { try KeyShare<Scheme>(stored: $0) }
        }
        for _ in 0...(isStored ? 0 : runs) {
            for me in members { opened.append(SecretBox(try open(me))) }
        }
        var number: UInt64 = 0
        let found = try Measurement.compare(runs: runs, baseCalls: LoneKey.calls, base: sign) {
            number += 1
            let run = RunID(.sha256(number.bigEndianBytes))
            let network = LocalNetwork<SchnorrSigning<Scheme>>()
            for me in members {
                var random = SystemRandom()
                let at = 2 * Int(number - 1) + Int(me.raw) - 1
                guard let share = isStored ? try open(me) : opened[at].take() else {
                    throw Failed()
                }
                network.add(
                    try SchnorrSigning(
                        ClaimedRun(run, in: MemoryRegistry()), items: [item], members: members,
                        share: share, random: &random), me)
            }
            network.run()
            guard network.outputs.count == 2 else { throw Failed() }
        }
        report.add(
            Figure(
                name: name, value: found.work, unit: "ms", ratio: found.ratio, base: base,
                baseValue: found.base, aim: aim, runs: runs))
    }

    /// One private key's signatures by libsodium alone.
    private final class SodiumKey {
        private var key = [UInt8](repeating: 0, count: 64)
        private var signature = [UInt8](repeating: 0, count: 64)
        private let message = Digest.sha256([1]).bytes

        init() {
            var publicKey = [UInt8](repeating: 0, count: 32)
            _ = crypto_sign_seed_keypair(&publicKey, &key, [UInt8](repeating: 0x42, count: 32))
        }

        func sign() {
            for _ in 0..<LoneKey.calls {
                _ = crypto_sign_detached(&signature, nil, message, UInt64(message.count), key)
            }
        }
    }
}
