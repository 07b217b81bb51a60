import Algebra
import ArgumentParser
import Canonical
import Foundation
import Holder
import HolderStorage
import Housekeeping
import Intents
import KeyGroups

/// The operator's own look at the shares, without the platform. Changes nothing, so that it may be
/// done while the holder runs.
struct CheckUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkup",
        abstract: "See whether each share is whole, here and with nobody else.",
        discussion: """
            Opens each share and proves that it is the one whose public part stands in the \
            certificate that every holder has signed. Ends with 1 if one is damaged: then that \
            holder must be replaced in the group. It does not say whether the holder would sign, \
            or whether a file of export-share is good (quorumkeep-recover verify does).
            """)

    @OptionGroup var options: DataOption

    func run() async throws {
        try Chores.forbidCrashDumps()
        let directory = options.directory
        let sealing = try directory.sealingKey()
        let database = try directory.database()
        // One at a time: a holder that runs waits for the lock only so long.
        var found: [(key: KeyRecord, condition: ShareCondition)] = []
        for listed in try database.commit({ try database.allKeys() }) {
            let now = try database.commit {
                try database.keys(of: listed.group).first { $0.epoch == listed.epoch }
                    .map { ($0, try sealing.condition(of: $0, in: database)) }
            }
            if let now { found.append(now) }
        }
        if found.isEmpty { print("there is no key here yet") }
        for (key, condition) in found {
            print("\(condition.word)  \(key.line)\(condition.reason.map { ": \($0)" } ?? "")")
        }
        let damaged = found.count { if case .damaged = $0.condition { true } else { false } }
        if damaged > 0 {
            throw CommandFailure(
                "\(damaged) of \(found.count) shares are damaged: see \"If a holder is lost\" in "
                    + "docs/operations.md")
        }
    }
}

extension ShareCondition {
    fileprivate var word: String {
        switch self {
        case .whole: "whole    "
        case .destroyed: "destroyed"
        case .damaged: "DAMAGED  "
        }
    }

    fileprivate var reason: String? {
        switch self {
        case .whole: nil
        case .destroyed: "a later epoch took its place"
        case .damaged(let why): why
        }
    }
}

extension KeyRecord {
    /// What the key is, for people.
    var line: String {
        "group \(group) epoch \(epoch) \(state.rawValue), \(key.threshold.required) of "
            + "\(key.threshold.holders), \(kind.name), \(scheme.name)"
    }
}
