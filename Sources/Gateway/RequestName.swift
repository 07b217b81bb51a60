import Algebra
import Canonical

/// Names a request in answers and logs.
enum RequestName {
    static func make() -> String {
        var random = SystemRandom()
        return "req_" + Hex.encode(random.bytes(12))
    }
}
