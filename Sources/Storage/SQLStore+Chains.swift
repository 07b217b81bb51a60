import Canonical
import Chains
import Custody
import GRDB
import Intents

extension SQLStore {
    func insert(_ outgoing: OutgoingTransfer) throws {
        try run(
            "INSERT INTO outgoing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                outgoing.chain.text, outgoing.hash.data, outgoing.transaction.data,
                outgoing.source, Int64(outgoing.nonce), outgoing.raw.data, outgoing.state.rawValue,
                outgoing.nextBroadcast.milliseconds, outgoing.broadcasts,
            ])
    }

    func update(_ outgoing: OutgoingTransfer) throws {
        try run(
            """
            UPDATE outgoing SET state = ?, next_broadcast = ?, broadcasts = ?
            WHERE chain = ? AND hash = ?
            """,
            [
                outgoing.state.rawValue, outgoing.nextBroadcast.milliseconds, outgoing.broadcasts,
                outgoing.chain.text, outgoing.hash.data,
            ])
    }

    func outgoing(_ hash: Digest, on chain: ChainID) throws -> OutgoingTransfer? {
        try row("SELECT * FROM outgoing WHERE chain = ? AND hash = ?", [chain.text, hash.data])
            .map(Self.outgoing)
    }

    func outgoing(of transaction: TransactionID) throws -> [OutgoingTransfer] {
        try rows("SELECT * FROM outgoing WHERE movement = ?", [transaction.data])
            .map(Self.outgoing)
    }

    func outgoing(
        from source: String, nonce: UInt64, on chain: ChainID
    ) throws -> [OutgoingTransfer] {
        try rows(
            "SELECT * FROM outgoing WHERE chain = ? AND source = ? AND nonce = ?",
            [chain.text, source, Int64(nonce)]
        ).map(Self.outgoing)
    }

    func broadcasting(from source: String, on chain: ChainID) throws -> [OutgoingTransfer] {
        try rows(
            "SELECT * FROM outgoing WHERE chain = ? AND source = ? AND state = 'broadcasting'",
            [chain.text, source]
        ).map(Self.outgoing)
    }

    func outgoingToBroadcast(
        on chain: ChainID, before: Timestamp
    ) throws -> [OutgoingTransfer] {
        // By source and nonce, since a node takes a nonce only after the one before it.
        try rows(
            """
            SELECT * FROM outgoing
            WHERE chain = ? AND state = 'broadcasting' AND next_broadcast <= ?
            ORDER BY source, nonce LIMIT 500
            """, [chain.text, before.milliseconds]
        ).map(Self.outgoing)
    }

    private static func outgoing(_ row: Row) throws -> OutgoingTransfer {
        OutgoingTransfer(
            chain: try row.chain("chain"), hash: try row.value("hash"),
            transaction: try row.value("movement"), source: row["source"],
            nonce: try row.number("nonce"), raw: try row.bytes("raw"),
            state: try row.text("state"), nextBroadcast: row.time("next_broadcast"),
            broadcasts: row["broadcasts"])
    }

    func chainState(_ chain: ChainID) throws -> ChainState? {
        try row("SELECT * FROM chain_states WHERE chain = ?", [chain.text]).map { row in
            ChainState(
                chain: chain, number: try row.number("number"), hash: try row.value("hash"),
                baseFee: try row.number("base_fee"), priorityFee: try row.number("priority_fee"),
                at: row.time("at"))
        }
    }

    func put(_ state: ChainState) throws {
        try run(
            """
            INSERT INTO chain_states VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET number = excluded.number, hash = excluded.hash,
                base_fee = excluded.base_fee, priority_fee = excluded.priority_fee,
                at = excluded.at
            """,
            [
                state.chain.text, Int64(state.number), state.hash.data,
                Int64(clamping: state.baseFee), Int64(clamping: state.priorityFee),
                state.at.milliseconds,
            ])
    }

    func insert(_ block: FollowedBlock, on chain: ChainID) throws {
        try run(
            "INSERT INTO blocks VALUES (?, ?, ?, ?)",
            [chain.text, Int64(block.number), block.hash.data, block.parent.data])
    }

    func followedBlock(_ number: UInt64, on chain: ChainID) throws -> FollowedBlock? {
        try row(
            "SELECT * FROM blocks WHERE chain = ? AND number = ?", [chain.text, Int64(number)]
        ).map { row in
            FollowedBlock(
                number: number, hash: try row.value("hash"), parent: try row.value("parent"))
        }
    }

    func forgetBlocks(on chain: ChainID, from number: UInt64) throws {
        try run("DELETE FROM blocks WHERE chain = ? AND number >= ?", [chain.text, Int64(number)])
    }

    func forgetBlocks(on chain: ChainID, below number: UInt64) throws {
        let old = try rows(
            "SELECT hash FROM blocks WHERE chain = ? AND number < ?", [chain.text, Int64(number)])
        for row in old {
            try removeEffects(ofBlock: try row.value("hash"), on: chain)
        }
        try run("DELETE FROM blocks WHERE chain = ? AND number < ?", [chain.text, Int64(number)])
    }

    func insert(_ effect: ChainEffect) throws {
        let (amount, fee) = (effect.amount.columns, effect.fee.columns)
        try run(
            """
            INSERT INTO effects
                (chain, block, hash, kind, place, address, movement, asset, high, low, fee_high,
                 fee_low)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                effect.chain.text, effect.block.data, effect.hash.data, effect.kind.rawValue,
                effect.place, effect.address, effect.transaction.data, effect.asset.text,
                amount.high, amount.low, fee.high, fee.low,
            ])
    }

    func effects(ofBlock hash: Digest, on chain: ChainID) throws -> [ChainEffect] {
        try rows(
            "SELECT * FROM effects WHERE chain = ? AND block = ? ORDER BY id",
            [chain.text, hash.data]
        ).map { row in
            guard let asset = AssetID(row["asset"] as String) else { throw row.corrupt("asset") }
            return ChainEffect(
                chain: chain, block: hash, hash: try row.value("hash"),
                kind: try row.text("kind"), place: row["place"], address: row["address"],
                transaction: try row.value("movement"), asset: asset,
                amount: try row.amount("high", "low"), fee: try row.amount("fee_high", "fee_low"))
        }
    }

    func removeEffects(ofBlock hash: Digest, on chain: ChainID) throws {
        try run("DELETE FROM effects WHERE chain = ? AND block = ?", [chain.text, hash.data])
    }

    func insert(deposit transaction: TransactionID, _ place: PaymentPlace) throws {
        try run(
            "INSERT INTO deposits (chain, hash, place, movement) VALUES (?, ?, ?, ?)",
            [place.chain.text, place.hash.data, place.text, transaction.data])
    }

    func deposit(at place: PaymentPlace) throws -> TransactionID? {
        try row(
            "SELECT movement FROM deposits WHERE chain = ? AND hash = ? AND place = ?",
            [place.chain.text, place.hash.data, place.text]
        )?.value("movement")
    }
}
