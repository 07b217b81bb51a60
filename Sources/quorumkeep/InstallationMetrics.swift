import Chains
import Custody
import Foundation
import Gateway
import Storage
import Workers

/// What the platform measures of itself beyond its doors: the books, the commits, the chains, the
/// process. Nothing here names a tenant.
struct InstallationMetrics: Sendable {
    let custody: Bookkeeper
    let database: PlatformDatabase
    /// What each chain's node spoke of.
    let tips: [ChainID: ChainTip]
    let started: Timestamp

    func families() async throws -> [MetricFamily] {
        let figures = try await custody.read { try $0.store.figures() }
        return money(figures) + deliveries(figures) + chains(figures) + holders(figures) + commits
            + ProcessFigures.families(started: started, now: custody.now)
    }

    private func money(_ figures: InstallationFigures) -> [MetricFamily] {
        var suspense = MetricFamily(
            "quorumkeep_ledger_suspense", .gauge,
            "What wallets owe to what is held, in whole coins; above 0 a person has to look.")
        for asset in custody.settings.assets {
            let amount = figures.suspense[asset.id, default: .zero]
            suspense.add([("asset", asset.id)], text: amount.text(decimals: asset.decimals))
        }
        var underWay = MetricFamily(
            "quorumkeep_transactions_under_way", .gauge, "Transactions that have not ended.")
        for kind in Transaction.Kind.allCases {
            for status in Transaction.Status.allCases where !status.isFinal {
                underWay.add(
                    [("type", kind.rawValue), ("status", status.rawValue)],
                    figures.underWay[.init(kind: kind, status: status), default: 0])
            }
        }
        return [suspense, underWay]
    }

    private func deliveries(_ figures: InstallationFigures) -> [MetricFamily] {
        let age = figures.oldestWaiting.map { custody.now.milliseconds - $0.milliseconds } ?? 0
        var oldest = MetricFamily(
            "quorumkeep_webhook_events_oldest_seconds", .gauge,
            "Age of the oldest event whose delivery has not ended; 0 if there is none.")
        oldest.add([], seconds: .milliseconds(max(0, age)))
        return [
            MetricFamily(
                "quorumkeep_webhook_events_waiting", .gauge,
                "Events whose delivery has not ended.", figures.eventsWaiting),
            oldest,
            MetricFamily(
                "quorumkeep_webhook_events_dead", .gauge,
                "Events that were given up, and are kept until they are sent again or purged.",
                figures.eventsDead),
        ]
    }

    private func chains(_ figures: InstallationFigures) -> [MetricFamily] {
        var height = MetricFamily(
            "quorumkeep_chain_height", .gauge, "The newest block that was taken in.")
        var lag = MetricFamily(
            "quorumkeep_chain_lag_blocks", .gauge, "How many blocks the node is ahead of us.")
        var silence = MetricFamily(
            "quorumkeep_chain_node_silence_seconds", .gauge, "Since when the node did not answer.")
        for chain in figures.chains {
            let labels = [("chain", chain.chain.text)]
            height.add(labels, text: String(chain.number))
            guard let tip = tips[chain.chain]?.seen else { continue }
            lag.add(labels, text: String(tip.number - min(tip.number, chain.number)))
            let silent = custody.now.milliseconds - tip.at.milliseconds
            silence.add(labels, seconds: .milliseconds(max(0, silent)))
        }
        return [height, lag, silence]
    }

    private func holders(_ figures: InstallationFigures) -> [MetricFamily] {
        [
            MetricFamily(
                "quorumkeep_holders_registered", .gauge, "Holders that were added.",
                figures.holders),
            MetricFamily(
                "quorumkeep_holders_online", .gauge, "Holders whose line to the relay stands.",
                figures.holdersOnline),
        ]
    }

    private var commits: [MetricFamily] {
        let counts = database.commitCounts
        var batches = MetricFamily(
            "quorumkeep_commit_batch_size", .histogram,
            "Commits to the database, by how many writers shared each.")
        // None is above the last bound.
        batches.add(
            [], bounds: CommitCounts.bounds.map(String.init), counts: counts.batches + [0],
            sum: String(counts.jobs))
        return [
            batches,
            MetricFamily(
                "quorumkeep_commits_total", .counter, "Commits to the database.", counts.commits),
            MetricFamily(
                "quorumkeep_commits_failed_total", .counter,
                "Commits that failed, with everything in them.", counts.failed),
        ]
    }
}

/// What the kernel says of this process, under the names that Prometheus' own clients use.
enum ProcessFigures {
    static func families(started: Timestamp, now: Timestamp) -> [MetricFamily] {
        var cpu = MetricFamily(
            "process_cpu_seconds_total", .counter, "Time on a processor, of user and system.")
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        cpu.add([], seconds: duration(usage.ru_utime) + duration(usage.ru_stime))
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var start = MetricFamily(
            "process_start_time_seconds", .gauge, "When the process began, in Unix seconds.")
        start.add([], seconds: .milliseconds(started.milliseconds))
        var uptime = MetricFamily(
            "quorumkeep_uptime_seconds", .gauge, "For how long the process has run.")
        uptime.add([], seconds: .milliseconds(now.milliseconds - started.milliseconds))
        return [
            cpu, start, uptime,
            MetricFamily(
                "process_resident_memory_bytes", .gauge, "Memory that is not swapped out.",
                resident),
            MetricFamily(
                "process_open_fds", .gauge, "Open file descriptors.", descriptors),
            MetricFamily(
                "process_max_fds", .gauge, "Most of them that may be open.",
                Int(clamping: limit.rlim_cur)),
        ]
    }

    private static func duration(_ time: timeval) -> Duration {
        .seconds(time.tv_sec) + .microseconds(time.tv_usec)
    }

    private static var resident: Int {
        let text = FileManager.default.contents(atPath: "/proc/self/statm") ?? Data()
        let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Without the one that looks.
    private static var descriptors: Int {
        let folder = "/proc/self/fd"
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            return 0
        }
        return max(0, names.count - 1)
    }
}
