internal import Synchronization

/// The connections of a listener that the application has not accepted yet, bounded in number.
///
/// A place is reserved before a connection is set up, and then filled or given back.
final class AcceptQueue: Sendable {
    typealias Waiter = OneShot<(any Connection)?>

    private struct State {
        var connections: [any Connection] = []
        var reserved = 0
        var waiter: Waiter?
        var isClosed = false
        /// Whether the system has no descriptor for somebody who waits, and nobody was told so yet.
        var isExhausted = false
        /// What to call when there is a place again, after somebody was told that there is none: one for each asker.
        var onRoom: [ObjectIdentifier: @Sendable () -> Void] = [:]

        var count: Int { connections.count &+ reserved }
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: How many places there are.
    init(limit: Int) {
        self.limit = limit
    }

    /// Whether there is no place left.
    ///
    /// - Parameters:
    ///   - asker: Who asks.
    ///   - onRoom: Called, if this returns `true`, when there is one again; in the place of what the asker gave before.
    func isFull(for asker: AnyObject, onRoom: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            guard state.count >= limit else { return false }
            state.onRoom[ObjectIdentifier(asker)] = onRoom
            return true
        }
    }

    /// Takes a place, whether there is one left or not.
    func reserve() {
        state.withLock { $0.reserved &+= 1 }
    }

    /// Takes a place if there is one left and the queue is open.
    func reserveIfOpen() -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.count < limit else { return false }
            state.reserved &+= 1
            return true
        }
    }

    /// Gives back a place.
    func cancelReservation() {
        let onRoom = state.withLock { state in
            state.reserved &-= 1
            return roomMade(in: &state)
        }
        for call in onRoom { call() }
    }

    /// Fills a reserved place, or hands the connection to whoever is waiting. After the end the connection is aborted.
    func fill(_ connection: any Connection) {
        enum Step {
            case handOver(Waiter)
            case queued
            case closed
        }
        while true {
            let step: Step = state.withLock { state in
                state.isExhausted = false
                if !state.isClosed {
                    if let waiter = state.waiter.take() { return .handOver(waiter) }
                    state.connections.append(connection)
                }
                state.reserved &-= 1
                return state.isClosed ? .closed : .queued
            }
            switch step {
            case .queued: return
            case .closed: return connection.abort()
            case .handOver(let waiter):
                // If the one who waited has just been cancelled, the connection is the next one's.
                if waiter.resolve(.success(connection)) { return cancelReservation() }
            }
        }
    }

    /// Takes the next connection, and waits for one if there is none; `nil` after ``close()``.
    func accept() async throws(TransportError) -> (any Connection)? {
        enum Step {
            case connection(any Connection, onRoom: [@Sendable () -> Void])
            case exhausted
            case closed
            case busy
            case wait
        }
        let waiter = Waiter()
        let step: Step = state.withLock { state in
            if state.waiter != nil { return .busy }
            if !state.connections.isEmpty {
                let connection = state.connections.removeFirst()
                return .connection(connection, onRoom: roomMade(in: &state))
            }
            if state.isClosed { return .closed }
            if state.isExhausted {
                state.isExhausted = false
                return .exhausted
            }
            state.waiter = waiter
            return .wait
        }
        switch step {
        case .busy: throw .concurrentReceive
        case .closed: return nil
        case .exhausted: throw .tooManyOpenFiles
        case .connection(let connection, let onRoom):
            for call in onRoom { call() }
            return connection
        case .wait:
            defer {
                state.withLock { state in
                    if state.waiter === waiter { state.waiter = nil }
                }
            }
            return try await waiter.wait()
        }
    }

    /// Tells whoever accepts that the system has no descriptor for the next connection.
    func exhausted() {
        let waiter = state.withLock { state in
            state.isExhausted = state.waiter == nil
            return state.waiter.take()
        }
        waiter?.resolve(.failure(.tooManyOpenFiles))
    }

    /// Ends the queue: whoever waits gets `nil`, and connections that nobody accepted are aborted.
    func close() {
        let (waiter, connections) = state.withLock { state in
            state.isClosed = true
            state.onRoom = [:]
            let connections = state.connections
            state.connections = []
            return (state.waiter.take(), connections)
        }
        waiter?.resolve(.success(nil))
        for connection in connections { connection.abort() }
    }

    private func roomMade(in state: inout State) -> [@Sendable () -> Void] {
        guard state.count < limit, !state.onRoom.isEmpty else { return [] }
        defer { state.onRoom = [:] }
        return Array(state.onRoom.values)
    }
}
