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

    /// Who speaks to servers of the operator's.
    struct Desks {
        var callback: CallbackDesk?
        var events: EventDesk?
    }

    /// Makes the desks, which post what the servers say.
    typealias MakeDesks = (@escaping @Sendable (HolderInput) -> Void) -> Desks

    /// The connection and the desks, once they are made: the core is made before them and speaks
    /// through them.
    private final class Line: Sendable {
        private let connection = Mutex<RelayConnection?>(nil)
        private let desks = Mutex(Desks())

        func set(_ made: RelayConnection, _ desks: Desks) {
            self.desks.withLock { $0 = desks }
            connection.withLock { $0 = made }
        }

        func send(_ output: HolderOutput) {
            switch output {
            case .consult(let consultation): desks.withLock { $0.callback }?.ask(consultation)
            case .endConsultation(let subject): desks.withLock { $0.callback }?.end(subject)
            case .deliver(let event, let server):
                desks.withLock { $0.events }?.deliver(event, to: server)
            case .verdict, .envelope, .testimony, .signatures, .keyReady, .runEnded, .shareProof,
                .note:
                connection.withLock { $0 }?.send(output)
            }
        }
    }

    func run(
        _ core: sending HolderCore, identity: SecretBox<IdentityKey>, relay: RelayAddress,
        desks: MakeDesks
    ) async throws {
        let line = Line()
        let thread = CoreThread(clock: { HolderTime.machine }, sink: { line.send($0) })
        let connection = try RelayConnection(
            relay, identity: identity, log: log, receive: { thread.post($0) })
        line.set(connection, desks { thread.post($0) })
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
