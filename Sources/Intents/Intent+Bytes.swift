import Algebra
import Canonical
import Chains
import KeyGroups

/// The intent's bytes: deterministic CBOR with the small integer keys of docs/protocols/intent.md.
extension Intent {
    private enum Key {
        static let version: UInt64 = 1, environment: UInt64 = 2, tenant: UInt64 = 3
        static let vault: UInt64 = 4, request: UInt64 = 5, group: UInt64 = 6, epoch: UInt64 = 7
        static let kind: UInt64 = 8, chain: UInt64 = 9, source: UInt64 = 10
        static let outputs: UInt64 = 11, inputs: UInt64 = 12, fee: UInt64 = 13
        static let payload: UInt64 = 14
        static let notBefore: UInt64 = 15, expires: UInt64 = 16, policy: UInt64 = 17
        /// A key ceremony's or an announcement's map, in place of 9 to 14.
        static let ceremony: UInt64 = 9, announcement: UInt64 = 9
    }

    private enum Kind {
        static let transfer: UInt64 = 1
        static let contractCall: UInt64 = 2
        static let message: UInt64 = 3
        static let keyCeremony: UInt64 = 5
        static let announcement: UInt64 = 6
    }

    /// Forms of a message, in its payload.
    private enum Form {
        static let personal: UInt64 = 1
        static let typed: UInt64 = 2
    }

    /// Longest address text; Bitcoin's longest has 90 characters.
    private static let textMost = 128

    public var bytes: [UInt8] {
        var fields: [UInt64: CBOR] = [
            Key.version: .unsigned(Self.version),
            Key.environment: .unsigned(environment.rawValue),
            Key.tenant: .bytes(tenant.bytes),
            Key.vault: .bytes(vault.bytes),
            Key.request: .bytes(request.bytes),
            Key.group: .bytes(group.bytes),
            Key.epoch: .unsigned(epoch),
            Key.notBefore: .unsigned(notBefore),
            Key.expires: .unsigned(expires),
            Key.policy: .bytes(policy.bytes),
        ]
        switch purpose {
        case .transfer(let order):
            fields[Key.kind] = .unsigned(Kind.transfer)
            Self.write(order, into: &fields)
        case .contractCall(let order):
            fields[Key.kind] = .unsigned(Kind.contractCall)
            Self.write(order.payment, into: &fields)
            fields[Key.payload] = .bytes(order.data)
        case .message(let order):
            fields[Key.kind] = .unsigned(Kind.message)
            fields[Key.chain] = .text(order.chain.text)
            fields[Key.source] = Self.source(order.sourcePath, order.sourceAddress)
            let (form, bytes) =
                switch order.message {
                case .personal(let bytes): (Form.personal, bytes)
                case .typed(let text): (Form.typed, text)
                }
            fields[Key.payload] = .map([1: .unsigned(form), 2: .bytes(bytes)])
        case .keyCeremony(let ceremony):
            fields[Key.kind] = .unsigned(Kind.keyCeremony)
            fields[Key.ceremony] = ceremony.encoded
        case .announcement(let announcement):
            fields[Key.kind] = .unsigned(Kind.announcement)
            fields[Key.announcement] = .map([
                1: .unsigned(announcement.change.rawValue), 2: .text(announcement.chain.text),
                3: .text(announcement.address),
            ])
        }
        return CBOR.map(fields).encoded()
    }

    private static func write(_ order: TransferOrder, into fields: inout [UInt64: CBOR]) {
        fields[Key.chain] = .text(order.chain.text)
        fields[Key.source] = Self.source(order.sourcePath, order.sourceAddress)
        var output: [UInt64: CBOR] = [
            1: .text(order.output.asset.text), 2: .text(order.output.address),
            3: Self.encode(order.output.amount),
        ]
        output[4] = order.output.ownPath.map { .text($0.text) }
        fields[Key.outputs] = .array([.map(output)])
        fields[Key.inputs] = .unsigned(order.nonce)
        fields[Key.fee] = .map([
            1: .unsigned(order.fee.gasLimit), 2: .unsigned(order.fee.maxFeePerGas),
            3: .unsigned(order.fee.maxPriorityFeePerGas),
        ])
    }

    private static func source(_ path: AccountPath, _ address: String) -> CBOR {
        .map([1: .text(path.text), 2: .text(address)])
    }

    private static func encode(_ amount: Amount) -> CBOR {
        UInt64(exactly: amount.baseUnits).map { .unsigned($0) } ?? .bignum(amount.magnitude)
    }

