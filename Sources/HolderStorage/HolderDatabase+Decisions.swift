import Canonical
import GRDB
import Holder
import Intents

/// What callback servers decided.
extension HolderDatabase {
    public func decisions(on subject: Digest) throws -> [Digest: ServerDecision] {
        var decisions: [Digest: ServerDecision] = [:]
        for row in try rows(
            "SELECT server, decision, why FROM decisions WHERE subject = ?", [subject.data])
        {
            guard let server = Digest(try row.required("server")),
                let decision = ServerDecision(row["decision"], why: row["why"])
            else { throw Corrupt(description: "a row of decisions does not decode") }
            decisions[server] = decision
        }
        return decisions
    }

    public func keep(
        _ decision: ServerDecision, of server: Digest, on subject: Digest, at: UInt64
    ) throws {
        try run(
            "INSERT INTO decisions VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                subject.data, server.data, decision.name, decision.why, Int64(clamping: at),
            ])
    }
}

extension ServerDecision {
    fileprivate init?(_ name: String, why: String?) {
        switch name {
        case "approved": self = .approved
        case "rejected": self = .rejected(why: why ?? "")
        case "silent": self = .silent(why: why ?? "")
        default: return nil
        }
    }

    fileprivate var name: String {
        switch self {
        case .approved: "approved"
        case .rejected: "rejected"
        case .silent: "silent"
        }
    }

    fileprivate var why: String? {
        switch self {
        case .approved: nil
        case .rejected(let why), .silent(let why): String(why.prefix(Self.whyMost))
        }
    }
}
