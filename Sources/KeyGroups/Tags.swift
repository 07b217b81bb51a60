import Algebra

/// The domain separation tags of this room's hashes.
enum Tag {
    static let certificate = HashTag("cert")
    static let runID = HashTag("sid")
    static let descriptor = HashTag("descriptor")
    static let activation = HashTag("ack")
    static let shareCheck = HashTag("share-check")
}
