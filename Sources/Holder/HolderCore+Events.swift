import Algebra
import Canonical
import Intents
import KeyGroups

/// What of the events that are kept is on its way.
struct EventOutbox {
    /// Servers for which something may be kept. After a start nobody knows.
    var waiting: Set<Digest>
    /// The event that each server is being told.
    var underWay: [Digest: String] = [:]
    /// Whether events for servers that are not named any more were dropped.
    var isSwept = false

    init(_ servers: [EventServer]) { waiting = Set(servers.map(\.id)) }
}

/// Telling the operator's event servers what becomes of requests. An event is stored in the
/// transaction of what it tells of; each server is told one at a time, in order, and of the oldest
/// that it has not acknowledged when this process begins. Nothing here waits for a server.
extension HolderCore {
    /// How long after a request's end it is known what was told of it, in seconds.
    private static let toldSeconds: UInt64 = 24 * 3600

    /// Hands out the next event for each server that is being told nothing.
    func deliverEvents() throws {
        if !outbox.isSwept {
            try store.dropEvents(exceptFor: Set(eventServers.map(\.id)))
            outbox.isSwept = true
        }
        for server in eventServers
        where outbox.waiting.contains(server.id) && outbox.underWay[server.id] == nil {
            guard let event = try store.oldestEvent(for: server.id) else {
                outbox.waiting.remove(server.id)
                continue
            }
            outbox.underWay[server.id] = event.id
            outputs.append(.deliver(event, to: server))
        }
    }

    func delivered(_ event: String, to server: Digest) throws {
        guard outbox.underWay[server] == event else { return }
        outbox.underWay[server] = nil
        try store.dropEvent(event, for: server)
    }

    /// Tells where a request is, unless that was told before; nothing follows an end. The first
    /// thing that is told of a request is that it is there.
    ///
    /// - Parameters:
    ///   - bytes: the intent's.
    ///   - reason: why it does not go on; each is told.
    func tell(
        _ status: HolderEvent.Status, of digest: Digest, _ bytes: [UInt8],
        reason: String = "", result: JSONValue? = nil
    ) throws {
        guard !eventServers.isEmpty, let intent = try? Intent(bytes), !intent.isAnnouncement
        else { return }
        let before = try store.told(of: digest)
        if let before {
            let isNew = before < status || (before == status && !reason.isEmpty)
            guard before.isOpen, isNew else { return }
        }
        let words = try words(
            of: intent, digest, items: intent.item.map { [$0] } ?? [])
        func keep(_ status: HolderEvent.Status, _ reason: String, _ result: JSONValue?) throws {
            try self.keep(
                HolderEvent(
                    status, of: digest, words, node: identity.publicKey, at: now, reason: reason,
                    result: result))
        }
        if before == nil, status != .scheduling { try keep(.scheduling, "", nil) }
        try keep(status, reason, result)
        try store.setTold(status, of: digest, expires: intent.expires)
    }

    /// Forgets what was told of requests that ended long ago. Nothing more will be told of them:
    /// what was refused is closed a minute after its end, what is closed stays so, no run begins
    /// after the end and none lasts longer than two minutes, and a key becomes active once.
    func forgetTold() throws {
        guard now > Self.toldSeconds else { return }
        try store.forgetTold(expiredBefore: now - Self.toldSeconds)
    }

    private func keep(_ event: HolderEvent) throws {
        for server in eventServers {
            let dropped = try store.keep(event, for: server.id, most: HolderEvent.keptMost)
            if dropped > 0 {
                note(
                    "dropped the oldest event for \(server.address): \(HolderEvent.keptMost) wait "
                        + "already")
            }
            outbox.waiting.insert(server.id)
        }
    }

    /// Tells what this holder has answered.
    func tell(_ verdict: Verdict, on digest: Digest, _ bytes: [UInt8]) throws {
        switch verdict {
        case .approval:
            try tell(.processing, of: digest, bytes)
        case .refusal(let reason):
            try tell(.declined, of: digest, bytes, reason: reason.sentence)
        case .closed:
            try tell(.canceled, of: digest, bytes, reason: "It was closed or has expired.")
        case .waiting, .given: break
        }
    }

    /// Tells what was signed in a run that this holder took part in.
    func tell(
        _ signatures: [ECDSASignature], of items: [SigningItem], _ descriptor: RunDescriptor
    ) throws {
        guard let record = try store.intent(descriptor.intent) else { return }
        let made: [JSONValue] = zip(items, signatures).map { item, signature in
            .object([
                "bip32_path": .string(item.path.description),
                "msg_hash": .string(item.digest.hex), "tweak": .string(""),
                "signature": .string(Hex.encode(signature.r.bytes + signature.s.bytes)),
                "signature_recovery": .string(Hex.encode([signature.recoveryID])),
            ])
        }
        let result = JSONValue.object([
            "signatures": .array(made),
            "signature_type": .integer(descriptor.scheme.callbackType),
            "tss_protocol": .integer(descriptor.scheme.callbackProtocol),
        ])
        try tell(.completed, of: record.digest, record.bytes, result: result)
    }

    /// Tells of a key that every holder has confirmed.
    func tell(ofActive key: KeyRecord) throws {
        guard let record = try store.intent(key.intent) else { return }
        let isEdwards = key.scheme == .ed25519
        let participants: [JSONValue] = zip(key.roster.identities, key.roster.indices).map {
            .object([
                "node_id": .string($0.hex), "share_id": .string(String($1.raw)),
                "share_public_key": .string(
                    "0x" + Hex.encode(key.key.verifyingShares[$1] ?? [])),
            ])
        }
        let result = JSONValue.object([
            "id": .string(key.group.hex), "created_timestamp": .integer(now * 1000),
            "type": .integer(isEdwards ? 2 : 1),
            "root_extended_public_key": .string(key.key.rootText),
            "chaincode": .string("0x" + Hex.encode(key.key.chainCode)),
            "curve": .string(isEdwards ? "ed25519" : "secp256k1"),
            "threshold": .integer(key.key.threshold.required),
            "participants": .array(participants),
        ])
        try tell(.completed, of: record.digest, record.bytes, result: result)
    }
}
