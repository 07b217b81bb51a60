import KeyGroups

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
