import CSecp256k1
import CSodium

/// The C libraries' state, made once: libsodium's initialisation and libsecp256k1's context, whose
/// blinding is randomised and which is only read afterwards.
enum Library {
    /// Makes sure that both libraries may be used. Cheap after the first call.
    static func prepare() { _ = context }

    static var secp256k1: OpaquePointer { context.pointer }

    private struct Context: @unchecked Sendable {  // libsecp256k1: a context is safe to share
        let pointer: OpaquePointer
    }

    private static let context: Context = {
        precondition(sodium_init() >= 0, "libsodium cannot be initialised")
        guard let pointer = secp256k1_context_create(UInt32(SECP256K1_CONTEXT_NONE)) else {
            preconditionFailure("libsecp256k1 gave no context")
        }
        var seed = [UInt8](repeating: 0, count: 32)
        randombytes_buf(&seed, seed.count)
        let randomised = secp256k1_context_randomize(pointer, seed)
        sodium_memzero(&seed, seed.count)
        precondition(randomised == 1, "libsecp256k1 could not blind its context")
        return Context(pointer: pointer)
    }()
}
