import Canonical
import Chains
import Custody
import Foundation  // base64
import HTTPTypes
import Identity
import Intents

extension AdminEndpoint {
    static let messages: [AdminEndpoint] = [
        .change(
            .post, "create_message_sign_transaction", "transactions/message_sign",
            .transactionMessageSign, made: "transaction_id"
        ) { call in
            AdminCall.made(try call.books.signMessage(call.message(), for: call.tenant))
        }
    ]
}

extension AdminCall {
    /// What is to be signed, as its caller says it.
    private struct MessageDestination {
        let type: String?
        let message: String?
        let data: JSONValue?

        init(_ fields: inout RequestFields) {
            type = fields.string("destination_type")
            message = fields.string("message")
            data = fields.json("structured_data")
        }
    }

    fileprivate func message() throws -> MessageDraft {
        var fields = try self.fields(
            "request_id", "chain_id", "source", "destination", "description")
        try serve(
            fields, "destination_type", in: "destination", only: "EVM_EIP_191_Signature",
            "EVM_EIP_712_Signature")
        let (request, chain) = (fields.string("request_id"), fields.string("chain_id"))
        let source = fields.object(
            "source", knowing: "source_type", "wallet_id", "address", read: Source.init)
        let destination = fields.object(
            "destination", knowing: "destination_type", "message", "structured_data",
            read: MessageDestination.init)
        let note = fields.string("description").flatMap { $0.isEmpty ? nil : $0 }
        try fields.finish()
        try checkDescription(note)
        let externalID = try required("request_id", request)
        let vault = try vault(source)
        return MessageDraft(
            vault: vault.id, chain: try self.chain(named: required("chain_id", chain)),
            address: try required("address", source?.address), message: try message(destination),
            note: note, externalID: externalID)
    }

    private func message(_ destination: MessageDestination?) throws -> EVMMessage {
        let destination = try required("destination", destination)
        switch try required("destination_type", destination.type) {
        case "EVM_EIP_191_Signature" where destination.data == nil:
            let text = try required("message", destination.message)
            guard let bytes = Data(base64Encoded: text) else {
                throw AdminProblem(.badValue, "'message' is no base64.")
            }
            return .personal(Array(bytes))
        case "EVM_EIP_712_Signature" where destination.message == nil:
            return .typed(try required("structured_data", destination.data).bytes)
        case "EVM_EIP_191_Signature", "EVM_EIP_712_Signature":
            throw AdminProblem(
                .badValue, "One of 'message' and 'structured_data' belongs to another type.")
        case let other:
            throw AdminProblem.unsupported("A destination of type '\(other.prefix(32))'")
        }
    }
}

extension AdminResource {
    /// What is signed, in the form in which it was asked for.
    static func destination(_ message: EVMMessage) -> JSONValue {
        switch message {
        case .personal(let bytes):
            .object([
                "destination_type": .string("EVM_EIP_191_Signature"),
                "message": .string(Data(bytes).base64EncodedString()),
            ])
        case .typed(let text):
            .object([
                "destination_type": .string("EVM_EIP_712_Signature"),
                "structured_data": (try? JSONParser.parse(text)) ?? .null,
                "raw_structured_data": .string(String(decoding: text, as: UTF8.self)),
            ])
        }
    }
}
