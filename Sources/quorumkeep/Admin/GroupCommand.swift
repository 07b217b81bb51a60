import Algebra
import ArgumentParser
import Canonical
import Custody
import Foundation
import Housekeeping
import Intents
import KeyGroups

struct GroupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "Groups of holders that share a key, and the ceremonies that give them shares.",
        subcommands: [
            List.self, Create.self, Refresh.self, Recover.self, Use.self, CheckUpCommand.self,
            Abandon.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show all groups: their keys, holders, epochs and ceremonies.")

        @OptionGroup var options: PlatformOption

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let lines = try await custody.read { books in
                try books.store.tenants().flatMap { tenant in
                    try books.store.keyVaults(of: tenant.id).flatMap { keyVault in
                        let keys = try books.store.keys(of: keyVault.id)
                        return try books.store.groups(of: keyVault.id).flatMap {
                            try Self.lines($0, keyVault, keys, tenant, books)
                        }
                    }
                }
            }
            for line in lines { print(line) }
        }

        private static func lines(
            _ group: HolderGroup, _ keyVault: KeyVault, _ keys: [VaultKey], _ tenant: Tenant,
            _ books: Books
        ) throws -> [String] {
            let names = try books.holderNames()
            func named(_ holders: [IdentityPublicKey]) -> String {
                holders.map { names[$0] ?? $0.hex }.joined(separator: ", ")
            }
            let quorum = "\(group.threshold.required) of \(group.threshold.holders)"
            let state = group.epoch.map { "epoch \($0)" } ?? "no shares yet"
            let signs = keys.contains { $0.signing == group.id } ? ", signs" : ""
            var lines = [
                "\(group.id)  \(group.kind.name)  \(group.scheme.name)  \(quorum)  "
                    + "\(state)\(signs)  \(tenant.name)",
                "    holders: \(named(group.holders.identities))",
            ]
            if let key = group.certificate?.claimed()?.key {
                lines.append("    public key: \(Hex.encode(key.publicKey))")
            }
            for ceremony in try books.store.ceremonies(of: group.id) where ceremony.state != .done {
                let failure = ceremony.failure.map { ": \($0)" } ?? ""
                lines.append(
                    "    \(ceremony.occasion.name) \(ceremony.state.rawValue)\(failure)")
            }
            if let checkUp = try books.store.checkUp(of: group.id) {
                let damaged =
                    checkUp.damaged.isEmpty ? "" : "; DAMAGED: \(named(checkUp.damaged))"
                lines.append(
                    "    check-up of epoch \(checkUp.epoch) at \(checkUp.at.text): whole at "
                        + "\(named(checkUp.proved))\(damaged)")
            }
            lines.append("    key vault \(keyVault.name) \(keyVault.id), group \(group.record)")
            return lines
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a main group with a key of its own, or give another group shares of a "
                + "key.",
            discussion: """
                A main group makes a new key of a scheme that the tenant has none of. A signing \
                group is given shares of the key and may sign with them; a recovery group is given \
                shares and never signs: it gives the main group new ones when a holder is lost.
                """)

        @OptionGroup var options: PlatformOption

        @OptionGroup var owner: TenantOption

        @Option(help: "main, signing or recovery.")
        var kind: String

        @Option(help: "secp256k1-ecdsa, secp256k1-schnorr or ed25519.")
        var scheme = SignatureScheme.ecdsaSecp256k1.name

        @Option(help: "A holder of the group, by name; repeat for each.")
        var holder: [String]

        @Option(help: "How many of them must take part.")
        var threshold = 2

        @OptionGroup var patience: CeremonyPatience

        func run() async throws {
            let kinds: [GroupKind] = [.main, .signing, .recovery]
            guard let kind = kinds.first(where: { $0.name == kind }) else {
                throw ValidationError("--kind must be main, signing or recovery")
            }
            guard let scheme = SignatureScheme(name: scheme) else {
                throw ValidationError(
                    "--scheme must be secp256k1-ecdsa, secp256k1-schnorr or ed25519")
            }
            let (custody, _) = try options.directory.custody()
            let (owner, names, threshold) = (owner, holder, threshold)
            let ceremony = try await refusing {
                try await custody.write(as: .operator) { books in
                    let tenant = try owner.id(books)
                    let holders = try names.map { try books.holder(named: $0) }
                    let ceremony =
                        kind == .main
                        ? try books.createKey(
                            for: tenant, scheme, threshold: threshold, holders: holders
                        ).1
                        : try books.createGroup(
                            kind, for: tenant, scheme, threshold: threshold, holders: holders
                        ).1
                    try books.audit("createGroup", ceremony.group)
                    return ceremony
                }
            }
            print(ceremony.group)
            try await patience.wait(for: ceremony, custody)
        }
    }

    struct Refresh: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a group's holders new shares of their key; the old ones are destroyed.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "The group, by id.")
        var group: String

        @OptionGroup var patience: CeremonyPatience

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let group = try groupID(group)
            let ceremony = try await refusing {
                try await custody.write(as: .operator) { books in
                    let ceremony = try books.refresh(group)
                    try books.audit("refreshGroup", group)
                    return ceremony
                }
            }
            try await patience.wait(for: ceremony, custody)
        }
    }

    struct Recover: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a recovery group give the main group new shares, a lost holder "
                + "replaced.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "The recovery group, by id.")
        var group: String

        @Option(help: "The holder that is lost, by name.")
        var lost: String

        @Option(help: "The holder that takes its place, by name.")
        var replacement: String

        @OptionGroup var patience: CeremonyPatience

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let (group, lost, replacement) = (try groupID(group), lost, replacement)
            let (ceremony, others) = try await refusing {
                try await custody.write(as: .operator) { books in
                    let recovery = try books.recover(
                        from: group, lost: books.holder(named: lost).identity,
                        replacement: books.holder(named: replacement).identity)
                    try books.audit("recoverGroup", group)
                    return recovery
                }
            }
            try await patience.wait(for: ceremony, custody)
            for other in others {
                Progress.say(
                    "\(lost) is also of the \(other.kind.name) group \(other.id): make another "
                        + "group without it (quorumkeep group create)")
            }
        }
    }

    struct Use: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let this group sign for its key from now on.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "A main or signing group, by id.")
        var group: String

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let group = try groupID(group)
            try await refusing {
                try await custody.write(as: .operator) { books in
                    try books.sign(with: group)
                    try books.audit("useGroup", group)
                }
            }
            print("\(group) signs")
        }
    }

    struct CheckUpCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check-up",
            abstract: "Have a group's holders prove that their shares are whole.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "The group, by id.")
        var group: String

        @Option(help: "How long to wait for proofs, in seconds.")
        var wait = 30

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let id = try groupID(group)
            let asked = try await refusing { try await custody.write { try $0.checkUp(id) } }
            let deadline = ContinuousClock.now + .seconds(wait)
            while true {
                let (checkUp, group, names) = try await custody.read { books in
                    (
                        try books.store.checkUp(of: id), try books.store.group(id),
                        try books.holderNames()
                    )
                }
                guard let checkUp, checkUp.challenge == asked.challenge, let group else {
                    throw CommandFailure("another check-up of the group was begun")
                }
                let silent = group.holders.identities.filter {
                    !checkUp.proved.contains($0) && !checkUp.damaged.contains($0)
                }
                if silent.isEmpty || ContinuousClock.now > deadline {
                    for (word, holders) in [
                        ("whole", checkUp.proved), ("damaged", checkUp.damaged),
                        ("no answer", silent),
                    ] {
                        for holder in holders { print("\(word)  \(names[holder] ?? holder.hex)") }
                    }
                    guard checkUp.damaged.isEmpty, silent.isEmpty else { throw ExitCode(1) }
                    return
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}

extension GroupCommand {
    struct Abandon: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up ceremonies of a group that do not come to an end.",
            discussion: """
                A ceremony waits for all its holders. If one is lost, give it up before you \
                recover the group. If its holders finish it nevertheless, what they have made \
                counts.
                """)

        @OptionGroup var options: PlatformOption

        @Argument(help: "The group, by id.")
        var group: String

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let group = try groupID(group)
            let signer = try options.directory.intentKey()
            let count = try await refusing {
                try await custody.write(as: .operator) { books in
                    let count = try books.abandonCeremonies(of: group, signer: signer)
                    try books.audit("abandonCeremonies", group)
                    return count
                }
            }
            print("\(count) given up")
        }
    }
}

