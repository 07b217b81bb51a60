import Algebra
import Canonical
import KeyGroups
import RecoveryKit
import TestKit
import Threshold

/// Files made of keys that came from real ceremonies, each made once.
struct Kits: Sendable {
    /// 2 of 3, epoch 1.
    static let one = Result { try Kits("kits/1") }
    /// The same group in epoch 2, by other holders.
    static let later = Result { try Kits("kits/2", epoch: 2) }
    /// Group and epoch as the first, another key.
    static let impostor = Result { try Kits("kits/3") }
    static let foreign = Result { try Kits("kits/4", group: 8) }

    static let iterations = PassphraseStretch.iterationsLeast
    static let phrase = "correct horse battery staple"
    static let created = "2027-01-15T08:00:00Z"

    let group: RecoveryGroup
    /// The shares alone, and each holder's share as it is stored, with its pair setups.
    let secrets: [[UInt8]]
    let stored: [[UInt8]]

    init(_ seed: String, epoch: UInt64 = 1, group number: UInt8 = 9) throws {
        let quorum = try SimulatedQuorum(
            SigningThreshold(2, of: 3)!, seed: seed, group: number)
        try quorum.generateKey(epoch: epoch)
        group = try RecoveryGroup(certificate: quorum.certificate?.bytes ?? [])
        var (secrets, stored): ([[UInt8]], [[UInt8]]) = ([], [])
        for member in quorum.members.indices {
            let share = try quorum.share(member)
            secrets.append(share.dangerouslyExportSecret().withBytes { Array($0) })
            stored.append(share.stored().withBytes { Array($0) })
        }
        (self.secrets, self.stored) = (secrets, stored)
    }

    static func passphrase(_ text: String = Kits.phrase) throws -> Passphrase {
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: text.utf8.count, alignment: 1)
        defer { memory.deallocate() }
        memory.copyBytes(from: text.utf8)
        return try Passphrase(UnsafeRawBufferPointer(memory))
    }

    func share(_ at: Int) throws -> SecretBox<RecoveryShare> {
        SecretBox(
            try RecoveryShare(
                of: group, ParticipantIndex(at + 1)!, secret: SecretBytes(copying: secrets[at])))
    }

    func file(_ at: Int) throws -> RecoveryFile {
        var random = TestRandom("file/\(at)")
        return RecoveryFile(
            sealing: [try share(at)], under: try Self.passphrase(), created: Self.created,
            iterations: Self.iterations, random: &random)
    }
}
