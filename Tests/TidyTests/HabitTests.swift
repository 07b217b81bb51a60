import Testing

@Suite struct `The habits of the house` {
    @Test func `code keeps every habit of the table`() {
        expectNone(Repository.swift.flatMap(Habit.broken))
    }

    @Test(arguments: Habit.all)
    func `each habit that is broken is found`(habit: Habit) {
        let found = Habit.broken(SwiftSource(habit.sample.path, habit.sample.text))
        #expect(found.map(\.what).contains { $0.hasSuffix(habit.instead) })
        let quoted = SwiftSource(habit.sample.path, "// \(habit.sample.text)\n")
        #expect(Habit.broken(quoted) == [])
    }

    private typealias Rule = (SwiftSource) -> [Finding]

    private func count(_ rule: Rule, _ path: String, _ texts: String...) -> [Int] {
        texts.map { rule(SwiftSource(path, $0)).count }
    }

    @Test func `nothing is unwrapped by force`() {
        expectNone(Repository.swift.flatMap(Shapes.forcedUnwraps))
        let path = "Sources/A/A.swift"
        #expect(
            count(Shapes.forcedUnwraps, path, "a!.b()", "f(a)!", "a[0]! + b", "var a: B!") == [
                1, 1, 1, 1,
            ])
        #expect(
            count(
                Shapes.forcedUnwraps, path, "!a && !b(c)", "a != b", "a!=b", "c.baseAddress!",
                "Name(\"X-A\")!", "try! a", "// a!") == [0, 0, 0, 0, 0, 0, 0])
    }

    @Test func `a precondition says what it takes for granted`() {
        expectNone(Repository.swift.flatMap(Shapes.unexplainedPreconditions))
        #expect(
            count(
                Shapes.unexplainedPreconditions, "Sources/A/A.swift", "precondition(a(b) == 1)",
                "preconditionFailure()", "precondition(a, \"why\")") == [1, 1, 0])
    }

    @Test func `no error disappears without a word`() {
        expectNone(Repository.swift.flatMap(Shapes.swallowedErrors))
        #expect(
            count(
                Shapes.swallowedErrors, "Sources/A/A.swift", "do { a } catch {\n}",
                "do { a } catch is B {}", "do { a } catch { b }", "catch {  // why\n}")
                == [1, 1, 0, 0])
    }

    @Test func `a promise to the compiler has its reason beside it`() {
        expectNone(Repository.swift.flatMap(Shapes.unexplainedPromises))
        #expect(
            count(
                Shapes.unexplainedPromises, "Sources/A/A.swift",
                "\nstruct A: @unchecked Sendable {}",
                "nonisolated(unsafe) let a = 1", "struct A: @unchecked Sendable {}  // why",
                "/// Why.\nnonisolated(unsafe) let a = 1", "init(unchecked bytes: B)") == [
                    1, 1, 0, 0, 0,
                ])
    }

    @Test func `nothing is reached by everybody`() {
        expectNone(Repository.swift.flatMap(Shapes.singletons))
        #expect(
            count(
                Shapes.singletons, "Sources/A/A.swift", "public static let shared = A()",
                "let shared = a", "static let sharedKey = b") == [1, 0, 0])
    }

    @Test func `a threshold is how many must sign`() {
        expectNone(Repository.swift.flatMap(Shapes.shiftedThresholds))
        #expect(
            count(Shapes.shiftedThresholds, "a.swift", "key.threshold + 1", "threshold - 1") == [
                1, 0,
            ])
    }

    @Test func `no type bears its module's name`() {
        expectNone(Repository.swift.flatMap(Shapes.typesNamedAsTheirRoom))
        #expect(
            count(
                Shapes.typesNamedAsTheirRoom, "Sources/Vaults/A.swift", "public struct Vaults {}",
                "struct A { struct Vaults {} }", "extension Vaults {}") == [1, 0, 0])
    }

    @Test func `a file with a plus extends what stands before it`() {
        expectNone(Repository.swift.flatMap(Shapes.strayCapabilities))
        let path = "Sources/A/Ledger+Fees.swift"
        #expect(
            count(Shapes.strayCapabilities, path, "struct Fees {}", "extension Ledger {}") == [
                1, 0,
            ])
    }

    @Test func `SQL stays in storage`() {
        expectNone(Repository.swift.flatMap(Shapes.straySQL))
        let text = "let a = \"\"\"\n  SELECT id\n  FROM vault\n\"\"\""
        #expect(count(Shapes.straySQL, "Sources/Custody/A.swift", text, "\"UPDATE: a\"") == [1, 0])
        #expect(count(Shapes.straySQL, "Sources/Storage/A.swift", text) == [0])
    }

    @Test func `generated types are called by their readable names`() {
        expectNone(Repository.swift.flatMap(Shapes.generatedNames))
        let text = "let a = Quorumkeep_Relay_V1_Offer()"
        #expect(count(Shapes.generatedNames, "Sources/Holder/A.swift", text) == [1])
        #expect(count(Shapes.generatedNames, "Sources/Wire/A.swift", text) == [0])
    }
}
