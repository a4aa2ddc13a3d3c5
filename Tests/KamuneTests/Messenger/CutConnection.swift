import KamuneTransport
import Synchronization

/// A connection that is lost after so many frames: of those that it is to send, or of those that it is to receive.
final class CutConnection: Connection {
    enum Direction: CaseIterable {
        case sending
        case receiving
    }

    private let base: any Connection
    private let direction: Direction
    private let remaining: Mutex<Int>

    init(_ base: any Connection, after frames: Int, _ direction: Direction) {
        self.base = base
        self.direction = direction
        remaining = Mutex(frames)
    }

    var info: ConnectionInfo { base.info }
    var budget: MemoryBudget { base.budget }
    var preferredExecutor: (any TaskExecutor)? { base.preferredExecutor }
    var isCongested: Bool { base.isCongested }

    private func admit(_ frames: [[UInt8]], _ direction: Direction) -> (frames: [[UInt8]], isCut: Bool) {
        guard direction == self.direction else { return (frames, false) }
        return remaining.withLock { remaining in
            let admitted = Array(frames.prefix(remaining))
            remaining -= admitted.count
            return (admitted, admitted.count < frames.count || remaining == 0)
        }
    }

    func send(_ frames: [[UInt8]]) async throws(TransportError) {
        let (admitted, isCut) = admit(frames, .sending)
        if !admitted.isEmpty { try await base.send(admitted) }
        if isCut {
            base.abort()
            throw .reset
        }
    }

    func enqueue(_ frames: [[UInt8]]) throws(TransportError) {
        let (admitted, isCut) = admit(frames, .sending)
        if !admitted.isEmpty { try base.enqueue(admitted) }
        if isCut {
            base.abort()
            throw .reset
        }
    }

    func waitForRoom() async throws(TransportError) { try await base.waitForRoom() }

    func finishSending() { base.finishSending() }

    func receive() async throws(TransportError) -> [[UInt8]]? {
        guard let frames = try await base.receive() else { return nil }
        let (admitted, isCut) = admit(frames, .receiving)
        if isCut {
            base.abort()
            if admitted.isEmpty { throw .endedMidFrame }
        }
        return admitted
    }

    func close() async { await base.close() }

    func abort() { base.abort() }
}