extension Books {
    /// Notes what was done to a group in its tenant's audit trail.
    fileprivate func audit(_ action: String, _ group: GroupID) throws {
        let keyVault = try store.group(group).flatMap { try store.keyVault($0.keyVault) }
        try audit(action, of: keyVault?.tenant, [group.hex])
    }
}

/// Group ids stand in the same form everywhere: 32 hexadecimal digits.
private func groupID(_ group: String) throws -> GroupID {
    guard let id = GroupID(hex: group) else {
        throw ValidationError("the group must be an id as quorumkeep group list shows it")
    }
    return id
}

/// How long a command waits for a ceremony, and what it says meanwhile.
struct CeremonyPatience: ParsableArguments {
    @Option(help: "How long to wait for the holders, in seconds; 0 not to wait.")
    var wait = 300

    func wait(for ceremony: Ceremony, _ custody: Bookkeeper) async throws {
        guard wait > 0 else { return }
        let deadline = ContinuousClock.now + .seconds(wait)
        var said: Set<String> = []
        Progress.say("\(ceremony.occasion.name): waiting for the holders")
        while ContinuousClock.now < deadline {
            let (current, waits) = try await custody.read { books in
                (try books.store.ceremony(ceremony.id), try books.waits(for: ceremony.id))
            }
            for line in waits where said.insert(line).inserted { Progress.say("  \(line)") }
            switch current?.state {
            case .done: return Progress.say("done")
            case .failed:
                throw CommandFailure("the ceremony failed: \(current?.failure ?? "")")
            case .open, nil: break
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw CommandFailure(
            "the ceremony is not done yet: every holder must be online and have confirmed it "
                + "(quorumkeep-node pending); it goes on by itself, see quorumkeep group list")
    }
}
