import Algebra
import Canonical
import Intents
import KeyGroups
import TestKit

@testable import Holder

/// What holders send to servers of their operators', and keep for them. Only servers read the
/// packages; here each is held to be the JSON that it was.
extension Decoders {
    private static let now: UInt64 = 1_800_000_000
    private static let node = sender.with { $0.publicKey }
    private static let challenge = random("challenge", ShareCheck.challengeBytes)

    private static let held = HeldKey(
        group: GroupID(unchecked: random("g", 16)), epoch: 1, kind: .main, holders: roster,
        certificate: .sha256([1]), key: certificate.claimed()!.key)

    /// Everything that servers are asked or told about, but for check-ups.
    private static let requests: [(digest: Digest, words: RequestWords)] =
        intentBytes.compactMap { try? Intent($0) }.filter { !$0.isAnnouncement }.map { intent in
            let digest = intent.digest
            return (
                digest,
                RequestWords(
                    of: intent.item.map { [$0] } ?? [], intent, digest, key: held,
                    source: intent.group == held.group ? held : nil)
            )
        }

    private static let checkUp: (digest: Digest, words: RequestWords) = {
        let key = certificate.claimed()!.key
        let record = KeyRecord(
            group: held.group, epoch: 1, scheme: key.scheme, kind: .main, roster: roster,
            me: roster.indices[0], key: key, certificateDigest: .sha256([1]),
            descriptor: certificate.descriptor, contributions: [], echo: .sha256([2]),
            intent: .sha256([3]), state: .active,
            testimony: KeyTestimony(
                group: held.group, epoch: 1, scheme: key.scheme, certificateDigest: .sha256([1])))
        let digest = AskedCheckUp.subject(held.group, challenge)
        return (
            digest, RequestWords(ofCheckUp: digest, held.group, [record], challenge, by: node)
        )
    }()

    private static let questions = (requests + [checkUp]).map { subject, words in
        Consultation(subject: subject, holder: node, words: words, servers: [], expires: now)
            .package
    }

    private static let events: [[UInt8]] = {
        let statuses: [HolderEvent.Status] = [
            .scheduling, .approving, .processing, .declined, .canceled, .completed,
        ]
        let told = requests.enumerated().map { number, request in
            HolderEvent(
                statuses[number % statuses.count], of: request.digest, request.words, node: node,
                at: now, reason: number.isMultiple(of: 2) ? "" : "because",
                result: number % statuses.count == 5
                    ? .object(["signatures": .array([])]) : nil
            ).package
        }
        return told + [HolderEvent.ping(from: node, at: now).package]
    }()

    /// What decisions and events are kept under, and what answers name.
    private static let names = [
        CallbackServer(address: "https://one:11020", publicKey: [1, 2, 3]).id,
        EventServer(address: "https://one:11030").id,
        Digest.requestName(of: .sha256([1]), at: node), checkUp.digest,
    ].map(\.bytes)

    private static func package(_ name: String, _ seeds: [[UInt8]]) -> Decoder {
        Decoder(name: name, isCanonical: false, seeds: seeds) { bytes in
            (try? JSONParser.parse(bytes))?.bytes
        }
    }

    static let servers: [Decoder] = [
        package("question to a callback server", questions),
        package("event for an event server", events),
        Decoder(name: "names for servers", seeds: names) { Digest($0)?.bytes },
    ]
}
