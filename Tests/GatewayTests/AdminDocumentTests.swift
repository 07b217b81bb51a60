import Foundation
import HTTPTypes
import Identity
import Testing

@testable import Gateway

@Suite struct `The page of the MPC administration API` {
    private static let page: [Substring] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "docs/api/mpc-admin.md")
        let data = (try? Data(contentsOf: file)) ?? Data()
        return String(decoding: data, as: UTF8.self).split(separator: "\n")
    }()

    /// The names in the first column of the table below a heading.
    private func names(below heading: String) -> [String] {
        guard let start = Self.page.firstIndex(of: "## \(heading)"[...]) else { return [] }
        let rest = Self.page[(start + 1)...].prefix { !$0.hasPrefix("## ") }
        return rest.filter { $0.hasPrefix("| `") }.compactMap { line in
            line.split(separator: "`").dropFirst().first.map(String.init)
        }
    }

    @Test func `says of each operation whether it is supported`() {
        let (served, others) = (
            MPCAdminAPI.endpoints.filter { $0.work != nil },
            MPCAdminAPI.endpoints.filter { $0.work == nil }
        )
        #expect(names(below: "What is supported").sorted() == served.map(\.name).sorted())
        #expect(names(below: "What is not supported").sorted() == others.map(\.name).sorted())
        for endpoint in served {
            let place = "\(endpoint.method.rawValue) `/\(endpoint.path)`"
            #expect(
                Self.page.contains { $0.hasPrefix("| `\(endpoint.name)` ") && $0.contains(place) })
        }
    }

    @Test func `names each code and permission`() {
        let errors = Self.page.drop { $0 != "## Errors" }.dropFirst()
        let codes = errors.prefix { !$0.hasPrefix("## ") }.compactMap { line in
            line.hasPrefix("| ") ? Int(line.dropFirst(2).prefix { $0 != " " }) : nil
        }
        #expect(codes == AdminProblem.Code.allCases.map(\.rawValue).sorted())
        let table = Self.page.filter { $0.hasPrefix("| `") }.map { line in
            line.split(separator: "`").enumerated().filter { !$0.offset.isMultiple(of: 2) }
                .map { String($0.element) }
        }
        for endpoint in MPCAdminAPI.endpoints {
            guard let permission = endpoint.permission?.rawValue else { continue }
            let parts = permission.split(separator: ":").map(String.init)
            #expect(table.contains { $0.first == parts[0] && $0.contains(parts[1]) })
        }
    }
}
