import Canonical
import Custody
import Hummingbird
import Identity
import Intents
import NIOCore
import Synchronization

/// Whose key it is that a request came with, of whichever kind.
protocol KnownCaller: Sendable {
    /// The key's id.
    var name: String { get }
    var tenant: TenantID { get }
    var origin: Custody.Actor.Origin { get }
    var actor: Custody.Actor { get }
}

/// Who is asking, once that is certain.
final class Caller: KnownCaller {
    let apiKey: APIKey
    let origin: Custody.Actor.Origin
    /// What a request that changes something takes, so that nobody can send it again.
    let claim: SignatureClaim

    init(apiKey: APIKey, origin: Custody.Actor.Origin, claim: SignatureClaim) {
        self.apiKey = apiKey
        self.origin = origin
        self.claim = claim
    }

    var key: APIKeyID { apiKey.id }
    var name: String { key.text }
    var tenant: TenantID { apiKey.tenant }
    var actor: Custody.Actor { .key(apiKey, from: origin) }

    func require(_ scope: Scope) throws(Problem) {
        guard apiKey.scopes.contains(scope) else {
            throw Problem(
                .forbidden, "missing_scope", "This API key lacks the scope '\(scope.rawValue)'.")
        }
    }
}

/// What is found out about a request on its way in, for its line in the log: the context goes down
/// by value, and this stays.
final class RequestRecord: Sendable {
    private let found = Mutex<(any KnownCaller)?>(nil)

    var caller: (any KnownCaller)? { found.withLock { $0 } }

    func note(_ caller: any KnownCaller) { found.withLock { $0 = caller } }
}

/// What travels with a request through the gateway.
struct GatewayContext: RequestContext, RemoteAddressRequestContext {
    /// Largest body of a request, in bytes.
    static let bodyBytesMost = 256 * 1024

    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    let requestID: String
    let record = RequestRecord()
    /// Who sent it, behind trusted proxies; set by `Doorkeeper`, nil where it is not certain.
    var client: IPAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
        requestID = RequestName.make()
    }

    /// Whom rates from one address are counted for.
    var place: String { client?.place ?? remoteAddress?.ipAddress ?? "" }

    var maxUploadSize: Int { Self.bodyBytesMost }
}
