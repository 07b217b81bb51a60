import CustodyClient
import Foundation
import Gateway
import Testing

@testable import quorumkeep

/// What the commands say to a person who has made a mistake, or wants to know.
@Suite(.serialized) struct `The commands` {
    private func run(_ arguments: String...) throws -> Ran {
        try Ran.run("quorumkeep", arguments)
    }

    @Test func `take a stack's directory and a tenant's name, and say what there is instead`()
        async throws
    {
        let stack = Stack(portBase: 18960)
        try await stack.start()
        let (data, platform) = (stack.directory.path, try stack.description.platform.dataDir)

        let doctor = try run("doctor", "--data", data)
        #expect(doctor.status == 0, "\(doctor)")
        #expect(doctor.output.contains("ok    signing: enough holders are online"), "\(doctor)")
        for place in [data, platform] {
            let keys = try run("key", "list", "--data", place, "--tenant", "Demo")
            #expect(keys.lines.count == 2, "\(keys)")
        }
        let id = try stack.description.tenants[1].id
        let made = try run("key", "create", "--data", data, "--tenant", id, "--name", "k")
        #expect(made.lines.count == 2, "\(made)")
        let nobody = try run("key", "list", "--data", data, "--tenant", "Nobody")
        #expect(nobody.status != 0)
        #expect(nobody.errors.contains("there is no tenant 'Nobody'"), "\(nobody)")

        let none = try run("events", "list", "--data", data, "--tenant", "Other")
        #expect((none.status, none.output, none.errors) == (0, "", "no events\n"), "\(none)")
        _ = try await stack.api().wallet("w")
        let some = try run(
            "events", "list", "--data", data, "--tenant", "Demo", "--type", "wallet.created")
        #expect(some.lines.count == 1 && some.errors.isEmpty, "\(some)")
        for (option, known) in [("--type", "wallet.created"), ("--state", "Dead")] {
            let refused = try run(
                "events", "list", "--data", data, "--tenant", "Demo", option, "withdrawal")
            #expect(refused.status != 0 && refused.errors.contains(known), "\(refused)")
            #expect(refused.errors.contains("Usage: quorumkeep events list"), "\(refused)")
        }

        let log = try run("logs", "tail", "--data", data, "nobody")
        #expect(log.status != 0)
        #expect(log.errors.contains("customer, guardian, operator, platform"), "\(log)")
        let inner = try run("logs", "tail", "--data", platform)
        #expect(inner.status != 0)
        #expect(inner.errors.contains("name the stack's directory"), "\(inner)")

        let second = stack.directory.appendingPathExtension("second").path
        let taken = try run("dev", "--data", second, "--port-base", String(stack.portBase))
        #expect(taken.status != 0)
        #expect(taken.errors.contains("choose others with --port-base"), "\(taken)")
        #expect(!FileManager.default.fileExists(atPath: second))

        try await stack.control("stop", "customer")
        try await stack.control("stop", "guardian")
        try await until("too few holders are a failure", seconds: 20) {
            let doctor = try run("doctor", "--data", data)
            return doctor.status == 1
                && doctor.lines.contains(
                    "FAIL  signing: 1 of 3 holders online, 2 must sign: "
                        + "withdrawals of Demo, Other wait")
        }
        try await stack.stop()
    }
}
