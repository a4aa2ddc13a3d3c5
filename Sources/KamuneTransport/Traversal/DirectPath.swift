package import KamuneBroker
package import KamuneCrypto
package import KamuneTraversal
internal import NIOCore
internal import NIOPosix

/// A try to reach a peer directly, from behind NATs and firewalls: sockets for one attempt, what is known of them, and the
/// connection that comes of it.
///
/// Both sides prepare, tell each other their ``offer`` over whatever they have already, and connect at about the same time.
package final class DirectPath: Sendable {
    /// What the other side needs to know.
    package let offer: TraversalOffer
    private let attempt: NIOLoopBound<DirectPathAttempt>
    private let eventLoop: any EventLoop

    private init(offer: TraversalOffer, attempt: NIOLoopBound<DirectPathAttempt>, eventLoop: any EventLoop) {
        self.offer = offer
        self.attempt = attempt
        self.eventLoop = eventLoop
    }

    deinit {
        eventLoop.execute { [attempt] in attempt.value.close() }
    }

    /// Opens sockets and asks brokers where they are seen: two or more say what the NAT is like, or one by two ports. Takes
    /// one round trip, or ``DirectPathAttempt/patience`` longer than the first answer when others do not come.
    ///
    /// - Parameters:
    ///   - brokers: Whom to ask, at most four of them.
    ///   - mapped: Where a gateway lets others reach ``port``, if one was asked.
    ///   - address: Where to send from; `nil` for wherever the routes lead.
    ///   - port: The port to send from; 0 lets the system choose.
    /// - Throws: ``TransportError``: there is no socket to be had, or the task was cancelled. That no broker answers is no
    ///   error: then the offer has this machine's own addresses only.
    package static func prepare(
        brokers: [IPEndpoint], mapped: [IPEndpoint] = [], address: IPAddress? = nil, port: UInt16 = 0,
        configuration: TransportConfiguration = TransportConfiguration(), options: UDPOptions = UDPOptions()
    ) async throws(TransportError) -> DirectPath {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let result = OneShot<(TraversalOffer, NIOLoopBound<DirectPathAttempt>)>()
        eventLoop.execute {
            let attempt = DirectPathAttempt(eventLoop: eventLoop, configuration: configuration, options: options)
            let bound = NIOLoopBound(attempt, eventLoop: eventLoop)
            attempt.prepare(brokers: brokers, mapped: mapped, address: address, port: port) { prepared in
                // If the task was cancelled meanwhile, nobody wants it any more.
                if !result.resolve(prepared.map { ($0, bound) }) { attempt.close() }
            }
        }
        let (offer, attempt) = try await result.wait()
        return DirectPath(offer: offer, attempt: attempt, eventLoop: eventLoop)
    }

    /// Tries to reach the other side, once.
    ///
    /// - Parameters:
    ///   - role: Which of the two opens the conversation.
    ///   - key: A secret of the two, 32 bytes or more, that serves for nothing else.
    ///   - theirs: The other side's offer.
    ///   - isPeerProven: Whether that has come over a session with the peer. Else it is somebody's word, and little is tried.
    /// - Throws: ``TransportError/timedOut(_:)`` when there is no way; ``TransportError/cancelled``.
    package func connect(
        role: PunchRole, key: borrowing SecretBytes, to theirs: TraversalOffer, isPeerProven: Bool,
        limits: PunchLimits = PunchLimits()
    ) async throws(TransportError) -> any Connection {
        let result = OneShot<any Connection>()
        let puncher = HolePuncher(
            role: role, key: key, ours: offer, theirs: theirs, isPeerProven: isPeerProven, limits: limits,
            random: SystemRandomSource())
        eventLoop.execute { [attempt] in attempt.value.connect(role: role, puncher, result: result) }
        do throws(TransportError) {
            return try await result.wait()
        } catch {
            close()
            throw error
        }
    }

    /// Gives the sockets back, but for the one that has the connection.
    package func close() {
        eventLoop.execute { [attempt] in attempt.value.close() }
    }
}
