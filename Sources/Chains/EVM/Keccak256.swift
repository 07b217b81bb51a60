import Canonical

/// Keccak-256 as Ethereum uses it: the padding of the Keccak submission (01), not of SHA-3 (06).
///
/// FIPS 202 section 3 with rate 1088; Ethereum yellow paper, section 3.
public enum Keccak256 {
    private static let rateBytes = 136

    public static func hash(_ input: [UInt8]) -> Digest {
        var state = [UInt64](repeating: 0, count: 25)
        var padded = input
        let padding = rateBytes - input.count % rateBytes
        padded += [UInt8](repeating: 0, count: padding)
        padded[input.count] ^= 0x01
        padded[padded.count - 1] ^= 0x80
        for block in stride(from: 0, to: padded.count, by: rateBytes) {
            for lane in 0..<rateBytes / 8 {
                for byte in 0..<8 {
                    state[lane] ^= UInt64(padded[block + 8 * lane + byte]) << UInt64(8 * byte)
                }
            }
            permute(&state)
        }
        let bytes = state.prefix(4).flatMap { lane in
            (0..<8).map { UInt8(truncatingIfNeeded: lane >> UInt64(8 * $0)) }
        }
        return Digest(unchecked: bytes)
    }

    /// ι's constants by the linear feedback shift register of FIPS 202, algorithm 5.
    private static let roundConstants: [UInt64] = {
        var register: UInt8 = 1
        return (0..<24).map { _ in
            var constant: UInt64 = 0
            for power in 0..<7 {
                if register & 1 == 1 { constant |= 1 << UInt64((1 << power) - 1) }
                register = register & 0x80 == 0 ? register << 1 : register << 1 ^ 0x71
            }
            return constant
        }
    }()

    /// ρ's rotations and π's order, walked together: (x, y) → (y, 2x + 3y), FIPS 202 section 3.2.
    private static let steps: [(lane: Int, rotation: UInt64)] = {
        var (x, y) = (1, 0)
        return (0..<24).map { (t: Int) -> (lane: Int, rotation: UInt64) in
            let below = (2 * x + 3 * y) % 5
            (x, y) = (y, below)
            let rotation = (t + 1) * (t + 2) / 2 % 64
            return (lane: x + 5 * y, rotation: UInt64(rotation))
        }
    }()

    private static func permute(_ state: inout [UInt64]) {
        for constant in roundConstants {
            let columns: [UInt64] = (0..<5).map { x in
                stride(from: x, to: 25, by: 5).reduce(0) { $0 ^ state[$1] }
            }
            for x in 0..<5 {
                let parity = columns[(x + 4) % 5] ^ rotate(columns[(x + 1) % 5], 1)
                for y in 0..<5 { state[x + 5 * y] ^= parity }
            }
            var moving = state[1]
            for (lane, rotation) in steps {
                let next = state[lane]
                state[lane] = rotate(moving, rotation)
                moving = next
            }
            for y in 0..<5 {
                let row = Array(state[5 * y..<5 * y + 5])
                for x in 0..<5 {
                    let masked: UInt64 = ~row[(x + 1) % 5] & row[(x + 2) % 5]
                    state[5 * y + x] = row[x] ^ masked
                }
            }
            state[0] ^= constant
        }
    }

    private static func rotate(_ word: UInt64, _ by: UInt64) -> UInt64 {
        by == 0 ? word : word << by | word >> (64 - by)
    }
}
