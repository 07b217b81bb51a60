import Foundation

/// One figure, with what it is measured against in the same run.
struct Figure: Encodable {
    let name: String
    let value: Double
    let unit: String
    let ratio: Double?
    let base: String?
    let baseValue: Double?
    let runs: Int
}

enum Measurement {
    /// CPU time of this process so far, in seconds. Everything that is measured with it runs on one
    /// thread.
    static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The median CPU time of one call, in milliseconds.
    static func median(runs: Int, _ work: () throws -> Void) rethrows -> Double {
        var times: [Double] = []
        for _ in 0..<runs {
            let start = cpuSeconds()
            try work()
            times.append(cpuSeconds() - start)
        }
        return times.sorted()[runs / 2] * 1000
    }
}
