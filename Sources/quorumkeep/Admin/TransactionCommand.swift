import Algebra
import ArgumentParser
import Canonical
import Chains
import Custody
import Housekeeping
import Intents
import KeyGroups

struct TransactionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tx", abstract: "Transactions of an installation.",
        subcommands: [Explain.self])

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell a transaction's story: what happened, and what it waits for.")

        @OptionGroup var options: PlatformOption

        @Argument(help: "The transaction's id.")
        var transaction: String

        func run() async throws {
            guard let id = TransactionID(text: transaction.lowercased()) else {
                throw ValidationError("that is no transaction's id")
            }
            let (custody, _) = try options.directory.custody()
            let lines = try await custody.read { books -> [String]? in
                guard let transaction = try books.store.transaction(id) else { return nil }
                return try TransactionStory(books, transaction).lines
            }
            guard let lines else { throw CommandFailure("there is no such transaction") }
            print(lines.joined(separator: "\n"))
        }
    }
}

/// A transaction in words, from everything that the platform keeps about it.
struct TransactionStory {
    private static let eventsMost = 50

    private let books: Books
    private let transaction: Transaction
    private let names: [IdentityPublicKey: String]

    init(_ books: Books, _ transaction: Transaction) throws {
        self.books = books
        self.transaction = transaction
        names = Dictionary(
            uniqueKeysWithValues: try books.store.holders().map { ($0.identity, $0.name) })
    }

    var lines: [String] {
        get throws {
            let view = try books.view(transaction)
            return try head(view) + course(view) + waiting(view) + consolidations(view)
                + replacements(view) + signing() + broadcasts() + events()
        }
    }

    private func head(_ view: TransactionView) throws -> [String] {
        let asset = books.settings.asset(transaction.asset)
        let amount = transaction.amount.text(decimals: asset?.decimals ?? 0)
        var lines = [
            "\(transaction.kind.rawValue) of \(amount) \(transaction.asset): "
                + transaction.status.rawValue
        ]
        func add(_ name: String, _ text: String?) {
            if let text { lines.append("  \(Self.padded(name, 12))\(text)") }
        }
        add("tenant", try books.store.tenant(transaction.tenant)?.name)
        add("wallet", transaction.wallet.text)
        add("to wallet", transaction.destinationWallet?.text)
        add("from", transaction.sourceAddress)
        add("to", transaction.destinationAddress)
        func fee(_ amount: Amount) -> String {
            let coin = view.feeAsset
            return "\(amount.text(decimals: coin?.decimals ?? 0)) \(coin?.id ?? "base units")"
        }
        if let paid = transaction.fee {
            add("fee", fee(paid))
        } else if transaction.feeMost != .zero {
            add("fee", "at most \(fee(transaction.feeMost))")
        }
        if let gathering = view.gathering {
            let spent = fee(gathering.fee)
            add(
                "gathering",
                gathering.most.map { "\(spent) so far, at most \(fee($0))" } ?? spent)
            add("whole fee", (gathering.most == nil ? "" : "at most ") + fee(gathering.whole))
        }
        add("withdrawal", transaction.parent?.text)
        add("hash", transaction.hash.map { "0x\($0.hex)" })
        if let block = transaction.blockNumber {
            add(
                "block",
                "\(block), \(view.confirmations) of \(view.requiredConfirmations) confirmations")
        }
        add("external id", transaction.externalID)
        add("note", transaction.note)
        return lines
    }

    private func course(_ view: TransactionView) -> [String] {
        ["Course"] + view.timeline.map { "  \($0.at.text)  \($0.status.rawValue)" }
    }

    private func waiting(_ view: TransactionView) -> [String] {
        if let failure = transaction.failure {
            return ["Failed because", "  \(failure.code.rawValue): \(failure.message)"]
        }
        guard let waiting = view.waiting else { return [] }
        let who = waiting.who.isEmpty ? "" : ": \(waiting.who.joined(separator: ", "))"
        return [
            "Waits for", "  \(waiting.cause.rawValue)\(who), since \(waiting.since.text)",
            "  \(waiting.next)",
        ]
    }

    /// The transfers that gather what it needs: each has a story of its own.
    private func consolidations(_ view: TransactionView) -> [String] {
        (view.consolidations.isEmpty ? [] : ["Consolidation"])
            + view.consolidations.map { transfer in
                let asset = books.settings.asset(transfer.asset)
                return "  \(transfer.id.text)  \(Self.padded(transfer.status.rawValue, 17))"
                    + "\(transfer.amount.text(decimals: asset?.decimals ?? 0)) \(transfer.asset) "
                    + "from \(transfer.sourceAddress ?? "?") to "
                    + (transfer.destinationAddress ?? "?")
            }
    }

