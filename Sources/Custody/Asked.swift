import Algebra
import Intents
import KeyGroups

/// Whom a request concerns, and how many of them must take part.
struct Asked {
    /// Holders of which so many must take part: the group that signs; or all that receive shares,
    /// and then those of whom some deal them.
    struct Quorum {
        let holders: Roster
        let required: Int
    }

    let quorums: [Quorum]
    let scheme: SignatureScheme
    /// Of the group that signs.
    let certificate: KeyCertificate?
    /// Of the group that deals.
    let source: KeyCertificate?

    /// Members of runs of the request, who may have been replaced since.
    let runMembers: [IdentityPublicKey]

    var everyone: [IdentityPublicKey] {
        Set(quorums.flatMap(\.holders.identities) + runMembers).sorted()
    }

    /// Why enough can take part no more, if that is so.
    func failure(after verdicts: [IdentityPublicKey: Verdict]) -> Failure? {
        for quorum in quorums {
            let holders = quorum.holders.identities
            let lost = holders.count { verdicts[$0]?.isFinalNo ?? false }
            if holders.count - lost < quorum.required {
                return Failure(
                    .refusedByHolders,
                    "\(lost) of \(holders.count) holders refused; \(quorum.required) must sign.")
            }
        }
        return nil
    }
}

extension Books {
    /// Whom a request is offered to.
    public func everyone(asked request: SigningRequest) throws -> [IdentityPublicKey] {
        try offered(request, among: try asked(request).everyone)
    }

    /// To whom of these a request is offered: a withdrawal to those who know its destination, for
    /// the others would refuse it for good.
    func offered(
        _ request: SigningRequest, among holders: [IdentityPublicKey]
    ) throws -> [IdentityPublicKey] {
        guard let id = request.transaction, let transaction = try store.transaction(id) else {
            return holders
        }
        // Only what an address of the book is paid is known to holders by its destination.
        guard transaction.kind == .withdrawal,
            try transaction.hash == nil || store.replacement(by: request.digest)?.kind != .drop
        else { return holders }
        let knowing = try notices(of: transaction).filter(\.isTold).map(\.holder)
        return holders.filter(knowing.contains)
    }

    func asked(_ request: SigningRequest) throws -> Asked {
        guard let group = try store.group(request.group) else {
            throw LedgerFault.impossible("group of a request")
        }
        let runMembers = try store.runs(of: request.digest).flatMap(\.members)
        guard let id = request.ceremony else {
            return Asked(
                quorums: [.init(holders: group.holders, required: group.threshold.required)],
                scheme: group.scheme, certificate: group.certificate, source: nil,
                runMembers: runMembers)
        }
        guard let ceremony = try store.ceremony(id) else {
            throw LedgerFault.impossible("ceremony \(id)")
        }
        var quorums = [
            Asked.Quorum(holders: ceremony.holders, required: ceremony.threshold.holders)
        ]
        let source = try ceremony.source.flatMap { try store.group($0) }
        if let source {
            let dealers = ceremony.dealers.flatMap { source.holders.only($0) } ?? source.holders
            quorums.append(.init(holders: dealers, required: source.threshold.required))
        }
        return Asked(
            quorums: quorums, scheme: group.scheme, certificate: nil,
            source: source?.certificate, runMembers: runMembers)
    }
}

extension Roster {
    /// These members at their places; nil if one is none of ours.
    func only(_ members: [IdentityPublicKey]) -> Roster? {
        let sorted = members.sorted()
        let places = sorted.compactMap { position(of: $0).flatMap { index(at: $0) } }
        return Roster(sorted, places)
    }
}
