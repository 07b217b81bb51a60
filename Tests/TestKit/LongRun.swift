import Foundation

/// How long a test that could go on for ever does so.
public enum LongRun {
    /// What the environment's variable says, or `short`.
    public static func count(_ variable: String, short: Int) -> Int {
        ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? short
    }
}
