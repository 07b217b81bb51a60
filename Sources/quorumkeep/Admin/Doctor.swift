import ArgumentParser
import AsyncHTTPClient
import Chains
import Custody
import Foundation
import Housekeeping
import KeyGroups
import SwiftASN1
import Workers
import X509

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look over an installation: what is well, and what to do about the rest.",
        discussion: "Ends with 1 if anything fails. Changes nothing.")

    @OptionGroup var options: PlatformOption

    func run() async throws {
        var findings = Findings()
        await Examination(directory: options.directory).run(&findings)
        guard !findings.hasFailure else { throw ExitCode(1) }
    }
}

/// What was found: a line each, printed as it comes.
struct Findings {
    private(set) var hasFailure = false

    func ok(_ what: String) { say("ok  ", what) }
    func warn(_ what: String, _ advice: String) { say("warn", "\(what): \(advice)") }
    mutating func fail(_ what: String, _ advice: String) {
        hasFailure = true
        say("FAIL", "\(what): \(advice)")
    }

    private func say(_ word: String, _ text: String) {
        print("\(word)  \(text)")
        fflush(nil)
    }
}

/// The examination of one installation.
private struct Examination {
    private static let certificateDays = 30.0
    /// A chain whose newest block was seen longer ago is followed no more, or stands.
    private static let quietSeconds: Int64 = 300
    private static let behindMost: UInt64 = 5

    let directory: PlatformDirectory

    func run(_ findings: inout Findings) async {
        let configuration: PlatformConfiguration
        do {
            configuration = try directory.configuration()
            _ = try configuration.settings()
            findings.ok("platform.json: \(configuration.environment)")
        } catch {
            return findings.fail("configuration", "\(error)")
        }
        if configuration.assets.isEmpty || configuration.chains.isEmpty {
            findings.warn("platform.json", "no chain or no asset is entered yet")
        }
        if let door = configuration.metrics,
            !["127.0.0.1", "::1", "localhost"].contains(door.host)
        {
            findings.warn(
                "platform.json", "metrics are at \(door.host): see that only monitors reach it")
        }
        modes(configuration, &findings)
        certificates(configuration.tls, &findings)
        clock(&findings)
        process(&findings)
        let custody: Bookkeeper
        do {
            custody = try directory.custody().0
            try await ledger(custody, &findings)
        } catch {
            return findings.fail("database and its keys", "\(error)")
        }
        for chain in configuration.chains { await self.chain(chain, custody, &findings) }
        do {
            try await holders(custody, &findings)
            try await signing(custody, &findings)
            try await deliveries(custody, &findings)
        } catch {
            findings.fail("database", "\(error)")
        }
    }

    private func modes(_ configuration: PlatformConfiguration, _ findings: inout Findings) {
        let names = [
            "", "platform.json", "platform.sqlite", "vault.key", "intent.key",
            "response.key", configuration.tls.privateKey,
        ]
        var isFine = true
        for name in names {
            let path = name.isEmpty ? directory.url.path : directory.path(name)
            var info = stat()
            if stat(path, &info) != 0 {
                isFine = false
                findings.fail(path, "it is missing")
            } else if info.st_mode & 0o077 != 0 {
                isFine = false
                findings.fail(
                    path, "others can reach it: chmod go= \(path), and see who has read it")
            }
        }
        if isFine { findings.ok("files: nobody else can read keys, configuration or database") }
    }

    private func certificates(_ tls: PlatformConfiguration.Certificates, _ findings: inout Findings)
    {
        var subjects: [DistinguishedName] = []
        for (name, file) in [("authority", tls.authority), ("certificate", tls.certificate)] {
            do {
                let data = try Given.file(directory.path(file), "the \(name) of platform.json")
                let certificate = try Certificate(pemEncoded: String(decoding: data, as: UTF8.self))
                subjects.append(name == "authority" ? certificate.subject : certificate.issuer)
                let left = certificate.notValidAfter.timeIntervalSinceNow / 86_400
                if certificate.notValidBefore > Date() || left < 0 {
                    findings.fail(
                        "\(name) \(file)",
                        "it is valid from \(certificate.notValidBefore) to "
                            + "\(certificate.notValidAfter): make another")
                } else if left < Self.certificateDays {
                    findings.warn("\(name) \(file)", "it ends in \(Int(left)) days: renew it")
                } else {
                    findings.ok("\(name) \(file): valid for \(Int(left)) days")
                }
            } catch {
                findings.fail("\(name) \(file)", "\(error)")
            }
        }
        if subjects.count == 2, subjects[0] != subjects[1] {
            findings.warn(
                "certificate \(tls.certificate)",
                "another authority than \(tls.authority) signed it, or one between them: holders "
                    + "pin \(tls.authority)")
        }
    }

    private func clock(_ findings: inout Findings) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/timedatectl")
        process.arguments = ["show", "--property=NTPSynchronized", "--value"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        var said = ""
        if (try? process.run()) != nil {
            let data = (try? output.fileHandleForReading.readToEnd()) ?? Data()
            process.waitUntilExit()
            said = String(decoding: data, as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines)
        }
        switch said {
        case "yes": findings.ok("clock: synchronised")
        case "no":
            findings.fail(
                "clock", "it is not synchronised: start a time service (chrony, timesyncd)")
        default:
            findings.warn(
                "clock", "timedatectl does not say whether it is synchronised: see that it is")
        }
    }

