import Algebra
import Foundation
import Holder
import Housekeeping
import Logging
import Synchronization
import UnixSignals

/// Runs a holder's core and its line to the relay until a signal ends them.
struct NodeProcess {
    let log: Logger

    /// Makes the desk that asks the operator's callback servers, which posts what they decide.
    typealias MakeDesk = (@escaping @Sendable (HolderInput) -> Void) -> CallbackDesk?

    /// The connection and the desk, once they are made: the core is made before them and speaks
    /// through them.
    private final class Line: Sendable {
        private let connection = Mutex<RelayConnection?>(nil)
        private let desk = Mutex<CallbackDesk?>(nil)

        func set(_ made: RelayConnection, _ desk: CallbackDesk?) {
            self.desk.withLock { $0 = desk }
            connection.withLock { $0 = made }
        }

        func send(_ output: HolderOutput) {
            switch output {
            case .consult(let consultation): desk.withLock { $0 }?.ask(consultation)
            case .endConsultation(let subject): desk.withLock { $0 }?.end(subject)
            case .verdict, .envelope, .testimony, .signatures, .keyReady, .runEnded, .shareProof,
                .note:
                connection.withLock { $0 }?.send(output)
            }
        }
    }

    func run(
        _ core: sending HolderCore, identity: SecretBox<IdentityKey>, relay: RelayAddress,
        desk: MakeDesk
    ) async throws {
        let line = Line()
        let thread = CoreThread(clock: { HolderTime.machine }, sink: { line.send($0) })
        let connection = try RelayConnection(
            relay, identity: identity, log: log, receive: { thread.post($0) })
        line.set(connection, desk { thread.post($0) })
        let log = log
        let box = Mutex<HolderCore?>(core)
        Thread.detachNewThread {
            do {
                guard let core = box.withLock({ $0.take() }) else { return }
                try thread.run(core)
            } catch {
                // Memory is ahead of the disk: go on from the disk, in a new process.
                log.critical("the store failed, the holder ends: \(error)")
                _exit(70)
            }
        }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await connection.run() }
            group.addTask {
                for await _ in signals { return }
            }
            await group.next()
            group.cancelAll()
        }
        thread.stop()
        log.info("stopped")
        _exit(0)  // whatever is still running has stored what it said
    }
}
