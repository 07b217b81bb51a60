import Canonical

/// A server of the operator's that must approve what a holder's own rules admit.
public struct CallbackServer: Hashable, Sendable {
    /// Names address and public key together: with another key it is another server.
    public let id: Digest
    /// Where it is asked, without a path.
    public let address: String

    /// - Parameter publicKey: the key of its answers, as it is encoded.
    public init(address: String, publicKey: [UInt8]) {
        self.address = address
        let name = CBOR.array([.bytes(Array(address.utf8)), .bytes(publicKey)]).encoded()
        id = TaggedHash.digest("quorumkeep/callback-server/v1", name)
    }
}

/// What a callback server has decided of one thing that it was asked. It is stored before it is
/// used, and the first one stays.
public enum ServerDecision: Equatable, Sendable {
    case approved
    /// - Parameter why: the server's own words, for the operator alone.
    case rejected(why: String)
    /// It gave no answer that counts, as often as it was asked.
    case silent(why: String)

    /// Most characters of a reason that are kept.
    public static let whyMost = 300
}

/// Whom the operator wants to be asked, and who has decided what.
public struct Consents: Equatable, Sendable {
    public let servers: [CallbackServer]
    /// By server.
    public let decisions: [Digest: ServerDecision]

    public init(_ servers: [CallbackServer] = [], decisions: [Digest: ServerDecision] = [:]) {
        self.servers = servers
        self.decisions = decisions
    }

    /// Who has not decided.
    public var missing: [CallbackServer] { servers.filter { decisions[$0.id] == nil } }

    public var isApproved: Bool { servers.allSatisfy { decisions[$0.id] == .approved } }

    /// Whether all have approved, or one has not: then the others are asked no more.
    public var isSettled: Bool {
        missing.isEmpty || servers.contains { decisions[$0.id].map { $0 != .approved } ?? false }
    }
}

extension Verdict.Reason {
    public static let callbackPending = Verdict.Reason(
        .callbackPending, "This holder's callback servers have not decided yet.")
}

extension Judge {
    /// All servers must approve, and are asked only about what the rules admit. What they said is
    /// for the operator: the platform is told no more than that one said no.
    func settle(_ approved: Approved, _ knowing: HolderKnowledge) throws(Stop) -> Finding {
        for server in knowing.consents.servers {
            switch knowing.consents.decisions[server.id] {
            case .approved, nil: break
            case .rejected:
                throw refuse(.callbackRejected, "A callback server of this holder rejected it.")
            case .silent:
                throw refuse(
                    .callbackUnanswered, "A callback server of this holder did not answer.")
            }
        }
        return knowing.consents.missing.isEmpty ? .approve(approved) : .consult(approved)
    }
}
