import Custody
import Hummingbird
import Identity
import Intents
import NIOCore

/// Who is asking, once that is certain.
struct Caller: Sendable {
    let key: APIKeyID
    let tenant: TenantID
    let scopes: Set<Scope>

    func require(_ scope: Scope) throws(Problem) {
        guard scopes.contains(scope) else {
            throw Problem(
                .forbidden, "missing_scope", "This API key lacks the scope '\(scope.rawValue)'.")
        }
    }
}

/// What travels with a request through the gateway.
struct GatewayContext: RequestContext, RemoteAddressRequestContext {
    /// Largest body of a request, in bytes.
    static let bodyBytesMost = 256 * 1024

    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    let requestID: String
    /// Set by `Authenticator`; a route without it is a bug.
    var caller: Caller?
    var body: [UInt8] = []
    var claim: SignatureClaim?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
        requestID = RequestName.make()
    }

    var maxUploadSize: Int { Self.bodyBytesMost }
}