    private func process(_ findings: inout Findings) {
        do {
            withExtendedLifetime(try DirectoryLock(directory.url, name: "lock")) {
                findings.warn("serve", "it is not running: nothing moves until it is started")
            }
        } catch {
            findings.ok("serve: running")
        }
    }

    private func ledger(_ custody: Bookkeeper, _ findings: inout Findings) async throws {
        let sums = try await custody.read { try $0.store.ledgerSums() }
        if let sum = sums.first(where: { $0.owned != $0.owed }) {
            findings.fail("ledger", "what is held and owed of \(sum.asset) differs: stop, and ask")
        } else {
            findings.ok("database: it opens, and the ledger adds up")
        }
    }

    private func chain(
        _ entry: PlatformConfiguration.Chain, _ custody: Bookkeeper, _ findings: inout Findings
    ) async {
        guard let chain = ChainID(entry.id), case .eip155(let expected) = chain else {
            return findings.fail("chain \(entry.id)", "that is no chain in CAIP-2 form")
        }
        let node = EVMNode(url: entry.rpcUrl, client: .shared)
        do {
            let found = try await node.ask(EVMRPC.chainID())
            guard found == expected else {
                return findings.fail(
                    "chain \(entry.id)",
                    "the node at \(entry.rpcUrl) is of chain \(found): correct rpcUrl")
            }
            let newest = try await node.ask(EVMRPC.blockNumber())
            guard let state = try await custody.read({ try $0.store.chainState(chain) }) else {
                return findings.warn("chain \(entry.id)", "it is not followed yet: start serve")
            }
            let age = Timestamp.machine.seconds - state.at.seconds
            if newest > state.number + Self.behindMost {
                findings.warn(
                    "chain \(entry.id)",
                    "followed to block \(state.number) of \(newest): it should be catching up")
            } else if age > Self.quietSeconds {
                findings.warn(
                    "chain \(entry.id)",
                    "no new block for \(age) s: does the node keep up with its network?")
            } else {
                findings.ok("chain \(entry.id): block \(state.number) of \(newest)")
            }
        } catch {
            findings.fail("chain \(entry.id)", "\(entry.rpcUrl): \(error)")
        }
    }

    private func holders(_ custody: Bookkeeper, _ findings: inout Findings) async throws {
        let (holders, ceremonies) = try await custody.read { books in
            (try books.store.holders(), try books.store.openCeremonies().count)
        }
        if holders.isEmpty {
            findings.warn("holders", "there is none: quorumkeep holder add")
        }
        for holder in holders {
            if let since = holder.onlineSince {
                findings.ok("holder \(holder.name): online since \(since.text)")
            } else {
                findings.warn(
                    "holder \(holder.name)",
                    "offline: ask its operator to look at quorumkeep-node's log")
            }
        }
        if ceremonies > 0 {
            findings.warn(
                "ceremonies",
                "\(ceremonies) wait for holders' operators: quorumkeep-node pending, at each")
        }
    }

    /// Whether each key that signs has holders enough online.
    private func signing(_ custody: Bookkeeper, _ findings: inout Findings) async throws {
        let groups = try await custody.read { books in
            try books.store.tenants().flatMap { tenant in
                try books.store.keyVaults(of: tenant.id).compactMap { keyVault in
                    try books.store.key(.ecdsaSecp256k1, of: keyVault.id)
                        .flatMap { try books.store.group($0.signing) }
                        .flatMap { $0.isActive ? (tenant.name, $0) : nil }
                }
            }
        }
        let online = try await custody.read { books in
            Set(try books.store.holders().filter { $0.onlineSince != nil }.map(\.identity))
        }
        var waiting: [String: Set<String>] = [:]
        for (tenant, group) in groups {
            let count = group.holders.identities.count { online.contains($0) }
            let (required, all) = (group.threshold.required, group.threshold.holders)
            guard count < required else { continue }
            waiting["\(count) of \(all) holders online, \(required) must sign", default: []]
                .insert(tenant)
        }
        for (what, tenants) in waiting.sorted(by: { $0.key < $1.key }) {
            findings.fail(
                "signing: \(what)",
                "withdrawals of \(tenants.sorted().joined(separator: ", ")) wait")
        }
        if waiting.isEmpty, !groups.isEmpty {
            findings.ok("signing: enough holders are online for every tenant")
        }
    }

    private func deliveries(_ custody: Bookkeeper, _ findings: inout Findings) async throws {
        let dead = try await custody.read { books in
            let one = try PageRequest(limit: 1)
            return try books.store.tenants().filter { tenant in
                try !books.store.events(
                    of: tenant.id, matching: EventFilter(states: [.dead]), one
                ).items.isEmpty
            }
        }
        for tenant in dead {
            findings.warn(
                "webhook of \(tenant.name)",
                "events were given up: quorumkeep events list --tenant \(tenant.id) --state Dead")
        }
        if dead.isEmpty { findings.ok("webhooks: no event was given up") }
    }
}
