import Algebra
import Canonical
import Custody
import Foundation
import Intents
import KeyGroups
import Logging
import SwiftProtobuf
import Wire

/// Brings custody and the holders together: takes what holders say into the books, and tells them
/// what the books say to tell them. All of it in batches, each one commit.
public final class SigningDesk: HolderTraffic {
    private static let itemsMost = 16_384
    private static let tendingPause = Duration.seconds(1)

    private enum Item: Sendable {
        case message(HolderMessage, from: IdentityPublicKey)
        case online(IdentityPublicKey)
        case offline(IdentityPublicKey)
        case look
        case tend
    }

    private let custody: Bookkeeper
    private let signer: any IntentSigner
    private let log: Logger
    private let queue = BoundedQueue<Item>(countMost: itemsMost, bytesMost: .max)

    public init(custody: Bookkeeper, signer: any IntentSigner, log: Logger) {
        self.custody = custody
        self.signer = signer
        self.log = log
    }

    public func cameOnline(_ holder: IdentityPublicKey) { queue.push(.online(holder)) }
    public func wentOffline(_ holder: IdentityPublicKey) { queue.push(.offline(holder)) }

    public func received(_ message: HolderMessage, from holder: IdentityPublicKey) {
        queue.push(.message(message, from: holder))
    }

    public func knows(_ holder: IdentityPublicKey) async -> Bool {
        let known = try? await custody.read { books in try books.store.holders() }
        return known?.contains { $0.identity == holder } ?? false
    }

    /// Works until cancelled, sending through the relay.
    public func run(through relay: Relay) async {
        queue.push(.look)
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in self.custody.bells.signing.rings { self.queue.push(.look) }
            }
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.tendingPause)
                    self.queue.push(.tend)
                }
            }
            while let batch = await queue.next() { await handle(batch, relay) }
            group.cancelAll()
        }
    }

    private func handle(_ batch: [Item], _ relay: Relay) async {
        do {
            try await perform(batch, relay)
        } catch {
            // One item may be at fault: by themselves the others go on.
            for item in batch {
                do {
                    try await perform([item], relay)
                } catch {
                    log.error("the signing desk failed at an item: \(error)")
                }
            }
        }
    }

    private func perform(_ batch: [Item], _ relay: Relay) async throws {
        let (online, signer) = (relay.online, signer)
        let orders = try await custody.write { books in
            var orders: [HolderOrder] = []
            var mustTend = false
            for item in batch {
                switch item {
                case .message(let message, let holder):
                    orders += try Self.take(message, holder, books, online, signer)
                case .online(let holder):
                    try books.store.setOnline(holder, since: books.now)
                    orders += try books.orders(for: holder, signer: signer)
                case .offline(let holder):
                    try books.store.setOnline(holder, since: nil)
                    mustTend = true
                case .look: break
                case .tend: mustTend = true
                }
            }
            orders += try books.announce(to: online, signer: signer)
            for request in try books.makeIntents(signer: signer) {
                orders.append(
                    .offer(
                        intent: request.bytes, signature: request.signature,
                        to: try books.everyone(asked: request).filter(online.contains)))
            }
            if mustTend {
                orders += try books.tend(online: online, signer: signer)
                orders += try books.checkUpOrders(online: online)
                try books.rotate(online: online)
            }
            return orders
        }
        for order in orders { Self.send(order, relay) }
    }

    private static func take(
        _ message: HolderMessage, _ holder: IdentityPublicKey, _ books: Books,
        _ online: Set<IdentityPublicKey>, _ signer: any IntentSigner
    ) throws -> [HolderOrder] {
        switch message {
        case .verdict(let verdict):
            // Signed by the holder itself, so it counts whoever brings it.
            return try books.take(verdict, online: online, signer: signer)
        case .signatures(let intent, let signatures):
            if let signature = signatures.first {
                _ = try books.take(signature: signature, of: intent)
            }
            return []
        case .keyReady(let certificate, let activations):
            return try books.take(certificate, activations: activations, signer: signer).1
        case .shareProof(let group, let epoch, let challenge, let proof):
            try books.take(
                proof: proof, of: group, epoch: epoch, challenge: challenge, from: holder)
            return []
        case .runEnded(let descriptor, let reason, let culprits, let missing, let isBan):
            return try books.runEnded(
                descriptor, reason: reason, culprits: culprits, missing: missing, isBan: isBan,
                heardFrom: holder, online: online, signer: signer)
        }
    }

    private static func send(_ order: HolderOrder, _ relay: Relay) {
        let (frame, bytes, holders): (RelayWire.FromRelay, Int, [IdentityPublicKey])
        switch order {
        case .offer(let intent, let signature, let to):
            holders = to
            bytes = intent.count
            frame = .with {
                $0.offer.intent = Data(intent)
                $0.offer.signature = Data(signature.bytes)
            }
        case .close(let intent, let signature, let to):
            holders = to
            bytes = 96
            frame = .with {
                $0.close.intentDigest = Data(intent.bytes)
                $0.close.signature = Data(signature.bytes)
            }
        case .run(let descriptor, let source, let to):
            holders = to
            bytes = descriptor.count + source.count
            frame = .with {
                $0.run.descriptor = Data(descriptor)
                $0.run.sourceCertificate = Data(source)
            }
        case .checkUp(let group, let challenge, let to):
            holders = to
            bytes = 64
            frame = .with {
                $0.checkUp.groupID = Data(group.bytes)
                $0.checkUp.challenge = Data(challenge)
            }
        }
        for holder in holders { relay.send(frame, to: holder, bytes: bytes) }
    }
}
