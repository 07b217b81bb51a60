import Foundation

/// One figure, with what it is measured against in the same run and what it shall be.
struct Figure: Encodable {
    let name: String
    let value: Double
    let unit: String
    var ratio: Double?
    var base: String?
    var baseValue: Double?
    /// What the ratio, or the value where there is none, shall not exceed.
    var aim: Double?
    /// What the ratio shall not fall below.
    var least: Double?
    /// What the value shall not exceed, and not fall below, though it has a ratio.
    var aimValue: Double?
    var leastValue: Double?
    let runs: Int
}

/// Work and a base that were measured by turns, so that both saw the same machine.
struct Comparison {
    /// Milliseconds of one call, each a median.
    let work: Double
    let base: Double
    /// The median of work divided by the base right before and after it.
    let ratio: Double
}

enum Measurement {
    /// CPU time of this process so far, in seconds. Everything that is measured with it runs on one
    /// thread.
    private static func cpuSeconds() -> Double {
        // POSIX has a million of these in a second.
        Double(clock()) / 1e6
    }

    /// CPU milliseconds of one call.
    private static func time(_ work: () throws -> Void) rethrows -> Double {
        let start = cpuSeconds()
        try work()
        return (cpuSeconds() - start) * 1000
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    /// - Parameter base: as many calls of the base as `baseCalls` says.
    static func compare(
        runs: Int, baseCalls: Int, base: () -> Void, work: () throws -> Void
    ) rethrows -> Comparison {
        var (works, bases, ratios): ([Double], [Double], [Double]) = ([], [], [])
        try work()
        var before = time(base) / Double(baseCalls)
        for _ in 0..<runs {
            let taken = try time(work)
            let after = time(base) / Double(baseCalls)
            works.append(taken)
            bases.append(after)
            ratios.append(taken / ((before + after) / 2))
            before = after
        }
        return Comparison(work: median(works), base: median(bases), ratio: median(ratios))
    }
}
