import Canonical
import Custody
import HTTPTypes
import Identity
import Intents

extension Endpoint {
    static let addressBook: [Endpoint] = [
        .change(
            .post, "addAddress", "address-book", .addressBookWrite,
            "Adds an address that may be paid to.",
            body: [
                Member("network", .text(), "CAIP-2, such as `eip155:1`"),
                Member("address", .text()), Member("tag", .text(), optional: true),
                Member("label", .text(most: AddressBookEntry.labelMost)),
                Member("externalId", .text(most: Transaction.externalIDMost), optional: true),
            ], status: 201, answer: Resource.entryShape,
            refusals: [.unknownNetwork, .externalIDReused, .addressExists]
        ) { call in
            var fields = try call.fields()
            let draft = AddressBookDraft(
                network: fields.string("network"), address: fields.string("address"),
                tag: fields.string("tag"), label: fields.string("label"),
                externalID: fields.string("externalId"))
            try fields.finish()
            return Resource.entry(try call.books.addAddress(draft, for: call.tenant))
        },
        .get(
            "listAddresses", "address-book", .addressBookRead, "Lists the address book.",
            query: [
                Member(
                    "status", .choice(AddressBookEntry.Status.self), optional: true,
                    "all but `Removed` if absent")
            ], answer: .page(Resource.entryShape)
        ) { call in
            let status = try call.value("status") { AddressBookEntry.Status(rawValue: $0) }
            return call.list(
                try call.books.store.addressBook(
                    of: call.tenant, matching: .init(status: status), call.page()),
                Resource.entry)
        },
        .get(
            "getAddress", "address-book/{entry}", .addressBookRead,
            "Shows an entry of the address book.", answer: Resource.entryShape
        ) { call in Resource.entry(try call.books.addressBookEntry(call.entry, of: call.tenant)) },
        .change(
            .patch, "relabelAddress", "address-book/{entry}", .addressBookWrite,
            "Gives an entry another label.",
            body: [Member("label", .text(most: AddressBookEntry.labelMost))], status: 200,
            answer: Resource.entryShape
        ) { call in
            let entry = try call.entry
            var fields = try call.fields()
            let label = fields.string("label")
            try fields.finish()
            return Resource.entry(try call.books.relabel(entry, label, of: call.tenant))
        },
        .change(
            .delete, "removeAddress", "address-book/{entry}", .addressBookWrite,
            "Removes an entry from the address book.", status: 204
        ) { call in
            try call.books.removeAddress(call.entry, of: call.tenant)
            return nil
        },
    ]
}

extension Call {
    fileprivate var entry: AddressBookEntryID {
        get throws { try id("entry", "address-book entry") }
    }
}
