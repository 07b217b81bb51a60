import Canonical
import Chains
import KeyGroups

/// A message that one derived address signs. It is no transaction and moves nothing by itself, but
/// contracts take some signatures for orders: a permit gives tokens away.
public struct MessageOrder: Equatable, Sendable {
    public let chain: ChainID
    public let sourcePath: AccountPath
    /// As text, which the holder derives and compares.
    public let sourceAddress: String
    public let message: EVMMessage

    public init(
        chain: ChainID, sourcePath: AccountPath, sourceAddress: String, message: EVMMessage
    ) {
        self.chain = chain
        self.sourcePath = sourcePath
        self.sourceAddress = sourceAddress
        self.message = message
    }

    /// What is signed, which platform and holders compute alike; nil of typed data that is none.
    public var digest: Digest? {
        switch message {
        case .personal(let bytes): EVMMessage.digest(ofPersonal: bytes)
        case .typed(let text): (try? EVMTypedData(text))?.digest
        }
    }
}

extension Intent {
    /// What is signed for it; nil of what asks for no signature, or for one of nothing.
    public var item: SigningItem? {
        switch purpose {
        case .transfer(let order): Self.item(order, order.transaction)
        case .contractCall(let order): Self.item(order.payment, order.transaction)
        case .message(let order):
            order.digest.map { SigningItem(path: order.sourcePath.derivation, digest: $0) }
        case .keyCeremony, .announcement: nil
        }
    }

    private static func item(
        _ payment: TransferOrder, _ transaction: EVMTransaction?
    ) -> SigningItem? {
        transaction.map {
            SigningItem(path: payment.sourcePath.derivation, digest: $0.signingDigest)
        }
    }
}
