import Algebra
import ArgumentParser
import Canonical
import Chains
import Housekeeping
import KeyGroups
import RecoveryKit

struct Addresses: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List addresses of the key, without a passphrase.",
        discussion: """
            EVM addresses, or public keys where the key is for other chains. A wallet's addresses \
            are at m/44/COIN/VAULT/0/N. Compare them with addresses that \
            you know: that a file is of your key is proved by nothing else.
            """)

    private static let countMost = 10_000

    @OptionGroup var files: FilesOption

    @Option(help: "The path above the addresses, such as m/44/60/0/0; in place of the next two.")
    var path: String?

    @Option(help: "The vault's index.")
    var vaultIndex: UInt32 = 0

    @Option(help: "The coin's number (SLIP 44).")
    var coin: UInt32 = 60

    @Option(help: "The first address's number.")
    var first: UInt32 = 0

    @Option(help: "How many addresses.")
    var count = 20

    func run() throws {
        guard (1...Self.countMost).contains(count),
            UInt64(first) + UInt64(count) <= 0x8000_0000
        else { throw ValidationError("--count is 1 to \(Self.countMost), and numbers end at 2^31") }
        guard let above = DerivationPath(text: path ?? "m/44/\(coin)/\(vaultIndex)/0") else {
            throw ValidationError(
                "the path must be like m/44/60/0/0, each number below 2^31 and none hardened")
        }
        let (_, group) = try files.read()
        group.lines.forEach { print($0) }
        for number in first..<first + UInt32(count) {
            guard let path = DerivationPath(above.steps + [number]) else {
                throw ValidationError("the path is too long: \(DerivationPath.most) steps at most")
            }
            guard let address = try group.address(at: path) else { continue }
            print("\(path)  \(address)")
        }
    }
}

extension RecoveryGroup {
    /// The public key at the path and the offset of its secret from the root's, or nil where a
    /// step gives none.
    func derived<Scheme: KeyScheme>(
        _ path: DerivationPath, _: Scheme.Type
    ) -> DerivedKey<Scheme>? {
        // The form of a root key on edwards25519 has a zero before the point.
        guard let key = Scheme.Group.Point(compressed: root.key.suffix(Scheme.Group.pointBytes))
        else { return nil }
        return DerivedKey(path, below: key, chainCode: root.chainCode)
    }

    /// The EVM address at the path; of a key that is for other chains, its public key there.
    func address(at path: DerivationPath) throws -> String? {
        switch scheme {
        case .ecdsa: derived(path, ECDSA.self).map { EVMAddress($0.publicKey).text }
        case .bip340: derived(path, BIP340.self).map { Hex.encode($0.publicKey.compressed) }
        case .eddsa: derived(path, EdDSA.self).map { Hex.encode($0.publicKey.compressed) }
        }
    }
}
