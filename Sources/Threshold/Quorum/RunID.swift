import Algebra
import Canonical

/// The name of one run, bound into every hash of it. It is made of fresh nonces of all participants.
public struct RunID: FixedBytes {
    public static let byteCount = 32
    public let bytes: [UInt8]
    public init(unchecked bytes: [UInt8]) { self.bytes = bytes }
    public init(_ digest: Digest) { bytes = digest.bytes }
}

/// Remembers for ever which run names were used.
public protocol RunRegistry: AnyObject {
    /// Stores the name durably; false if it was there already.
    func claim(_ run: RunID) -> Bool
}

/// A run name that nobody has used before: what a run is started with.
///
/// Two answers to multiplications of one name would give the key away (section 4.3), so the name
/// is claimed before anything is computed, a run consumes the claim, and none can be made twice.
public struct ClaimedRun: ~Copyable {
    public let id: RunID

    public init(_ id: RunID, in registry: some RunRegistry) throws(Abort) {
        guard registry.claim(id) else { throw Abort(.runNameUsed) }
        self.id = id
    }
}
