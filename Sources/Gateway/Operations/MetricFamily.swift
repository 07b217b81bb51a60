/// One metric with its samples, in Prometheus' text format 0.0.4.
public struct MetricFamily: Sendable {
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    public typealias Labels = [(name: String, value: String)]

    /// Of every page of metrics.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    let name: String
    private let says: String
    private let kind: Kind
    private var lines: [String] = []

    public init(_ name: String, _ kind: Kind, _ says: String) {
        self.name = name
        self.kind = kind
        self.says = says
    }

    public init(_ name: String, _ kind: Kind, _ says: String, _ value: Int) {
        self.init(name, kind, says)
        add([], value)
    }

    public mutating func add(_ labels: Labels, _ value: Int) { add(labels, text: String(value)) }

    public mutating func add(_ labels: Labels, seconds: Duration) {
        add(labels, text: Self.seconds(seconds))
    }

    /// - Parameter text: a decimal number.
    public mutating func add(_ labels: Labels, text: String, suffix: String = "") {
        let shown = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
        let braces = shown.isEmpty ? "" : "{\(shown.joined(separator: ","))}"
        lines.append("\(name)\(suffix)\(braces) \(text)")
    }

    /// Adds one histogram: how many fell at each bound, not summed, and at none of them.
    public mutating func add(
        _ labels: Labels, bounds: [String], counts: [Int], sum: String
    ) {
        var running = 0
        for (bound, count) in zip(bounds + ["+Inf"], counts) {
            running += count
            add(labels + [("le", bound)], text: String(running), suffix: "_bucket")
        }
        add(labels, text: sum, suffix: "_sum")
        add(labels, text: String(running), suffix: "_count")
    }

    public var text: String {
        (["# HELP \(name) \(says)", "# TYPE \(name) \(kind.rawValue)"] + lines)
            .joined(separator: "\n") + "\n"
    }

    static func seconds(_ duration: Duration) -> String {
        let (whole, rest) = duration.components
        let micros = String(rest / 1_000_000_000_000)
        return "\(whole)." + String(repeating: "0", count: max(0, 6 - micros.count)) + micros
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }
}
