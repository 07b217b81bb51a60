import Algebra
import ArgumentParser
import Canonical
import Chains
import Foundation
import Holder
import Housekeeping
import Intents
import KeyGroups

/// Trying a rules file before a holder lives by it.
struct Rules: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rules files: what they would answer.", subcommands: [Test.self])

    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what a rules file would answer, and why.",
            discussion: """
                Without --intent it is asked about examples: of each asset a transfer at its \
                limits and just above them, and of keys a new one. With --intent it judges that \
                intent with what the holder in --data knows: its keys, counters and addresses. \
                Nothing is stored or sent. Ends with 1 if the file cannot be read, and with 0 \
                whatever is answered.
                """)

        @Argument(help: "The rules file.")
        var file: String

        @Flag(help: "Ask about examples, as without --intent.")
        var example = false

        @Option(help: "A file with an intent's bytes, as they are or in hexadecimal.")
        var intent: String?

        @Option(help: "With --intent: the holder's data directory.")
        var data: String?

        func validate() throws {
            guard !example || intent == nil else {
                throw ValidationError("give either --example or --intent")
            }
            guard (intent == nil) == (data == nil) else {
                throw ValidationError(
                    "--intent and --data belong together: what is answered depends on the "
                        + "holder's keys")
            }
        }

        func run() async throws {
            let rules = try HolderRulesFile.read(try Given.file(file, "the rules file"))
            print("rules     \(rules.digest.hex), \(rules.environment.name)")
            guard let intent, let data else {
                let examples = RuleExamples(rules: rules)
                for (what, finding) in examples.findings { print("\(what): \(finding.text)") }
                return
            }
            let directory = NodeDirectory(data)
            let platform = try directory.configuration().platformKey
            guard let platformKey = IdentityPublicKey(hex: platform) else {
                throw CommandFailure("platformKey in node.json is no key")
            }
            let callback = try directory.configuration().callback?.settings(in: directory)
            let core = HolderCore(
                identity: try directory.identity(), sealing: try directory.sealingKey(),
                platform: platformKey, rules: rules, store: try directory.database(),
                callbackServers: callback?.targets.map(\.server) ?? [])
            let finding = try core.finding(
                on: try Self.read(intent), at: HolderTime.machine.wall)
            print("intent    \(finding.text)")
        }

        private static func read(_ path: String) throws -> Intent {
            let data = Array(try Given.file(path, "--intent"))
            let text = String(decoding: data, as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines)
            do {
                return try Intent(Hex.decode(text) ?? data)
            } catch {
                throw CommandFailure("\(path) holds no intent: \(error)")
            }
        }
    }
}

extension Judge.Finding {
    fileprivate var text: String {
        switch self {
        case .approve: "approved"
        case .consult: "approved, if the callback servers approve too"
        case .refuse(let reason): "refused (\(reason.code.rawValue)): \(reason.sentence)"
        case .wait(let reason): "waits (\(reason.code.rawValue)): \(reason.sentence)"
        }
    }
}

/// Intents that show where rules draw their lines, judged with a key that nobody has.
struct RuleExamples {
    let rules: HolderRules
    private static let now: UInt64 = 1_800_000_000
    private static let identities = [UInt8(1), 2, 3].map {
        IdentityPublicKey(unchecked: [UInt8](repeating: $0, count: 32))
    }

    /// What is asked, and the answer.
    var findings: [(what: String, finding: Judge.Finding)] {
        guard let held = Self.held else { return [] }
        var findings: [(String, Judge.Finding)] = []
        for (asset, limits) in rules.assets.sorted(by: { $0.key.text < $1.key.text }) {
            let above = limits.perTransaction.adding(Self.one) ?? .most
            for (what, amount) in [
                ("the most of one transaction", limits.perTransaction), ("one unit more", above),
            ] {
                findings.append(
                    (
                        "\(asset.text), \(what), \(amount.baseUnitText)",
                        finding(amount, of: asset, held)
                    ))
            }
        }
        if let ceremony = Self.ceremony {
            findings.append(
                (
                    "a new key of three holders that are not yours, once a person confirms it",
                    judge(.keyCeremony(ceremony), nil)
                )
            )
        }
        return findings
    }

    private static let one = Amount(1) ?? .zero

    private func finding(_ amount: Amount, of asset: AssetID, _ held: HeldKey) -> Judge.Finding {
        guard let path = AccountPath(coin: asset.chain.coinType, vaultIndex: 0, number: 0),
            let key = held.key.key(of: ECDSA.self),
            let source = DerivedKey(path.derivation, of: key),
            let fee = EVMFeeLimit(gasLimit: 21_000, maxFeePerGas: 1, maxPriorityFeePerGas: 1)
        else { return .refuse(Verdict.Reason(.malformedIntent, "There is no example of it.")) }
        let order = TransferOrder(
            chain: asset.chain, sourcePath: path,
            sourceAddress: EVMAddress(source.publicKey).text,
            output: .init(
                asset: asset,
                address: EVMAddress(unchecked: [UInt8](repeating: 1, count: 20)).text,
                amount: amount), nonce: 0, fee: fee)
        return judge(.transfer(order), held)
    }

    private func judge(_ purpose: Intent.Purpose, _ held: HeldKey?) -> Judge.Finding {
        let id = [UInt8](repeating: 0, count: 16)
        let intent = Intent(
            environment: rules.environment, tenant: TenantID(unchecked: id),
            vault: VaultID(unchecked: id), request: RequestID(unchecked: id),
            group: GroupID(unchecked: id), epoch: 1, purpose: purpose, notBefore: Self.now,
            expires: Self.now + 3600, policy: rules.policy ?? .sha256([]))
        return Judge(rules: rules).judge(
            intent,
            knowing: HolderKnowledge(
                identity: Self.identities[0], now: Self.now, key: held, spent: [:],
                destination: AnnouncedAddress(firstSeen: 0), isCeremonyConfirmed: true,
                isFrozen: false))
    }

    private static var roster: Roster? {
        Roster(identities, (1...3).compactMap { ParticipantIndex($0) })
    }

    private static var ceremony: KeyCeremony? {
        guard let roster, let threshold = SigningThreshold(2, of: 3) else { return nil }
        return KeyCeremony(
            occasion: .keyGeneration, scheme: .ecdsaSecp256k1, kind: .main, threshold: threshold,
            holders: roster, source: nil)
    }

    /// The generator of secp256k1 (SEC 2, 2.4.1) in the place of every point: nobody's key.
    private static var held: HeldKey? {
        guard let roster, let threshold = SigningThreshold(2, of: 3),
            let point = Hex.decode(
                "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
        else { return nil }
        let shares = Dictionary(uniqueKeysWithValues: roster.indices.map { ($0, point) })
        return AnySharedKey(
            .ecdsaSecp256k1, threshold: threshold, publicKey: point,
            chainCode: [UInt8](repeating: 0, count: 32), verifyingShares: shares
        ).map {
            HeldKey(
                group: GroupID(unchecked: [UInt8](repeating: 0, count: 16)), epoch: 1, kind: .main,
                holders: roster, certificate: .sha256([]), key: $0)
        }
    }
}
