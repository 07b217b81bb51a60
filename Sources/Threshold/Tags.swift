import Algebra

/// The domain separation tags of every hash of this room. A tag that is used with `FixedHash` is
/// never used with `Transcript`.
enum Tag {
    static let baseTransferKey = HashTag("bot/key")
    static let treeLeft = HashTag("pprf/l")
    static let treeRight = HashTag("pprf/r")
    static let leafCheck0 = HashTag("pprf/chk0")
    static let leafCheck1 = HashTag("pprf/chk1")
    static let treeCheck = HashTag("pprf/chk")
    static let pairSetup = HashTag("setup/pair")
    static let setupID = HashTag("setup/id")
    static let setupMessage1 = HashTag("setup/m1")
    static let setupMessage2 = HashTag("setup/m2")
    static let setupMessage3 = HashTag("setup/m3")

    static let extensionPRG = HashTag("ss/prg")  // FixedHash
    static let extensionRow = HashTag("ss/row")  // FixedHash
    static let extensionChallenge = HashTag("ss/fs")
    static let extensionFactor = HashTag("ss/chi")

    static let gadget = HashTag("vole/gadget")  // FixedHash
    static let bobMessage = HashTag("vole/bobmsg")
    static let multiplicationChallenge = HashTag("vole/fs")
    static let multiplicationFactor = HashTag("vole/theta")
    static let multiplicationCheck = HashTag("vole/mu")

    static let proofOfPossession = HashTag("pok")
    static let dealerCommitment = HashTag("dkg/com")
    static let commitmentEcho = HashTag("dkg/echo1")
    static let openingDigest = HashTag("dkg/body")
    static let openingEcho = HashTag("dkg/echo2")
    static let chainCode = HashTag("dkg/cc")

    static let signingItem = HashTag("sign/item")
    static let signingMultiplication = HashTag("sign/vole")
    static let nonceCommitment = HashTag("sign/com")
    static let firstRound = HashTag("sign/tr1")
    static let zeroShare = HashTag("sign/zero")
    static let frostCommitments = HashTag("frost/B")

    static let envelope = HashTag("env")
}
