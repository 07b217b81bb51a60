import Algebra
import Canonical
import KeyGroups
import TestKit
import Testing

@testable import Threshold

@Suite struct `A stored key share` {
    private func isRead(_ bytes: [UInt8]) -> Bool {
        (try? KeyShare<ECDSA>(stored: SecretBytes(copying: bytes))) != nil
    }

    @Test func `has one spelling: holders and pairs ascend`() throws {
        let threshold = SigningThreshold(2, of: 3)!
        let shares = try KeyCache.shares(threshold)
        let bytes = try #require(shares.values.first).with { $0.withBytes { Array($0) } }
        #expect(isRead(bytes))
        let holders = 5 + Scalar.byteCount + Point.byteCount + 32
        let pairs = holders + 3 * 34 + 1
        for (start, size) in [(holders, 34), (pairs, PairSecrets.storedBytes)] {
            let first = start..<start + size
            let second = start + size..<start + 2 * size
            let swapped =
                bytes[..<start] + bytes[second] + bytes[first] + bytes[second.upperBound...]
            #expect(swapped.count == bytes.count)
            #expect(!isRead(Array(swapped)))
            var twice = bytes
            twice.replaceSubrange(second, with: bytes[first])
            #expect(!isRead(twice))
        }
    }
}
