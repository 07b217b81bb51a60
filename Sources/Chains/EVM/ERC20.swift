import Algebra
import Canonical

/// A token's `transfer(address,uint256)`, by which tokens are paid.
public struct ERC20Transfer: Hashable, Sendable {
    /// The first four bytes of Keccak-256 of `transfer(address,uint256)`.
    private static let selector: [UInt8] = [0xa9, 0x05, 0x9c, 0xbb]
    /// Selector and two words.
    private static let byteCount = 68
    /// Gas that a transfer may use where the asset's configuration names no limit. Most tokens use
    /// 35,000 to 65,000.
    public static let usualGas: UInt64 = 100_000
    /// The highest gas limit that an asset may have, and that a holder signs.
    public static let gasMost: UInt64 = 1_000_000

    public let recipient: EVMAddress
    public let amount: Amount

    public init(recipient: EVMAddress, amount: Amount) {
        self.recipient = recipient
        self.amount = amount
    }

    /// The call's data.
    public var data: [UInt8] {
        Self.selector + ABIWord.bytes(recipient) + ABIWord.bytes(amount)
    }

    /// Nil unless the data is exactly such a call, of an amount that can be.
    public init?(data: some Collection<UInt8>) {
        let data = Array(data)
        guard data.count == Self.byteCount, data.starts(with: Self.selector),
            let recipient = ABIWord.address(data[4..<36]), let amount = ABIWord.amount(data[36...])
        else { return nil }
        self.init(recipient: recipient, amount: amount)
    }
}

/// A token's `Transfer` event: so much went from one account to another.
public struct ERC20Log: Hashable, Sendable {
    /// Keccak-256 of `Transfer(address,address,uint256)`, the first topic.
    public static let topic = Keccak256.hash(Array("Transfer(address,address,uint256)".utf8))

    /// The token's contract, which wrote it.
    public let contract: EVMAddress
    public let from: EVMAddress
    public let to: EVMAddress
    public let amount: Amount

    public init(contract: EVMAddress, from: EVMAddress, to: EVMAddress, amount: Amount) {
        self.contract = contract
        self.from = from
        self.to = to
        self.amount = amount
    }

    /// Nil where the log is of another event, or of an amount beyond what an `Amount` can be.
    public init?(contract: EVMAddress, topics: [Digest], data: [UInt8]) {
        guard topics.count == 3, topics[0] == Self.topic,
            let from = ABIWord.address(topics[1].bytes[...]),
            let to = ABIWord.address(topics[2].bytes[...]), let amount = ABIWord.amount(data[...])
        else { return nil }
        self.init(contract: contract, from: from, to: to, amount: amount)
    }

    /// The topics and the data that a contract writes.
    public var topics: [[UInt8]] {
        [Self.topic.bytes, ABIWord.bytes(from), ABIWord.bytes(to)]
    }
    public var data: [UInt8] { ABIWord.bytes(amount) }
}

/// Values as Solidity's ABI writes them: words of 32 bytes, big-endian.
public enum ABIWord {
    private static let byteCount = 32

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](repeating: 0, count: byteCount - bytes.count) + bytes
    }

    public static func bytes(_ address: EVMAddress) -> [UInt8] { padded(address.bytes) }
    public static func bytes(_ amount: Amount) -> [UInt8] { padded(amount.magnitude) }

    /// Nil unless the bytes are one word with an address in it and nothing above.
    public static func address(_ word: ArraySlice<UInt8>) -> EVMAddress? {
        let zeros = byteCount - EVMAddress.byteCount
        guard word.count == byteCount, word.prefix(zeros).allSatisfy({ $0 == 0 }) else {
            return nil
        }
        return EVMAddress(Array(word.dropFirst(zeros)))
    }

    static func amount(_ word: ArraySlice<UInt8>) -> Amount? {
        word.count == byteCount ? Amount(magnitude: word) : nil
    }
}