    private func replacements(_ view: TransactionView) -> [String] {
        (view.replacements.isEmpty ? [] : ["Replacements"])
            + view.replacements.map { replacement in
                "  \(replacement.kind.rawValue) no. \(replacement.number), at most "
                    + "\(replacement.fee.maxFeePerGas) wei for a gas: \(replacement.state.rawValue)"
                    + (replacement.hash.map { ", 0x\($0.hex)" } ?? "")
            }
    }

    private func signing() throws -> [String] {
        let requests = try books.store.signingRequests(of: transaction.id)
        return try (requests.isEmpty ? [] : ["Signing"]) + requests.flatMap(request)
    }

    private func request(_ request: SigningRequest) throws -> [String] {
        var lines = [
            "  intent \(request.digest.hex.prefix(16)), no. \(request.attempt): "
                + "\(request.state.rawValue), asked \(request.createdAt.text), "
                + "valid until \(request.expiresAt.text)"
        ]
        if let source = request.source, let nonce = request.nonce {
            lines.append("    from \(source), nonce \(nonce)")
        }
        if let because = request.closingBecause {
            lines.append("    is closed because \(because.code.rawValue): \(because.message)")
        }
        let verdicts = try books.store.verdicts(on: request.digest)
        let asked = try books.store.group(request.group)?.holders.identities ?? []
        for holder in asked {
            let own = verdicts.filter { $0.holder == holder }.sorted {
                ($0.at, $0.verdict.isFinalWord ? 1 : 0) < ($1.at, $1.verdict.isFinalWord ? 1 : 0)
            }
            let said = own.map { verdict in
                // The time ends the sentence.
                let text = verdict.verdict.text
                return (text.last == "." ? text.dropLast() : text[...])
                    + ", \(Self.time(verdict.at))"
            }
            lines.append(
                "    \(Self.padded(name(holder), 14))"
                    + (said.isEmpty ? "has not answered" : said.joined(separator: "; ")))
        }
        for run in try books.store.runs(of: request.digest) {
            lines.append("    " + self.run(run))
        }
        return lines
    }

    private func run(_ run: SigningRun) -> String {
        var text =
            "run \(run.attempt), \(run.members.map(name).joined(separator: " and ")): "
            + run.state.rawValue
        if let ended = run.endedAt {
            text += " after \(ended.milliseconds - run.startedAt.milliseconds) ms"
        }
        if !run.silent.isEmpty {
            text += ", not heard: " + run.silent.map(name).joined(separator: ", ")
        }
        if let reason = run.reason { text += ", \(reason)" }
        return text
    }

    private func broadcasts() throws -> [String] {
        let outgoing = try books.store.outgoing(of: transaction.id)
        return (outgoing.isEmpty ? [] : ["Broadcasts"])
            + outgoing.map { outgoing in
                let isSent =
                    outgoing.state == .broadcasting && outgoing.nextBroadcast != .never
                let next = isSent ? ", next \(outgoing.nextBroadcast.text)" : ""
                return "  0x\(outgoing.hash.hex), nonce \(outgoing.nonce): "
                    + "\(outgoing.state.rawValue), times sent: \(outgoing.broadcasts)\(next)"
            }
    }

    private func events() throws -> [String] {
        let page = try books.store.events(
            of: transaction.tenant, matching: EventFilter(resource: transaction.id.bytes),
            try PageRequest(limit: Self.eventsMost))
        return (page.items.isEmpty ? [] : ["Events"])
            + page.items.reversed().map { event in
                let next = event.nextTry.map { ", next try \($0.text)" } ?? ""
                return "  \(event.id)  \(Self.padded(event.type, 27))\(event.sequence)  "
                    + "\(event.state.rawValue), attempts: \(event.attempts)\(next)"
            }
    }

    private func name(_ holder: IdentityPublicKey) -> String {
        names[holder] ?? String(holder.hex.prefix(12))
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func time(_ seconds: UInt64) -> String {
        Timestamp(milliseconds: Int64(clamping: seconds).multipliedReportingOverflow(by: 1000).0)
            .text
    }
}

extension Verdict {
    /// Whether nothing follows it from the same holder.
    fileprivate var isFinalWord: Bool { self == .closed || self == .given }
}

extension TransactionView {
    /// What it costs to gather a withdrawal's funds, and with that the whole of it; nil of what
    /// needs no gathering. While it is under way, with the most that it can be.
    fileprivate var gathering: (fee: Amount, most: Amount?, whole: Amount)? {
        guard !consolidations.isEmpty || transaction.consolidationsLeft > 0 else { return nil }
        if transaction.fee != nil || transaction.status.isFinal {
            let own = transaction.fee ?? .zero
            return (consolidationFee, nil, own.adding(consolidationFee) ?? .most)
        }
        let most = consolidationFeeLimit
        return (consolidationFee, most, transaction.feeMost.adding(most) ?? .most)
    }
}
