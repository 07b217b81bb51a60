import CMemcheck

/// Runs operations one after the other and counts, for each, the jumps and addresses that depended
/// on a secret.
final class Bench {
    /// What memcheck must say of an operation.
    enum Expectation: String {
        /// Nothing depends on the secret.
        case constant = "constant"
        /// Says by its name or its comment that it is not constant time; a report shows that the
        /// bench would see it, and that the list of exceptions is true.
        case variable = "variable"
        /// Leaks on purpose: no report means that nothing of this table can be believed.
        case control = "control"
    }

    /// Jumps that may depend on a secret, since what they tell is public: exactly so many.
    struct Facts {
        let count: UInt32
        let what: String

        static let none = Facts(count: 0, what: "")

        static func told(_ count: UInt32, _ what: String) -> Facts {
            Facts(count: count, what: what)
        }
    }

    private struct Row {
        let expectation: Expectation
        let name: String
        let secret: String
        let reports: UInt32
        let facts: Facts

        var isAsExpected: Bool {
            switch expectation {
            case .constant: reports == facts.count
            case .variable, .control: reports > 0
            }
        }
    }

    private var rows: [Row] = []

    /// - Parameter body: makes its own inputs, marks their secrets, and returns nothing of them.
    func run(
        _ expectation: Expectation, _ name: String, secret: String, _ facts: Facts = .none,
        _ body: () throws -> Void
    ) rethrows {
        memcheck_say("== \(name) (\(expectation.rawValue))")
        let before = memcheck_reports()
        try body()
        let reports = memcheck_reports() - before
        rows.append(
            Row(
                expectation: expectation, name: name, secret: secret, reports: reports,
                facts: facts))
    }

    /// Prints the table; says whether every row is as it must be.
    func finish() -> Bool {
        func line(_ cells: [String]) -> String {
            zip(cells, [8, 43, 23, 7]).map { cell, width in
                cell + String(repeating: " ", count: max(0, width - cell.count))
            }.joined(separator: " ")
        }
        for row in rows {
            let cells = [row.expectation.rawValue, row.name, row.secret, "\(row.reports)"]
            let note = row.isAsExpected ? row.facts.what : "NOT AS EXPECTED \(row.facts)"
            print(line(cells).trimmed(with: note))
        }
        let controls = rows.count { $0.expectation == .control }
        return rows.allSatisfy(\.isAsExpected) && controls == 2 && rows.count > 3
    }
}

extension String {
    /// The line with a note after it, and without spaces at its end.
    fileprivate func trimmed(with note: String) -> String {
        let line = "\(self)  \(note)"
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
