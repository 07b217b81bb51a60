/// Something that code does not do, where it does not do it, and what it does instead.
struct Habit: Sendable, CustomStringConvertible {
    let words: Set<String>
    /// What must follow at once, for a word that is harmless alone.
    var follows: UInt8?
    let instead: String
    /// Where the habit is kept.
    let holds: @Sendable (SwiftSource) -> Bool
    /// A file in which it is broken once.
    let sample: (path: String, text: String)

    var description: String { words.sorted().joined(separator: ", ") }
}

extension Habit {
    static let all = [
        Habit(
            words: ["print", "debugPrint", "dump"], follows: .leftParenthesis,
            instead: "only command lines print; libraries return or log",
            holds: { $0.room != nil && !Rooms.executables.contains($0.room ?? "") },
            sample: ("Sources/Custody/Bad.swift", "func f() { print(\"a\") }")),
        Habit(
            words: ["assert", "assertionFailure", "fatalError"], follows: .leftParenthesis,
            instead: "a bug is a precondition with a reason, in every build",
            holds: { $0.room != nil },
            sample: ("Sources/Holder/Bad.swift", "assert(a, \"b\")")),
        Habit(
            words: ["try", "as"], follows: UInt8(ascii: "!"),
            instead: "throw, or make the wrong value impossible",
            holds: { !$0.isTest },
            sample: ("Sources/Gateway/Bad.swift", "let a = try! b()")),
        Habit(
            words: [
                "Date", "ContinuousClock", "SuspendingClock", "DispatchTime", "clock_gettime",
                "gettimeofday", "sleep", "usleep",
            ],
            instead: "below the servers time is an argument",
            holds: { $0.isPure },
            sample: ("Sources/Custody/Bad.swift", "let now = Date()")),
        Habit(
            words: [
                "SystemRandomNumberGenerator", "arc4random", "drand48", "shuffled", "randomElement",
            ],
            instead: "randomness is a RandomSource that is handed in",
            holds: { $0.room != nil },
            sample: ("Sources/Threshold/Bad.swift", "let order = members.shuffled()")),
        Habit(
            words: ["SystemRandom"],
            instead: "below the servers randomness is an argument",
            // Algebra declares it; Custody names what it stores.
            holds: { $0.isPure && !["Algebra", "Custody"].contains($0.room ?? "") },
            sample: ("Sources/Threshold/Bad.swift", "var random = SystemRandom()")),
        Habit(
            words: ["getenv", "environment", "CommandLine"],
            instead: "configuration is read once, by a command line, and passed on",
            holds: {
                $0.room != nil && !Rooms.executables.contains($0.room ?? "") && $0.asksProcess
            },
            sample: ("Sources/Workers/Bad.swift", "ProcessInfo.processInfo.environment[\"A\"]")),
        Habit(
            words: ["TaskLocal"],
            instead: "what a thing needs is handed to it",
            holds: { $0.room != nil },
            sample: ("Sources/Gateway/Bad.swift", "@TaskLocal static var caller: Caller?")),
        Habit(
            words: ["Double", "Float", "CGFloat", "Decimal"],
            instead: "money is an Amount in base units, never a floating or decimal number",
            holds: { $0.room != nil && $0.path != "Sources/Gateway/RateLimiter.swift" },
            sample: ("Sources/Custody/Bad.swift", "let fee: Double = 0.1")),
    ]

    static func broken(_ source: SwiftSource) -> [Finding] {
        let kept = all.filter { $0.holds(source) }
        let watched = kept.reduce(into: Set<String>()) { $0.formUnion($1.words) }
        return source.words.filter { watched.contains($0.text) }.flatMap { word in
            kept.filter { habit in
                habit.words.contains(word.text)
                    && (habit.follows == nil || habit.follows == source.byte(after: word))
            }.map { source.finding(word, "\(word.text): \($0.instead)") }
        }
    }
}

extension SwiftSource {
    fileprivate var isPure: Bool { room.map(Rooms.pure.contains) ?? false }
    /// `environment` alone is a word of custody: sandbox or production.
    fileprivate var asksProcess: Bool {
        words.contains { ["ProcessInfo", "getenv", "CommandLine"].contains($0.text) }
    }
}
