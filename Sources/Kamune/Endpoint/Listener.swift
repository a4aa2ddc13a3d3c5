import KamuneProtocol
import KamuneTransport

/// Waits for peers, and yields a session for each one that was accepted.
///
/// ```swift
/// for try await session in listener {
///     Task { await serve(session) }
/// }
/// ```
///
/// Handshakes run side by side, so a peer who is slow, silent or hostile holds up nobody; what goes wrong with one ends
/// that one. ``failures`` tells of them. The listener goes on until ``close()``; one that nobody holds any more closes
/// itself. Sessions that were yielded outlive it.
public final class Listener: AsyncSequence, Sendable {
    /// A session.
    public typealias Element = Session
    /// What ends the sequence when the listener is not closed by us.
    public typealias Failure = KamuneError

    /// Where it listens, such as "127.0.0.1:9000", with the port that the system chose.
    public let address: String
    /// The handshakes that failed, for whoever wants to log them; the oldest are dropped when nobody takes them.
    public let failures: AsyncStream<HandshakeFailure>

    private let sessions: Mailbox<Session>
    private let listener: any ConnectionListener
    private let admission: Admission
    private let task: Task<Void, Never>

    /// How many failures are kept for whoever reads them.
    private static let failureBacklog = 64

    init(_ endpoint: Endpoint, _ listener: any ConnectionListener) {
        let sessions = Mailbox<Session>(limit: endpoint.configuration.maximumWaitingSessions)
        let admission = Admission(endpoint.configuration)
        let (failures, continuation) = AsyncStream.makeStream(
            of: HandshakeFailure.self, bufferingPolicy: .bufferingNewest(Self.failureBacklog))
        self.sessions = sessions
        self.admission = admission
        self.failures = failures
        self.listener = listener
        address = listener.localAddress.description
        task = Task {
            await Self.accept(endpoint, listener, sessions, admission, continuation)
            continuation.finish()
        }
    }

    deinit {
        task.cancel()
        let listener = listener
        Task { await listener.close() }
    }

    /// Stops listening. Handshakes that are under way are dropped; sessions go on. Returns when all that is done.
    public func close() async {
        await listener.close()
        task.cancel()
        admission.abortAll()
        await task.value
    }

    private static func accept(
        _ endpoint: Endpoint, _ listener: any ConnectionListener, _ sessions: Mailbox<Session>,
        _ admission: Admission, _ failures: AsyncStream<HandshakeFailure>.Continuation
    ) async {
        var failure: KamuneError?
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                if sessions.isFull { await sessions.waitForRoom() }
                let connection: any Connection
                do throws(TransportError) {
                    guard let next = try await listener.accept() else { break }
                    connection = next
                } catch {
                    if error == .tooManyOpenFiles {
                        // Somebody waits whom the system cannot let in.
                        admission.makeRoom()
                        continue
                    }
                    if error != .cancelled { failure = KamuneError(error) }
                    break
                }
                let place = admission.admit(connection)
                group.addTask {
                    do throws(KamuneError) {
                        let session = try await endpoint.respond(over: connection, onMilestone: place.reached)
                        place.leave()
                        sessions.add(session)
                    } catch {
                        let error = place.leave() ? error : .crowdedOut
                        failures.yield(
                            HandshakeFailure(remoteAddress: connection.info.remoteAddress, error: error))
                    }
                }
            }
            group.cancelAll()
        }
        sessions.finish(throwing: failure)
    }

    /// Iterates over the sessions that were not taken yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(listener: self) }

    /// Takes sessions, one by one.
    public struct AsyncIterator: AsyncIteratorProtocol {
        // Holds the listener, so that iterating keeps it alive.
        fileprivate let listener: Listener

        /// The next session, waiting for it; nil when the listener was closed.
        public mutating func next() async throws(KamuneError) -> Session? {
            try await listener.sessions.next()
        }

        /// The next session, waiting for it; nil when the listener was closed.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(KamuneError) -> Session? {
            try await listener.sessions.next()
        }
    }
}

/// A handshake that came to nothing.
public struct HandshakeFailure: Sendable {
    /// Where the peer connected from.
    public let remoteAddress: String
    /// What went wrong.
    public let error: KamuneError
}
