import Canonical
import Foundation
import TestKit
import Testing

/// Gives a decoder one changed input after the other.
struct Fuzzer {
    /// How many inputs each decoder gets; `QUORUMKEEP_FUZZ` for a long run.
    static let executions = LongRun.count("QUORUMKEEP_FUZZ", short: 5000)
    /// `QUORUMKEEP_FUZZ_SEED` for another run, or the same again.
    static let seed = UInt64(LongRun.count("QUORUMKEEP_FUZZ_SEED", short: 1))

    private(set) var accepted = 0
    private(set) var rejected = 0
    /// What broke a promise: the input, and how.
    private(set) var broken: [String] = []

    private static let poolMost = 256
    private static let brokenMost = 5

    mutating func run(_ decoder: Decoder, executions: Int) {
        var mutator = Mutator(seed: Self.seed, decoder.name)
        let flight = FlightRecorder(decoder.name)
        // What was accepted is changed further: the way to inputs that differ in several places.
        var pool = decoder.seeds
        let longest = pool.map(\.count).max() ?? 0
        let most = min(2 * longest + 64, (decoder.limit ?? .max - 16) + 16)
        for seed in pool where decoder.decode(seed) == nil {
            broken.append("a seed is refused: \(Hex.encode(seed.prefix(200)))")
        }
        for _ in 0..<executions {
            let base = pool[mutator.integer(below: pool.count)]
            let other = pool[mutator.integer(below: pool.count)]
            var input = mutator.mutate(base, other, decoder.form, most: most)
            if let repair = decoder.repair, !mutator.chance(4) { input = repair(input) }
            flight.record(input)
            guard let written = decoder.decode(input) else {
                rejected += 1
                continue
            }
            accepted += 1
            judge(decoder, input, written)
            if pool.count < Self.poolMost {
                pool.append(input)
            } else {
                let at = mutator.integer(below: pool.count)
                if at >= decoder.seeds.count { pool[at] = input }
            }
            if broken.count >= Self.brokenMost { break }
        }
        flight.end()
    }

    private mutating func judge(_ decoder: Decoder, _ input: [UInt8], _ written: [UInt8]) {
        let text = Hex.encode(input.prefix(4096))
        if let limit = decoder.limit, input.count > limit {
            broken.append("\(input.count) bytes are read: \(text)")
        }
        if decoder.isCanonical {
            if written != input { broken.append("written otherwise than read: \(text)") }
        } else if decoder.decode(written) != written {
            broken.append("what is written is not read back: \(text)")
        }
    }
}

/// Keeps the input that is being read in a file, which outlives a trap: `xxd` shows what did it.
final class FlightRecorder {
    private static let size = 1 << 20
    private let path: String
    private let memory: UnsafeMutableRawPointer?

    init(_ name: String) {
        let folder = FileManager.default.temporaryDirectory.path
        let plain = name.map { $0.isLetter || $0.isNumber ? $0 : "-" }
        path = "\(folder)/quorumkeep-fuzz-\(getpid())-\(String(plain))"
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0, ftruncate(file, off_t(Self.size)) == 0 else {
            memory = nil
            return
        }
        let mapped = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        close(file)
        memory = mapped == MAP_FAILED ? nil : mapped
    }

    /// The length in four bytes, then the input.
    func record(_ input: [UInt8]) {
        guard let memory else { return }
        memory.storeBytes(of: UInt32(input.count).bigEndian, as: UInt32.self)
        input.withUnsafeBytes {
            (memory + 4).copyMemory(
                from: $0.baseAddress ?? UnsafeRawPointer(memory), byteCount: $0.count)
        }
    }

    func end() {
        if let memory { munmap(memory, Self.size) }
        unlink(path)
    }
}
