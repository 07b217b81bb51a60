import Canonical
import Foundation
import Synchronization

/// What the custody face does in a second, how many commits that takes, and whether it stays so
/// with a million addresses and transactions.
struct FaceFigures {
    private static let port = 18790
    private static let span = 1.5
    private static let turns = 5
    /// Reads and their base take short turns: what else the machine does changes by the second.
    private static let (readTurns, readSpan) = (15, 0.5)
    private static let readers = 8
    private static let latencies = 4000

    private static let reads = "face.reads.per_second"
    private static let transfers = ["per_second", "commits", "p99"].map { "face.transfers.\($0)" }
    private static let million = "face.million"

    static func measure(into report: Report) async throws {
        guard ([reads, million] + transfers).contains(where: report.wants) else { return }
        let small = try Child(port: port)
        defer { small.stop() }
        if report.wants(reads) { try measureReads(small, report) }
        if transfers.contains(where: report.wants) { try measureTransfers(small, report) }
        guard report.wants(million) else { return }
        let large = try Child(port: port + 2)
        defer { large.stop() }
        _ = try large.order("fill")
        try measureRows(small, large, report)
    }

    /// Reads of a wallet, signed, beside a route that has nothing but one read of the database.
    private static func measureReads(_ child: Child, _ report: Report) throws {
        let bare = Array(
            "GET /wallets/\(child.facts.wallets[0]) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        func base() throws -> Double {
            try load(readers, child.port + 1, seconds: readSpan) { bare }.perSecond
        }
        var (ours, bases, ratios): ([Double], [Double], [Double]) = ([], [try base()], [])
        for _ in 0..<readTurns {
            // A signature is good for half a minute, and a read may be repeated.
            let signed = child.requests.bytes("GET", "/wallets/\(child.facts.wallets[0])")
            let own = try load(readers, child.port, seconds: readSpan) { signed }.perSecond
            let (before, after) = (bases[bases.count - 1], try base())
            ours.append(own)
            bases.append(after)
            ratios.append(own / ((before + after) / 2))
        }
        report.add(
            Figure(
                name: reads, value: median(ours), unit: "1/s", ratio: median(ratios),
                base: "bare route with one read", baseValue: median(bases), least: 0.5,
                runs: readTurns))
    }

    private static func measureTransfers(_ child: Child, _ report: Report) throws {
        let (flush, before) = (try flushMilliseconds(), try child.commits())
        let (wallets, requests) = (child.facts.wallets, child.requests)
        let turn = Atomic<Int>(0)
        let (perSecond, times) = try load(wallets.count, child.port) {
            let number = turn.add(1, ordering: .relaxed).newValue
            let body = JSONValue.object([
                "sourceWalletId": .string(wallets[number % wallets.count]),
                "destinationWalletId": .string(wallets[(number + 1) % wallets.count]),
                "amount": .string("0.000001"),
            ])
            return requests.bytes("POST", "/transactions/transfer", body.bytes)
        }
        let commits = Double(try child.commits() - before)
        report.add(
            Figure(
                name: transfers[0], value: perSecond, unit: "1/s", ratio: perSecond * flush / 1000,
                base: "flushes to disk", baseValue: 1000 / flush, leastValue: 1000,
                runs: times.count))
        report.add(
            Figure(
                name: transfers[1], value: commits / Double(times.count), unit: "commits",
                aim: 0.2, runs: times.count))
        report.add(
            Figure(
                name: transfers[2], value: quantile(times, 0.99), unit: "ms",
                ratio: quantile(times, 0.99) / flush, base: "flush to disk", baseValue: flush,
                aimValue: 50 + 20 * flush, runs: times.count))
    }

    /// The slowest hundredth of reads and deposits, with a million rows and with next to none.
    private static func measureRows(_ small: Child, _ large: Child, _ report: Report) throws {
        let paths: [(String, (Child.Facts) -> String)] = [
            ("wallet", { "/wallets/\($0.wallets[1])" }),
            ("transaction", { "/transactions/\($0.transaction)" }),
            ("vaults", { _ in "/vaults?limit=20" }),
            ("transactions", { _ in "/transactions?limit=20" }),
            ("transactions_of_wallet", { "/transactions?walletId=\($0.wallets[0])&limit=20" }),
        ]
        for (name, path) in paths {
            var times: [[Double]] = [[], []]
            for _ in 0..<turns {
                for (number, child) in [small, large].enumerated() {
                    let request = child.requests.bytes("GET", path(child.facts))
                    times[number] += try alone(latencies / turns, child.port, request)
                }
            }
            add("\(million).\(name).p99", times[1], times[0], report)
        }
        let times = try [small, large].map { child in
            try child.order("deposits").split(separator: " ").compactMap { Double($0) }
        }
        add("\(million).deposit.p99", times[1], times[0], report)
    }

