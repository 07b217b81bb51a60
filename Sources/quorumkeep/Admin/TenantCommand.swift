import ArgumentParser
import Custody
import Foundation
import Housekeeping
import Intents

struct TenantCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenant", abstract: "Tenants of a running installation.",
        subcommands: [Create.self, Cooling.self, List.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a tenant; its holders then make its key.")

        @OptionGroup var options: PlatformOption

        @Option(help: "The tenant's name.")
        var name: String

        @Option(
            help: "A holder of its key, by name; repeat for each. All that are known if left out.")
        var holder: [String] = []

        @Option(help: "How many of them must sign.")
        var threshold = 2

        @Option(help: "How long a new address-book entry waits before it is used, in seconds.")
        var cooling: Int64 = 0

        @Option(help: "How long to wait for the key, in seconds; 0 not to wait.")
        var wait = 300

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let (names, threshold, name, cooling) = (holder, threshold, name, cooling)
            let tenant = try await refusing {
                try await custody.write(as: .operator) { books in
                    let known = try books.store.holders()
                    let chosen =
                        try names.isEmpty
                        ? known
                        : names.map { try books.holder(named: $0) }
                    let (tenant, _) = try books.createTenant(
                        name: name, threshold: threshold, holders: chosen,
                        coolingSeconds: cooling)
                    try books.audit("createTenant", of: tenant.id, [tenant.id.text])
                    return tenant
                }
            }
            print(tenant.id.text)
            try await waitForKey(of: tenant.id, custody)
        }

        private func waitForKey(of tenant: TenantID, _ custody: Bookkeeper) async throws {
            guard wait > 0 else { return }
            let deadline = ContinuousClock.now + .seconds(wait)
            Progress.say("waiting for the holders to make the key")
            while ContinuousClock.now < deadline {
                let isMade = try await custody.read { try $0.isKeyMade(of: tenant) }
                if isMade { return Progress.say("the key is made") }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw CommandFailure(
                "the key is not made yet: every holder must be online and have confirmed the "
                    + "ceremony (quorumkeep-node pending); it goes on by itself")
        }
    }

    struct Cooling: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set how long new address-book entries of a tenant wait before they are used."
        )

        @OptionGroup var options: PlatformOption

        @OptionGroup var owner: TenantOption

        @Option(help: "The cooling period, in seconds; 0 for none.")
        var seconds: Int64

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let (owner, seconds) = (owner, seconds)
            try await refusing {
                try await custody.write { try $0.setCooling(seconds, of: owner.id($0)) }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show all tenants.")

        @OptionGroup var options: PlatformOption

        func run() async throws {
            let (custody, _) = try options.directory.custody()
            let tenants = try await custody.read { books in
                try books.store.tenants().map { tenant in
                    (tenant, try books.isKeyMade(of: tenant.id) ? "made" : "pending")
                }
            }
            for (tenant, key) in tenants {
                let cooling =
                    tenant.coolingSeconds == 0 ? "" : "cooling \(tenant.coolingSeconds) s  "
                print(
                    "\(tenant.id)  \(tenant.environment.name)  key \(key)  \(cooling)\(tenant.name)"
                )
            }
        }
    }
}

/// Runs work and shows a refusal's sentence in place of its structure.
func refusing<Result>(_ work: () async throws -> Result) async throws -> Result {
    do {
        return try await work()
    } catch let refusal as Refusal {
        throw CommandFailure(refusal.message)
    }
}

/// Says on standard error what is going on, for people who wait.
enum Progress {
    static func say(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
