import ArgumentParser
import Custody
import Housekeeping
import Intents

/// The option of every command on one tenant.
struct TenantOption: ParsableArguments {
    @Option(help: "The tenant's name or id; may be left out where there is one tenant.")
    var tenant: String?

    func id(_ books: Books) throws -> TenantID {
        if let tenant {
            let found = try books.store.tenants().filter {
                $0.name == tenant || $0.id.text == tenant.lowercased()
            }
            guard let only = found.first, found.count == 1 else {
                throw CommandFailure(
                    found.isEmpty
                        ? "there is no tenant '\(tenant)': see quorumkeep tenant list"
                        : "\(found.count) tenants are called \(tenant): give an id")
            }
            return only.id
        }
        let tenants = try books.store.tenants()
        guard let only = tenants.first, tenants.count == 1 else {
            throw CommandFailure(
                "say which tenant with --tenant: "
                    + tenants.map { "\($0.id) (\($0.name))" }.joined(separator: ", "))
        }
        return only.id
    }
}