    private static func add(
        _ name: String, _ times: [Double], _ base: [Double], _ report: Report
    ) {
        let (value, small) = (quantile(times, 0.99), quantile(base, 0.99))
        report.add(
            Figure(
                name: name, value: value, unit: "ms", ratio: value / small, base: "nearly empty",
                baseValue: small, aim: 2, runs: times.count))
    }

    /// Requests one after the other over one connection.
    private static func alone(_ count: Int, _ port: Int, _ request: [UInt8]) throws -> [Double] {
        let client = try SocketClient(port: port)
        try client.exchange(request)
        return try (0..<count).map { _ in
            let start = ContinuousClock.now
            try client.exchange(request)
            return start.duration(to: .now) / .milliseconds(1)
        }
    }

    /// So many clients at once, each on a thread of its own.
    private static func load(
        _ clients: Int, _ port: Int, seconds: Double = span,
        _ request: @escaping @Sendable () -> [UInt8]
    ) throws -> (perSecond: Double, times: [Double]) {
        let found = Mutex<[[Double]]>([])
        let start = ContinuousClock.now
        let threads = (0..<clients).map { _ in
            Thread {
                guard let client = try? SocketClient(port: port) else { return }
                var times: [Double] = []
                while start.duration(to: .now) < .seconds(seconds) {
                    let bytes = request()
                    let began = ContinuousClock.now
                    guard (try? client.exchange(bytes)) != nil else { return }
                    times.append(began.duration(to: .now) / .milliseconds(1))
                }
                found.withLock { $0.append(times) }
            }
        }
        for thread in threads { thread.start() }
        while threads.contains(where: { !$0.isFinished }) { usleep(2000) }
        let taken = start.duration(to: .now) / .seconds(1)
        let times = found.withLock { $0 }
        // A client that failed has left nothing.
        guard times.count == clients else { throw Failed() }
        let all = times.flatMap { $0 }
        return (Double(all.count) / taken, all)
    }

    /// What it takes to write a page and have it on disk, in ms.
    private static func flushMilliseconds() throws -> Double {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "quorumkeep-flush-\(ProcessInfo.processInfo.processIdentifier)").path
        let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
        defer {
            close(descriptor)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4096)
        let times = try (0..<200).map { _ in
            let start = ContinuousClock.now
            guard write(descriptor, page, page.count) == page.count, fdatasync(descriptor) == 0
            else { throw Failed() }
            return start.duration(to: .now) / .milliseconds(1)
        }
        return median(times)
    }

    private static func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

    private static func quantile(_ values: [Double], _ share: Double) -> Double {
        values.sorted()[min(values.count - 1, Int(Double(values.count) * share))]
    }
}

/// The process that is measured.
private final class Child {
    typealias Facts = FaceServer.Facts

    let port: Int
    let facts: Facts
    private let process = Process()
    private let (orders, answers) = (Pipe(), Pipe())

    init(port: Int) throws {
        self.port = port
        process.executableURL = Bundle.main.executableURL
        process.arguments = [FaceServer.argument, String(port)]
        process.standardInput = orders
        process.standardOutput = answers
        try process.run()
        facts = try JSONDecoder().decode(
            Facts.self, from: Data(try Self.line(answers.fileHandleForReading).utf8))
        for door in [port, port + 1] {
            while (try? SocketClient(port: door)) == nil {
                guard process.isRunning else { throw Failed() }
                usleep(20_000)
            }
        }
    }

    var requests: SignedRequests { SignedRequests(keyID: facts.keyID, secret: facts.secret) }

    /// Gives an order, waits until it is done, and returns what was printed meanwhile.
    func order(_ text: String) throws -> String {
        try orders.fileHandleForWriting.write(contentsOf: Data("\(text)\n".utf8))
        var printed = ""
        while true {
            let line = try Self.line(answers.fileHandleForReading)
            if line == "done" { return printed }
            printed = line
        }
    }

    /// How many transactions SQLite has committed: the counter of its file format's WAL index,
    /// section 4 of "WAL-mode File Format", bytes 8 to 11.
    func commits() throws -> Int {
        let file = try FileHandle(forReadingFrom: URL(filePath: facts.sharedMemory))
        defer { try? file.close() }
        guard let head = try file.read(upToCount: 12), head.count == 12 else { throw Failed() }
        return head[8..<12].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    func stop() {
        try? orders.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    private static func line(_ input: FileHandle) throws -> String {
        var bytes: [UInt8] = []
        while true {
            guard let next = try input.read(upToCount: 1)?.first else { throw Failed() }
            if next == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(next)
        }
    }
}
