import KamuneTransport
import Synchronization

/// Lets everything through until it is told to swallow what is sent, without a word to anybody.
final class BlackHole: Sendable {
    private let isSwallowing = Atomic(false)

    func connection(_ base: any Connection) -> any Connection { Swallowing(base: base, hole: self) }

    func swallow() { isSwallowing.store(true, ordering: .sequentiallyConsistent) }

    private final class Swallowing: Connection {
        let base: any Connection
        let hole: BlackHole

        init(base: any Connection, hole: BlackHole) {
            self.base = base
            self.hole = hole
        }

        private var isSwallowing: Bool { hole.isSwallowing.load(ordering: .sequentiallyConsistent) }

        var info: ConnectionInfo { base.info }
        var budget: MemoryBudget { base.budget }
        var preferredExecutor: (any TaskExecutor)? { base.preferredExecutor }
        var isCongested: Bool { base.isCongested }

        func send(_ frames: [[UInt8]]) async throws(TransportError) {
            if !isSwallowing { try await base.send(frames) }
        }

        func enqueue(_ frames: [[UInt8]]) throws(TransportError) {
            if !isSwallowing { try base.enqueue(frames) }
        }

        func waitForRoom() async throws(TransportError) { try await base.waitForRoom() }

        func finishSending() { base.finishSending() }

        func receive() async throws(TransportError) -> [[UInt8]]? { try await base.receive() }

        func close() async { await base.close() }

        func abort() { base.abort() }
    }
}
