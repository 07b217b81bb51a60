import Identity

/// So many in a time, with bursts.
public struct RateLimit: Sendable {
    let perMinute: Int
    let burst: Int

    init(perMinute: Int, burst: Int) {
        self.perMinute = perMinute
        self.burst = burst
    }

    public init(perSecond: Int, burst: Int) {
        self.init(perMinute: 60 * perSecond, burst: burst)
    }
}

/// What an operator may set of the front doors.
public struct GatewaySettings: Sendable {
    /// Proxies whose `X-Forwarded-For` is believed.
    public var trustedProxies: [AddressRange] = []
    /// Requests of one API key.
    public var keyLimit = RateLimit(perSecond: 2000, burst: 4000)
    /// Requests from one address, with whatever credentials.
    public var addressLimit = RateLimit(perSecond: 4000, burst: 8000)
    /// Failed attempts from one address.
    public var failureLimit = RateLimit(perSecond: 10, burst: 100)
    /// Open connections of one door; one more waits until there is a place.
    public var connectionsMost = 2048
    /// Open connections from one address, over all doors; one more is closed. Proxies that are
    /// trusted have as many as the door.
    public var connectionsPerAddressMost = 512
    /// How long a request's head may take to come, then its body, and how long an answer may lie
    /// untaken.
    public var transferMost = Duration.seconds(30)

    public init() {}
}