    /// Reads what `bytes` writes and nothing else: another version, an unknown kind or key, a text
    /// in another spelling are all refused.
    public init(_ bytes: [UInt8]) throws(MalformedBytes) {
        var fields = try CBORFields(CBOR.decode(bytes), "intent")
        guard try fields.unsigned(Key.version, UInt64.self) == Self.version else {
            throw MalformedBytes("intent of another version")
        }
        guard let environment = CustodyEnvironment(rawValue: try fields.unsigned(Key.environment))
        else { throw MalformedBytes("unknown environment") }
        self.environment = environment
        tenant = try fields.fixed(Key.tenant)
        vault = try fields.fixed(Key.vault)
        request = try fields.fixed(Key.request)
        group = try fields.fixed(Key.group)
        epoch = try fields.unsigned(Key.epoch)
        switch try fields.unsigned(Key.kind, UInt64.self) {
        case Kind.transfer: purpose = .transfer(try Self.order(&fields))
        case Kind.contractCall: purpose = .contractCall(try Self.call(&fields))
        case Kind.message: purpose = .message(try Self.message(&fields))
        case Kind.keyCeremony:
            purpose = .keyCeremony(try KeyCeremony(try fields.take(Key.ceremony)))
        case Kind.announcement: purpose = .announcement(try Self.announcement(&fields))
        case let kind: throw MalformedBytes("intent of unknown kind \(kind)")
        }
        notBefore = try fields.unsigned(Key.notBefore)
        expires = try fields.unsigned(Key.expires)
        guard notBefore <= Intent.timeMost, expires <= Intent.timeMost, epoch <= Intent.epochMost
        else { throw MalformedBytes("a time after the year 9999, or an impossible epoch") }
        policy = try fields.fixed(Key.policy)
        try fields.finish()
    }

    private static func order(_ fields: inout CBORFields) throws(MalformedBytes) -> TransferOrder {
        let (chain, path, sourceAddress) = try source(&fields)
        let outputs = try fields.array(Key.outputs, most: 1)
        guard let first = outputs.first else { throw MalformedBytes("no output") }
        var output = try CBORFields(first, "output")
        guard let asset = AssetID(try output.text(1, most: textMost)) else {
            throw MalformedBytes("unknown asset, or another spelling of one")
        }
        let address = try output.text(2, most: textMost)
        let amount = try amount(try output.take(3))
        let ownPath = try ownPath(output.optional(4))
        try output.finish()
        let nonce: UInt64 = try fields.unsigned(Key.inputs)
        var fee = try CBORFields(try fields.take(Key.fee), "fee limit")
        let limit = EVMFeeLimit(
            gasLimit: try fee.unsigned(1), maxFeePerGas: try fee.unsigned(2),
            maxPriorityFeePerGas: try fee.unsigned(3))
        try fee.finish()
        guard let limit else { throw MalformedBytes("priority fee above the whole fee") }
        return TransferOrder(
            chain: chain, sourcePath: path, sourceAddress: sourceAddress,
            output: .init(asset: asset, address: address, amount: amount, ownPath: ownPath),
            nonce: nonce, fee: limit)
    }

    /// Chain, path and address of what signs.
    private static func source(
        _ fields: inout CBORFields
    ) throws(MalformedBytes) -> (ChainID, AccountPath, String) {
        guard let chain = ChainID(try fields.text(Key.chain, most: textMost)) else {
            throw MalformedBytes("unknown chain, or another spelling of one")
        }
        var source = try CBORFields(try fields.take(Key.source), "source")
        guard let path = AccountPath(text: try source.text(1, most: textMost)) else {
            throw MalformedBytes("source path not of the form m/44/coin/vault/0/n")
        }
        let address = try source.text(2, most: textMost)
        try source.finish()
        return (chain, path, address)
    }

    private static func call(_ fields: inout CBORFields) throws(MalformedBytes) -> CallOrder {
        let payment = try order(&fields)
        let data = try fields.bytes(Key.payload, most: ContractCall.dataMost)
        guard let order = CallOrder(payment: payment, data: data) else {
            throw MalformedBytes("a call that does not pay in its chain's coin")
        }
        return order
    }

    private static func message(_ fields: inout CBORFields) throws(MalformedBytes) -> MessageOrder {
        let (chain, path, address) = try source(&fields)
        var payload = try CBORFields(try fields.take(Key.payload), "message")
        let form: UInt64 = try payload.unsigned(1)
        let bytes = try payload.bytes(2, most: EVMMessage.byteLimit)
        try payload.finish()
        let message: EVMMessage
        switch form {
        case Form.personal: message = .personal(bytes)
        case Form.typed: message = .typed(bytes)
        default: throw MalformedBytes("a message of an unknown form")
        }
        return MessageOrder(
            chain: chain, sourcePath: path, sourceAddress: address, message: message)
    }

    private static func ownPath(_ value: CBOR?) throws(MalformedBytes) -> AccountPath? {
        guard let value else { return nil }
        guard case .text(let text) = value, let path = AccountPath(text: text) else {
            throw MalformedBytes("destination path not of the form m/44/coin/vault/0/n")
        }
        return path
    }

    private static func announcement(
        _ fields: inout CBORFields
    ) throws(MalformedBytes) -> Announcement {
        var map = try CBORFields(try fields.take(Key.announcement), "announcement")
        guard let change = Announcement.Change(rawValue: try map.unsigned(1)) else {
            throw MalformedBytes("an announcement neither adds nor removes")
        }
        guard let chain = ChainID(try map.text(2, most: textMost)) else {
            throw MalformedBytes("unknown chain, or another spelling of one")
        }
        let address = try map.text(3, most: textMost)
        try map.finish()
        return Announcement(change, address, on: chain)
    }

    private static func amount(_ value: CBOR) throws(MalformedBytes) -> Amount {
        let amount: Amount?
        switch value {
        case .unsigned(let small): amount = Amount(UInt128(small))
        case .bignum(let magnitude): amount = Amount(magnitude: magnitude)
        case .bytes, .text, .array, .map, .bool: amount = nil
        }
        guard let amount else { throw MalformedBytes("amount out of range") }
        return amount
    }
}
