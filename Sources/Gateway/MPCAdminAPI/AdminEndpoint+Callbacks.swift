import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

/// What the servers of API keys were asked about transactions.
extension AdminEndpoint {
    static let callbacks: [AdminEndpoint] = [
        .list(
            "list_callback_messages", "developers/callback_messages", .callbackRead,
            query: [
                "callback_message_ids", "request_ids", "transaction_ids", "wallet_ids", "status",
            ]
        ) { call in
            var filter = CallbackFilter()
            filter.events = try call.values("callback_message_ids")?.compactMap {
                EventID(text: $0.lowercased())
            }
            filter.externalIDs = try call.values("request_ids")
            filter.transactions = try call.values("transaction_ids")?.compactMap {
                TransactionID(text: $0.lowercased())
            }
            filter.vaults = try call.values("wallet_ids")?.compactMap {
                VaultID(text: $0.lowercased())
            }
            filter.states = try call.value("status", Callback.State.all)
            let page = try call.books.store.callbacks(
                of: call.tenant, matching: filter, call.page())
            return try call.list(page, AdminResource.callback)
        },
        .change(
            .post, "retry_callback_message", "developers/callback_messages/{message_id}/retry",
            .callbackResend
        ) { call in
            let callback = try call.books.callback(
                call.id("message_id", "callback"), of: call.tenant)
            _ = try call.books.redeliver(callback.event, of: call.tenant)
            return .object(["retried": .bool(true)])
        },
    ]
}

extension AdminResource {
    fileprivate static func callback(_ view: CallbackView) throws -> JSONValue {
        let callback = view.callback
        let data: JSONValue
        do throws(MalformedJSON) {
            data = try JSONParser.parse(view.body)
        } catch {
            throw LedgerFault.impossible("content of callback \(callback.event)")
        }
        var members: [JSONValue.Member] = [
            .init(name: "id", value: .string(callback.event.text)),
            .init(
                name: "created_timestamp", value: .integer(callback.createdAt.milliseconds)),
            .init(
                name: "updated_timestamp", value: .integer(callback.updatedAt.milliseconds)),
            .init(name: "request_id", value: .string(view.externalID ?? "")),
            .init(name: "transaction_id", value: .string(callback.transaction.text)),
            .init(name: "wallet_id", value: .string(view.vault.text)),
            .init(name: "url", value: .string(callback.url)), .init(name: "data", value: data),
            .init(name: "status", value: .string(callback.state.adminStatus)),
        ]
        if let result = callback.state.adminResult {
            members.append(.init(name: "result", value: .string(result)))
        }
        return .object(members)
    }
}

extension Callback.State {
    /// The face has no word for what still waits: it was sent in vain.
    fileprivate var adminStatus: String {
        switch self {
        case .approved: "Approved"
        case .denied: "Denied"
        case .waiting, .failed, .dropped: "Failed"
        }
    }

    fileprivate var adminResult: String? {
        switch self {
        case .approved: "ok"
        case .denied: "deny"
        case .waiting, .failed, .dropped: nil
        }
    }

    /// The states that a filter by one of the face's statuses means.
    fileprivate static func all(_ status: String) -> [Callback.State]? {
        let states = allCases.filter { $0.adminStatus == status }
        return states.isEmpty ? nil : states
    }
}
