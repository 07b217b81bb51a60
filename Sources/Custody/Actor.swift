import Identity
import Intents

/// Who asks for what is done in a transaction. Indirect, since it is passed along with the books.
public indirect enum Actor: Sendable {
    /// A tenant's back end, by one of its keys.
    case key(APIKey, from: Origin)
    /// The same, by a key whose private half the tenant alone has.
    case publicKey(PublicAPIKey, from: Origin)
    /// Somebody at the platform's machine.
    case `operator`
    /// The platform itself.
    case worker

    /// Where a request came from, for the audit trail.
    public struct Origin: Equatable, Sendable {
        /// Nil where it is not known.
        public let address: IPAddress?
        public let request: String

        public init(address: IPAddress?, request: String) {
            self.address = address
            self.request = request
        }
    }

    /// The vaults that it may see and touch; nil for all.
    var vaults: Set<VaultID>? {
        guard case .key(let key, _) = self else { return nil }
        return key.vaults
    }

    var origin: Origin? {
        switch self {
        case .key(_, let origin), .publicKey(_, let origin): origin
        case .operator, .worker: nil
        }
    }

    /// Whose key it is; nil of the operator and the platform.
    var tenant: TenantID? {
        switch self {
        case .key(let key, _): key.tenant
        case .publicKey(let key, _): key.tenant
        case .operator, .worker: nil
        }
    }

    /// As the audit trail names it.
    var text: String {
        switch self {
        case .key(let key, _): key.id.text
        case .publicKey(let key, _): key.id.text
        case .operator: "operator"
        case .worker: "platform"
        }
    }
}

extension Books {
    /// Refuses a vault that the asking key may not touch. Every lookup of a vault, a wallet or a
    /// transaction for a caller ends here; what it admits, the audit trail names.
    func admit(_ vault: VaultID) throws(Refusal) {
        if let allowed = actor.vaults, !allowed.contains(vault) {
            throw Refusal(.vaultNotAllowed, "This API key may not touch that vault.")
        }
        if !stirred.vaults.contains(vault) { stirred.vaults.append(vault) }
    }

    /// Refuses a key that is for some vaults what concerns them all.
    func admitAll() throws(Refusal) {
        guard actor.vaults == nil else {
            throw Refusal(.vaultNotAllowed, "This API key is for some vaults, and this is for all.")
        }
    }
}
