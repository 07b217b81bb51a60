import Canonical
import Foundation
import Logging

/// A log whose every line is a JSON object, for programs that collect logs.
struct JSONLog: LogHandler {
    private let label: String
    var logLevel = Logger.Level.info
    var metadata = Logger.Metadata()

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let bytes = Self.line(
            at: Date(), event.level, label, "\(event.message)", all)
        // One call a line, so that lines of several threads do not mix.
        bytes.withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    static func line(
        at time: Date, _ level: Logger.Level, _ label: String, _ message: String,
        _ metadata: Logger.Metadata
    ) -> [UInt8] {
        let usual: [JSONValue.Member] = [
            .init(
                name: "time",
                value: .string(
                    time.formatted(
                        .iso8601.year().month().day().time(includingFractionalSeconds: true)))),
            .init(name: "level", value: .string(level.rawValue)),
            .init(name: "log", value: .string(label)),
            .init(name: "message", value: .string(message)),
        ]
        let own = metadata.sorted { $0.key < $1.key }.map {
            JSONValue.Member(name: $0.key, value: value($0.value))
        }
        return JSONValue.object(usual + own).bytes + [UInt8(ascii: "\n")]
    }

    private static func value(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let number as Int): .integer(number)
        case .stringConvertible(let other): .string("\(other)")
        case .dictionary(let members):
            .object(
                members.sorted { $0.key < $1.key }.map {
                    .init(name: $0.key, value: self.value($0.value))
                })
        case .array(let items): .array(items.map(self.value))
        }
    }
}
