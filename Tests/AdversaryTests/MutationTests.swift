import Foundation
import KeyGroups
import TestKit
import Testing

@testable import Threshold

/// Every field of every message is changed in every way, and who is told, who is named and what is
/// released is compared with the documents' tables.
///
/// `QUORUMKEEP_MUTATIONS=100000` makes so many: first each way for each field once, then any.
@Suite struct `Every field of every message, changed` {
    private static let most =
        ProcessInfo.processInfo.environment["QUORUMKEEP_MUTATIONS"].flatMap { Int($0) } ?? 5200

    private static let tally = Tally("mutations")

    enum Part: String, CaseIterable, Sendable {
        case signingOfTwo, signingOfThree, signingWithoutOne, signingTwoItems
        case keyOfTwo, keyOfThree, envelopes, testimonies
        case frostOfTwo, frostOfThree, frostTwoItems, taproot
        case refreshed, recovered, taprootRefreshed

        /// Of a thousand mutations: what is cheap is done more often.
        var share: Int {
            switch self {
            case .signingOfTwo: 330
            case .signingOfThree: 60
            case .signingWithoutOne: 290
            case .signingTwoItems: 90
            case .keyOfTwo: 30
            case .keyOfThree: 10
            case .envelopes: 50
            case .testimonies: 40
            case .frostOfTwo, .frostTwoItems, .taproot: 15
            case .frostOfThree: 10
            case .refreshed, .recovered, .taprootRefreshed: 15
            }
        }
    }

    private typealias Mutate = (Layout.Field, Mutation, inout TestRandom) throws ->
        MutationOutcome?

    @Test(arguments: Part.allCases)
    func `gives no bad result, and names the one who changed it or nobody`(_ part: Part) throws {
        let count = Self.most * part.share / 1000
        switch part {
        case .frostOfTwo:
            try run(FROSTLayouts<EdDSA>.stage("frost", (2, 3), [1, 3]), part, count)
        case .frostTwoItems:
            try run(
                FROSTLayouts<EdDSA>.stage("frost, two items", (2, 3), [1, 2], items: 2), part,
                count)
        case .frostOfThree:
            try run(FROSTLayouts<EdDSA>.stage("frost of 3", (3, 3), [1, 2, 3]), part, count)
        case .taproot:
            try run(FROSTLayouts<BIP340>.stage("taproot", (2, 3), [1, 2]), part, count)
        case .refreshed:
            try run(SharingLayouts<EdDSA>.refresh("refresh"), part, count)
        case .recovered:
            try run(SharingLayouts<EdDSA>.recovery("recovery"), part, count)
        case .taprootRefreshed:
            try run(SharingLayouts<BIP340>.refresh("taproot refresh"), part, count)
        case .signingOfTwo:
            try run(SigningLayouts.stage("2 of 2", (2, 2), [1, 2]), part, count)
        case .signingWithoutOne:
            try run(SigningLayouts.stage("2 of 3", (2, 3), [1, 3]), part, count)
        case .signingOfThree:
            try run(SigningLayouts.stage("3 of 3", (3, 3), [1, 2, 3]), part, count)
        case .signingTwoItems:
            try run(
                SigningLayouts.stage("two items", (2, 3), [1, 2], items: 2), part, count)
        case .keyOfTwo:
            try run(KeyGenerationLayouts.stage("key of 2", (2, 2)), part, count)
        case .keyOfThree:
            try run(
                KeyGenerationLayouts.stage("key of 3", (2, 3)), part, count, isComplete: false)
        case .envelopes:
            let stage = try EnvelopeStage()
            let moves = stage.fields.map { place, field in
                (field, { try stage.mutate(place, $0, $1, &$2) } as Mutate)
            }
            try run(moves, part, count)
        case .testimonies:
            let stage = try TestimonyStage()
            let moves = stage.fields.map { ($0, { try stage.mutate($0, $1, &$2) } as Mutate) }
            try run(moves, part, count)
            try stage.finish()
        }
        if let lines = Self.tally.closing(after: Part.allCases.count) { print(lines) }
    }

    private func run<Machine: ProtocolRun & ~Copyable>(
        _ stage: Stage<Machine>, _ part: Part, _ count: Int, isComplete: Bool = true
    ) throws {
        let moves = stage.layouts.flatMap { layout in
            layout.targetFields.map { field in
                (field, { try stage.mutate(layout, $0, $1, &$2) } as Mutate)
            }
        }
        try run(moves, part, count, isComplete: isComplete)
    }

    /// - Parameter isComplete: whether each mutation of each field comes at least once.
    private func run(
        _ moves: [(Layout.Field, Mutate)], _ part: Part, _ count: Int, isComplete: Bool = true
    ) throws {
        var random = TestRandom("mutations \(part.rawValue)")
        var done = 0
        func make(_ move: (Layout.Field, Mutate), _ mutation: Mutation) throws {
            guard let (field, outcome) = try move.1(move.0, mutation, &random) else { return }
            Self.tally.add(field, outcome)
            Self.tally.add("total")
            done += 1
        }
        if isComplete {
            for move in moves {
                for mutation in Mutation.allCases { try make(move, mutation) }
            }
        }
        while done < count {
            let move = moves[random.integer(below: moves.count)]
            try make(move, Mutation.allCases[random.integer(below: Mutation.allCases.count)])
        }
    }
}
