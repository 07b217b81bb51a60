/// The domain said no, for a reason that the caller can do something about. Whoever refuses has
/// changed nothing.
public struct Refusal: Error, Equatable, Sendable {
    public let code: Code
    /// A sentence for people.
    public let message: String
    /// What is wrong with which field; empty where it is the request as a whole.
    public let fields: [String: [String]]

    public init(_ code: Code, _ message: String, fields: [String: [String]] = [:]) {
        self.code = code
        self.message = message
        self.fields = fields
    }

    /// A refusal because of one field.
    public init(_ code: Code, field: String, _ message: String) {
        self.init(code, message, fields: [field: [message]])
    }

    /// Stable codes: clients branch on them. A face gives each one status.
    public enum Code: String, Sendable, CaseIterable {
        case invalid
        case unknownAsset = "unknown_asset"
        case unknownNetwork = "unknown_network"
        case insufficientFunds = "insufficient_funds"
        case belowMinimum = "below_minimum"
        case sameWallet = "same_wallet"
        case differentAssets = "different_assets"
        case differentKeyVaults = "different_key_vaults"
        case frozen
        case feeTooHigh = "fee_too_high"
        case insufficientGas = "insufficient_gas"
        case vaultNotEmpty = "vault_not_empty"
        case needsConsolidation = "needs_consolidation"
        case tooManyAddresses = "too_many_addresses"
        case tooManyVaults = "too_many_vaults"
        case notInAddressBook = "not_in_address_book"
        case vaultNotAllowed = "vault_not_allowed"
        case exceedsOwnRights = "exceeds_own_rights"
        case keyInactive = "key_inactive"
        case tooLate = "too_late"
        case notFound = "not_found"
        case walletExists = "wallet_exists"
        case externalIDReused = "external_id_reused"
        case addressExists = "address_exists"
        case idempotencyKeyReused = "idempotency_key_reused"
        case keyNotReady = "key_not_ready"
        case unsupportedThreshold = "unsupported_threshold"
        case unknownHolder = "unknown_holder"
        case duplicateHolder = "duplicate_holder"
        case holderOffline = "holder_offline"
        case groupNotValid = "group_not_valid"
        case groupExists = "group_exists"
        case groupInUse = "group_in_use"
        case requestOpen = "request_open"
        case chainUnavailable = "chain_unavailable"
        case noWebhook = "no_webhook"
    }

    /// - Parameter field: what names it, where more than one thing is named.
    public static func notFound(_ what: String, field: String? = nil) -> Refusal {
        let sentence = "There is no such \(what)."
        return Refusal(.notFound, sentence, fields: field.map { [$0: [sentence]] } ?? [:])
    }
}

/// Gathers everything that is wrong with a draft, so that a caller hears of it at once.
struct Validation {
    private var fields: [String: [String]] = [:]

    mutating func reject(_ field: String, _ sentence: String) {
        fields[field, default: []].append(sentence)
    }

    /// A text of 1 to `most` characters without control characters, trimmed of nothing.
    mutating func text(_ field: String, _ value: String?, most: Int, required: Bool = true) {
        guard let value else {
            if required { reject(field, "'\(field)' is required.") }
            return
        }
        if value.isEmpty { return reject(field, "'\(field)' must not be empty.") }
        if value.unicodeScalars.count > most {
            return reject(field, "'\(field)' must have at most \(most) characters.")
        }
        if value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) {
            reject(field, "'\(field)' must not contain control characters.")
        }
    }

    func finish() throws(Refusal) {
        guard let first = fields.sorted(by: { $0.key < $1.key }).first?.value.first else { return }
        throw Refusal(
            .invalid, fields.count == 1 ? first : "Several fields are invalid.", fields: fields)
    }
}
