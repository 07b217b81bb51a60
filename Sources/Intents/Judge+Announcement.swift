import Canonical
import Chains
import KeyGroups

/// Which addresses a holder knows, and for how long: whoever takes over the platform can name any
/// address, but cannot make it old.
extension Judge {
    /// An announcement spends nothing and signs nothing. It is for the root key, whichever group
    /// and epoch it comes by.
    func approve(
        _ announcement: Announcement, _ knowing: HolderKnowledge
    ) throws(Stop) -> Approved {
        try checkServed(announcement.chain)
        guard knowing.key != nil else {
            throw refuse(
                .unknownGroup, "This holder has no key of the group.",
                orWaitIf: knowing.isKeyUnfinished)
        }
        guard (try? EVMAddress(text: announcement.address)) != nil else {
            throw refuse(
                .wrongDestination, "This is no address of \(announcement.chain.text).")
        }
        return Approved(items: [], spending: [:])
    }

    /// What says to be of our own root key must be what we derive ourselves: it needs no
    /// announcement, and nothing but its fee is spent. Paths that nobody would look through are
    /// refused, since what went there could be hidden.
    func checkOwn(_ order: TransferOrder, _ key: SharedKey<ECDSA>) throws(Stop) {
        guard let path = order.output.ownPath else { return }
        guard path.coin == order.chain.coinType, path.number < AccountPath.numbersMost,
            path.vaultIndex < AccountPath.vaultsMost, path != order.sourcePath || order.isDrop,
            let derived = DerivedKey(path.derivation, of: key),
            EVMAddress(derived.publicKey).text == order.output.address
        else {
            throw refuse(
                .wrongDestination,
                "\(order.output.address) is not another address of this key at \(path.text).")
        }
    }

    /// What was announced of a transfer's destination; a transfer to any other is refused.
    func announcement(
        of address: String, _ knowing: HolderKnowledge
    ) throws(Stop) -> AnnouncedAddress {
        guard let announced = knowing.destination else {
            throw refuse(
                .addressNotAnnounced, "\(address) was never announced to this holder.")
        }
        if let removedAt = announced.removedAt {
            throw refuse(
                .addressRemoved,
                "\(address) was removed from the address book at \(Self.time(removedAt)).")
        }
        return announced
    }

    func checkCooling(
        _ announced: AnnouncedAddress, _ knowing: HolderKnowledge
    ) throws(Stop) {
        let end = announced.firstSeen + rules.addressCooling
        guard knowing.now >= end else {
            throw .wait(
                Verdict.Reason(
                    .addressCooling,
                    "The address was announced here at \(Self.time(announced.firstSeen)); this "
                        + "holder signs for it from \(Self.time(end)) on."))
        }
    }

    static func time(_ seconds: UInt64) -> String {
        CivilTime.text(Int64(min(seconds, Intent.timeMost)))
    }
}
