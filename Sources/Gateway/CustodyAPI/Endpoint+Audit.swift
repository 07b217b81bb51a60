import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

/// How usage is counted up.
private enum UsageBy: String, CaseIterable {
    case day
    case endpoint
}

extension Endpoint {
    static let audit: [Endpoint] = [
        .get(
            "listAudit", "audit", .auditRead, "Lists what was done, by whom, and alerts.",
            query: [
                Member("vaultId", .uuid, optional: true),
                Member("from", .time, optional: true, "at that time or later"),
                Member("to", .time, optional: true, "before"),
            ], answer: .page(Resource.auditShape)
        ) { call in
            let filter = AuditFilter(
                vault: try call.value("vaultId") { VaultID(text: $0.lowercased()) },
                from: try call.value("from") { Timestamp(text: $0) },
                to: try call.value("to") { Timestamp(text: $0) })
            return call.list(
                try call.books.store.audit(of: call.tenant, matching: filter, call.page()),
                Resource.audit)
        },
        .get(
            "getUsage", "usage", .usageRead, "Counts requests by day or by endpoint.",
            query: [
                Member("from", .day, optional: true, "29 days before `to` if left out"),
                Member("to", .day, optional: true, "included; today if left out"),
                Member("by", .choice(UsageBy.self), optional: true, "day if left out"),
            ], answer: Resource.usageShape
        ) { call in
            let by = try call.value("by") { UsageBy(rawValue: $0) } ?? .day
            let counts = try call.books.usage(
                of: call.tenant, from: call.value("from") { UsageCount.day($0) },
                to: call.value("to") { UsageCount.day($0) })
            return Resource.usage(counts, byDay: by == .day)
        },
    ]
}
