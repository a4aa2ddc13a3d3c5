import KamuneTransport
import Synchronization

/// The connections of a listener that are in their handshake: bounded, and when full, the one that has gone longest
/// without an introduction makes room.
///
/// Refusing the newest would let anybody who holds the places open lock out everybody else. Dropping the oldest silent one
/// costs a flood as many connections, all the time, as there are places, within the milliseconds that an honest peer takes
/// to introduce itself.
final class PendingHandshakes: Sendable {
    private struct Entry {
        let id: UInt64
        let connection: any Connection
    }

    private struct State {
        var nextID: UInt64 = 0
        /// Without an introduction so far, oldest first.
        var silent: [Entry] = []
        /// How many have introduced themselves with a valid signature.
        var introduced: Set<UInt64> = []
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) {
        self.limit = max(limit, 2)
    }

    /// Takes a connection in, and drops the oldest silent one when there are too many.
    func admit(_ connection: any Connection) -> UInt64 {
        let (id, dropped) = state.withLock { state -> (UInt64, (any Connection)?) in
            let isFull = state.silent.count + state.introduced.count >= limit
            let dropped = isFull && !state.silent.isEmpty ? state.silent.removeFirst().connection : nil
            state.nextID += 1
            state.silent.append(Entry(id: state.nextID, connection: connection))
            return (state.nextID, dropped)
        }
        dropped?.abort()
        return id
    }

    /// Notes that a peer has introduced itself, which protects it from being dropped. False when it was dropped already,
    /// or when half of the places are taken by peers who wait for a verdict: those cost a signature each, but nobody
    /// shall fill the house with them either.
    func introduced(_ id: UInt64) -> Bool {
        state.withLock { state in
            guard let index = state.silent.firstIndex(where: { $0.id == id }),
                state.introduced.count < limit / 2
            else { return false }
            state.silent.remove(at: index)
            state.introduced.insert(id)
            return true
        }
    }

    /// Notes that a handshake is over.
    func finished(_ id: UInt64) {
        state.withLock { state in
            state.silent.removeAll { $0.id == id }
            state.introduced.remove(id)
        }
    }

    /// How many are in their handshake now.
    var count: Int { state.withLock { $0.silent.count + $0.introduced.count } }

    /// Drops all of them.
    func abortAll() {
        let connections = state.withLock { state in
            defer { state.silent = [] }
            return state.silent.map(\.connection)
        }
        for connection in connections { connection.abort() }
    }
}
