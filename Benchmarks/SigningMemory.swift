import Algebra
import Canonical
import Foundation
import KeyGroups
import TestKit
import Threshold

/// Memory that one participant of a signature by two needs: it runs in a process of its own and
/// talks over pipes to the other one, which is this process.
///
/// Memory before is what the process has when it knows who it is and which run it is to join; the
/// peak is the kernel's, from there over opening the key share to the verified signature.
enum SigningMemory {
    static let participantArgument = "--participant"

    /// The median of so many participants' peaks over their memory before, in KiB.
    static func peak(of group: TestGroup, runs: Int) throws -> Double {
        let peaks = try (0..<runs).map { _ in try peak(of: group) }
        return peaks.sorted()[runs / 2]
    }

    private static func peak(of group: TestGroup) throws -> Double {
        let members = TestKeys.indices(2)
        guard let own = Bundle.main.executableURL, let item = ThresholdFigures.item,
            let certificate = group.certificateDigest, let first = group.shares[members[0]],
            let second = group.shares[members[1]]
        else { throw Failed() }
        let child = Process()
        let (toChild, fromChild) = (Pipe(), Pipe())
        (child.executableURL, child.arguments) = (own, [participantArgument])
        (child.standardInput, child.standardOutput) = (toChild, fromChild)
        try child.run()
        let pipe = FramedPipe(fromChild.fileHandleForReading, toChild.fileHandleForWriting)
        let descriptor = group.descriptor(
            .signing(certificate: certificate, items: [item], group.roster(members)))
        try pipe.write(descriptor.bytes)
        // The key is the benchmark's own and guards nothing.
        try pipe.write(first.with { $0.withBytes { Array($0) } })
        let share = try second.with { try KeyShare<ECDSA>(stored: $0) }
        try sign(descriptor, share, group.identity(members[1]), over: pipe)
        let peak = try pipe.read()
        child.waitUntilExit()
        guard let text = String(bytes: peak, encoding: .utf8), let value = Double(text) else {
            throw Failed()
        }
        return value
    }

    /// A session as a holder makes it, which has opened its key share once.
    static func session(
        _ descriptor: RunDescriptor, _ share: consuming KeyShare<ECDSA>,
        _ identity: SecretBox<IdentityKey>
    ) throws -> RunSession<Signing> {
        guard case .signing(_, let items, _) = descriptor.purpose else { throw Failed() }
        var random = SystemRandom()
        let setups = share.setupIDs
        let box = SecretBox(share)
        let session = RunSession<Signing>(
            descriptor, identity: identity.with { $0.publicKey }, setups: setups,
            registry: MemoryRegistry(), random: &random
        ) { (opening) throws(Abort) in
            var random = SystemRandom()
            guard let share = box.take() else { throw Abort(.wrongQuorum) }
            return try Signing(
                opening.takeRun(), items: items, members: descriptor.roster.indices, share: share,
                random: &random)
        }
        guard let session else { throw Failed() }
        return session
    }

    /// What the child process does.
    static func takePart() throws {
        let pipe = FramedPipe(.standardInput, .standardOutput)
        let descriptor = try RunDescriptor(try pipe.read())
        guard let threshold = SigningThreshold(2, of: 2) else { throw Failed() }
        let identity = TestGroup(threshold, seed: "2of2").identity(TestKeys.indices(1)[0])
        // From here on the kernel's peak counts anew.
        try Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
        let before = try memory("VmRSS")
        let share = try KeyShare<ECDSA>(stored: SecretBytes(copying: try pipe.read()))
        try sign(descriptor, share, identity, over: pipe)
        try pipe.write(Array(String(try memory("VmHWM") - before).utf8))
    }

    /// A line of /proc/self/status, in KiB.
    private static func memory(_ line: String) throws -> Double {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let found = status.split(separator: "\n").first { $0.hasPrefix("\(line):") }
        guard let number = found?.split(whereSeparator: \.isWhitespace).dropFirst().first,
            let value = Double(number)
        else { throw Failed() }
        return value
    }

    private static func sign(
        _ descriptor: RunDescriptor, _ share: consuming KeyShare<ECDSA>,
        _ identity: SecretBox<IdentityKey>, over pipe: FramedPipe
    ) throws {
        let session = try session(descriptor, share, identity)
        try pipe.write(identity.with { session.ready(signedBy: $0) }.bytes)
        while true {
            let step = try identity.with { identity throws(Abort) in
                try session.next(signedBy: identity)
            }
            switch step {
            case .wait: _ = try session.receive(try Envelope(try pipe.read()))
            case .send(let envelopes), .sendLast(let envelopes, _):
                for envelope in envelopes { try pipe.write(envelope.bytes) }
            case .finish: return
            }
        }
    }
}

/// Byte strings over a pair of pipes, each after its length. A pipe holds all that a participant of
/// a signature by two says before it must listen, so that two of them never wait for each other.
private struct FramedPipe {
    private let input: FileHandle
    private let output: FileHandle

    init(_ input: FileHandle, _ output: FileHandle) {
        (self.input, self.output) = (input, output)
    }

    func write(_ bytes: [UInt8]) throws {
        try output.write(contentsOf: Data(UInt32(bytes.count).bigEndianBytes + bytes))
    }

    func read() throws -> [UInt8] {
        var reader = ByteReader(try exactly(4))
        return try exactly(Int(try reader.integer(UInt32.self)))
    }

    private func exactly(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try input.read(upToCount: count - bytes.count), !more.isEmpty else {
                throw Failed()
            }
            bytes += more
        }
        return bytes
    }
}
