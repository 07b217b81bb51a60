import Algebra
import ArgumentParser
import Canonical
import Chains
import KeyGroups
import RecoveryKit
import TestKit
import Testing

@testable import quorumkeep_recover

@Suite struct `Shares of several files` {
    private static let sets = [[0, 1], [0, 2], [1, 2], [2, 1, 0]]

    private func quorum(_ members: [Int], of kits: Kits) throws -> RecoveryQuorum {
        try RecoveryQuorum(try members.map { try kits.share($0) })
    }

    /// Of a private key as it is written.
    private func publicKey(_ hex: borrowing SecretBytes) -> Point? {
        let bytes = Hex.decode(hex.withBytes { String(decoding: $0, as: UTF8.self) }) ?? [0]
        guard let key = WholeKey(SecretBytes(copying: bytes)) else { return nil }
        return key.publicKey
    }

    @Test(arguments: sets) func `give the root key in any choice`(members: [Int]) throws {
        let quorum = try quorum(members, of: try Kits.one.get())
        #expect(quorum.isEnough && quorum.givesRoot)
    }

    @Test(arguments: sets) func `make the whole key that signs`(members: [Int]) throws {
        let kits = try Kits.one.get()
        guard let root = WholeRoot(dangerouslyReconstruct: try quorum(members, of: kits)) else {
            Issue.record("no key")
            return
        }
        #expect(publicKey(root.hex())?.compressed == kits.group.root.key)
        // A key below the root is the one of the address that is listed.
        let path = try #require(DerivationPath(text: "m/44/60/0/0/7"))
        let derived = try #require(kits.group.derived(path, ECDSA.self))
        guard let child = root.hex(below: derived.offset) else {
            Issue.record("no child key")
            return
        }
        let owner = publicKey(child)
        let address = try kits.group.address(at: path)
        #expect(owner.map { EVMAddress($0).text } == address)
    }

    @Test func `are too few alone`() throws {
        let quorum = try quorum([1], of: try Kits.one.get())
        #expect(!quorum.isEnough && !quorum.givesRoot)
        if WholeRoot(dangerouslyReconstruct: quorum) != nil { Issue.record("a key of one share") }
    }

    @Test func `of two epochs are refused, and both are named`() throws {
        let (one, later) = (try Kits.one.get(), try Kits.later.get())
        #expect(one.group.id == later.group.id && later.group.epoch == 2)
        let fault = #expect(throws: RecoveryFault.self) {
            try RecoveryQuorum([try later.share(0), try one.share(1)])
        }
        let text = try #require(fault).description
        #expect(text.contains("two epochs") && text.contains("1 and 2"), "\(text)")
    }

    @Test func `of two keys are refused, and both are named`() throws {
        let (one, foreign) = (try Kits.one.get(), try Kits.foreign.get())
        let fault = #expect(throws: RecoveryFault.self) {
            try RecoveryQuorum([try one.share(0), try foreign.share(1)])
        }
        let text = try #require(fault).description
        #expect(text.contains(one.group.id.hex) && text.contains(foreign.group.id.hex))
    }

    @Test func `of two certificates for one epoch are refused`() throws {
        let (one, impostor) = (try Kits.one.get(), try Kits.impostor.get())
        let fault = #expect(throws: RecoveryFault.self) {
            try RecoveryQuorum([try one.share(0), try impostor.share(1)])
        }
        #expect(try #require(fault).description.contains("two certificates"))
    }

    @Test func `are refused twice, and none at all`() throws {
        let kits = try Kits.one.get()
        #expect(throws: RecoveryFault.self) {
            try RecoveryQuorum([try kits.share(0), try kits.share(0)])
        }
        #expect(throws: RecoveryFault.self) { try RecoveryQuorum([]) }
    }

    @Test func `make an extended key as BIP 32 spells it`() throws {
        let kits = try Kits.one.get()
        guard let root = WholeRoot(dangerouslyReconstruct: try quorum([0, 1], of: kits)) else {
            Issue.record("no key")
            return
        }
        let text = root.extended().withBytes { String(decoding: $0, as: UTF8.self) }
        #expect(text.hasPrefix("xprv9s21ZrQH143K"))
        let payload = try #require(Base58Check.decode(text))
        #expect(Array(payload[4..<13]) == [UInt8](repeating: 0, count: 9) && payload[45] == 0)
        #expect(Array(payload[13..<45]) == kits.group.root.chainCode)
        let hex = root.hex().withBytes { String(decoding: $0, as: UTF8.self) }
        #expect(Hex.encode(payload[46...]) == hex)
    }
}

@Suite struct `The recovery command` {
    @Test func `makes no key without being told so`() {
        let arguments = ["reconstruct", "a.json", "--out", "key.txt"]
        let error = #expect(throws: (any Error).self) { try Recover.parseAsRoot(arguments) }
        let text = error.map { Recover.fullMessage(for: $0) } ?? ""
        #expect(text.contains("--dangerously-reconstruct-key"), "\(text)")
        #expect(throws: Never.self) {
            try Recover.parseAsRoot(arguments + ["--dangerously-reconstruct-key"])
        }
    }
}
