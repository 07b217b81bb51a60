import Canonical
import Chains
import Holder
import Intents
import KeyGroups
import TestKit

/// What the platform wants of the holders, asks for while the network misbehaves, and must get once
/// it is whole again.
protocol Scenario {
    /// Asks for the first time.
    mutating func start(_ network: FaultyNetwork) throws
    /// Asks again for what is missing.
    ///
    /// - Parameter isHealed: ask of honest holders only and for nothing false, so that one attempt
    ///   is enough.
    mutating func retry(_ network: FaultyNetwork, isHealed: Bool) throws
    /// Whether the honest holders have answered all that has been asked of them.
    func isDone(_ network: FaultyNetwork) -> Bool
    /// How often it must be enough to ask when the network is whole.
    var attemptsMost: Int { get }
}

/// Withdrawals: some are to be signed, one may be refused, one may be closed, and the last is asked
/// for when everything has healed.
struct SigningScenario: Scenario {
    private enum Wish {
        case signed
        case refused
        case closed
        case signedWhenHealed
    }

    private struct Request {
        let intent: Intent
        let order: TransferOrder
        let wish: Wish
    }

    /// The first may meet what is left of a run; the next finds nothing in its way.
    var attemptsMost: Int { 2 }

    private var requests: [Request] = []

    init(_ network: FaultyNetwork) {
        var wishes = [Wish](repeating: .signed, count: 1 + network.random.integer(below: 2))
        if network.chance(1, of: 3) { wishes.append(.refused) }
        if network.chance(1, of: 3) { wishes.append(.closed) }
        wishes.append(.signedWhenHealed)
        for (number, wish) in wishes.enumerated() {
            let amount: UInt64 = wish == .refused ? 1_000_001 : 1000 + UInt64(number)
            let order = network.quorum.order(amount: amount, nonce: UInt64(number))
            let intent = network.quorum.intent(
                .transfer(order), lifetime: 50_000, request: UInt8(10 + number))
            requests.append(Request(intent: intent, order: order, wish: wish))
        }
    }

    mutating func start(_ network: FaultyNetwork) {
        for request in requests {
            if request.wish != .refused {
                network.admit(request.intent, network.quorum.items(request.order))
            }
            if request.wish != .signedWhenHealed { network.quorum.offer(request.intent) }
        }
    }

    mutating func retry(_ network: FaultyNetwork, isHealed: Bool) {
        for request in requests where !isDone(request, network) {
            switch request.wish {
            case .signedWhenHealed:
                if isHealed { ask(request, network, isHealed: true) }
            case .signed: ask(request, network, isHealed: isHealed)
            case .refused: if !isHealed { ask(request, network, isHealed: false) }
            case .closed:
                if isHealed || network.chance(1, of: 4) {
                    close(request.intent, network)
                } else {
                    ask(request, network, isHealed: false)
                }
            }
        }
    }

    private func ask(_ request: Request, _ network: FaultyNetwork, isHealed: Bool) {
        let quorum = network.quorum
        if isHealed || network.chance(1, of: 2) { quorum.offer(request.intent) }
        let members = isHealed ? network.honest : Array(quorum.members.indices)
        let chosen = network.random.shuffled(members).prefix(quorum.threshold.required).sorted()
        network.count("runs proposed")
        if !isHealed, network.chance(1, of: 8) {
            // A run for this intent that would sign another's transaction.
            let other = requests[network.random.integer(below: requests.count)]
            quorum.proposeSigning(request.intent, other.order, chosen)
        } else {
            quorum.proposeSigning(request.intent, request.order, chosen)
        }
    }

    private func close(_ intent: Intent, _ network: FaultyNetwork) {
        let signature = network.quorum.sign(PlatformOrder.close(intent.digest))
        for index in network.quorum.members.indices {
            network.quorum.post(.close(intent: intent.digest, signature: signature), to: index)
        }
    }

    func isDone(_ network: FaultyNetwork) -> Bool {
        requests.allSatisfy { request in
            (request.wish == .signedWhenHealed && !network.isHealed) || isDone(request, network)
        }
    }

    private func isDone(_ request: Request, _ network: FaultyNetwork) -> Bool {
        let (quorum, digest) = (network.quorum, request.intent.digest)
        switch request.wish {
        case .signed, .signedWhenHealed:
            return network.honest.contains { quorum.signatures[digest]?[$0] != nil }
        case .refused: return true
        case .closed:
            return network.honest.allSatisfy { member in
                let last = quorum.verdicts.last {
                    $0.member == member && $0.verdict.intent == digest
                }
                return last.map { [.closed, .given].contains($0.verdict.verdict) } ?? false
            }
        }
    }
}
