public import KamuneCrypto

/// The client's side of the broker, as a machine without I/O: asks on one socket where that is seen, registers, and goes on
/// until somebody is met. Datagrams that are lost are sent again.
public struct BrokerClient: Sendable {
    /// What the client is for.
    public enum Purpose: Hashable, Sendable {
        /// Only to learn where the socket is seen.
        case discover
        /// To get a token, and wait with it for others, one after the other.
        case offer
        /// To wait with a token that both have, for others, one after the other.
        case wait(token: [UInt8])
        /// To meet whoever has the same token, once.
        case meet(token: [UInt8])
    }

    /// What is to be done.
    public enum Action: Hashable, Sendable {
        /// A datagram for the broker.
        case send([UInt8])
        /// The socket is seen at this endpoint. Comes again when that changes.
        case seen(IPEndpoint)
        /// The token that was asked for, and how long the broker keeps it, in seconds.
        case assigned(token: [UInt8], lifetime: UInt32)
        /// Somebody has registered with the token.
        case matched(BrokerNotice.Match)
        /// The broker has not answered, and the client is done.
        case failed
    }

    /// When a datagram is sent again: first after this (RFC 8489, section 6.2.1), then after twice as long each time.
    public static let firstRetry = Duration.milliseconds(500)
    /// How often a question is asked before the broker counts as silent: 7.5 s with ``firstRetry``.
    public static let attemptLimit = 4
    /// How often a registration is renewed: before the broker forgets it, and before a NAT forgets where we are, which some do
    /// after 30 s (RFC 4787, section 4.3, measured there).
    public static let renewal = Duration.seconds(20)

    private enum Phase {
        case idle
        /// Asks where it is.
        case asking(tries: Int)
        /// Has asked for a token.
        case requesting(tries: Int)
        /// Has registered, which nobody confirms.
        case registered(tries: Int, lastRenewal: Duration)
        case done
    }

    private let key: X25519PrivateKey
    private let purpose: Purpose
    /// Names this try to a broker of ours; 0.7 does not look at it.
    private let attempt: [UInt8]
    private var token: [UInt8]?
    private var source: IPEndpoint?
    private var phase = Phase.idle
    /// Those who were met, so that a notice that comes twice is heard once.
    private var met: [[UInt8]] = []
    private static let metLimit = 64
    /// When ``tick(now:)`` has something to do.
    public private(set) var deadline: Duration?

    /// - Parameters:
    ///   - key: What the client is known by; the same one for all of a person's registrations with a token.
    ///   - random: Names the try.
    public init(key: X25519PrivateKey, purpose: Purpose, random: inout some RandomSource) {
        self.key = key
        self.purpose = purpose
        attempt = random.bytes(BrokerRegistration.attemptSize)
        switch purpose {
        case .discover, .offer: token = nil
        case .wait(let token), .meet(let token): self.token = token.resized(to: BrokerWire.tokenSize)
        }
    }

    /// Begins, or begins anew when the network has changed.
    public mutating func start(now: Duration) -> [Action] {
        phase = .asking(tries: 1)
        deadline = now + Self.firstRetry
        return [.send(BrokerRequest.echo.encoded(isPadded: true))]
    }

    /// Does what is due.
    public mutating func tick(now: Duration) -> [Action] {
        guard let deadline, deadline <= now else { return [] }
        switch phase {
        case .idle, .done:
            self.deadline = nil
            return []
        case .asking(let tries):
            guard tries < Self.attemptLimit else { return fail() }
            phase = .asking(tries: tries + 1)
            self.deadline = now + Self.pause(after: tries + 1)
            return [.send(BrokerRequest.echo.encoded(isPadded: true))]
        case .requesting(let tries):
            guard tries < Self.attemptLimit else { return fail() }
            phase = .requesting(tries: tries + 1)
            self.deadline = now + Self.pause(after: tries + 1)
            return register()
        case .registered(let tries, let lastRenewal):
            // The other may be there already, or come later. The first registrations may have been lost.
            let isEarly = tries < Self.attemptLimit
            let isRenewal = now - lastRenewal >= Self.renewal
            phase = .registered(tries: isEarly ? tries + 1 : tries, lastRenewal: isRenewal ? now : lastRenewal)
            self.deadline = now + (isEarly ? Self.pause(after: tries + 1) : Self.renewal)
            // Where we are may have changed: the NAT's mapping, for example.
            return isEarly ? register() : register() + [.send(BrokerRequest.echo.encoded(isPadded: true))]
        }
    }

    /// Takes a datagram that has come from the broker's endpoint. From elsewhere there is nothing to be heard.
    public mutating func receive(_ datagram: [UInt8], now: Duration) -> [Action] {
        if let notice = try? BrokerNotice(opening: datagram, with: key) { return take(notice, now: now) }
        guard !datagram.starts(with: BrokerWire.prefix), let source = BrokerEcho.source(in: datagram), source.port != 0,
            source.address.isUnicast || source.address.isLoopback
        else { return [] }
        return take(source, now: now)
    }

    private mutating func take(_ source: IPEndpoint, now: Duration) -> [Action] {
        let isNew = self.source != source
        self.source = source
        let seen: [Action] = isNew ? [.seen(source)] : []
        guard case .asking = phase else { return seen }
        switch purpose {
        case .discover:
            phase = .done
            deadline = nil
            return seen
        case .offer where token == nil:
            phase = .requesting(tries: 1)
        case .offer, .wait, .meet:
            phase = .registered(tries: 1, lastRenewal: now)
        }
        deadline = now + Self.firstRetry
        return seen + register()
    }

    private mutating func take(_ notice: BrokerNotice, now: Duration) -> [Action] {
        switch (notice, phase) {
        case (.assigned(let token, let lifetime), .requesting):
            self.token = token
            // The broker has it, so nothing needs to be sent again soon.
            phase = .registered(tries: Self.attemptLimit, lastRenewal: now)
            deadline = now + Self.renewal
            return [.assigned(token: token, lifetime: lifetime)]
        case (.matched(let match), .registered):
            guard match.token == token, match.publicKey != key.publicKey, match.endpoint.port != 0 else { return [] }
            let isNew = !met.contains(match.publicKey)
            guard case .meet = purpose else {
                if isNew { met.append(match.publicKey) }
                if met.count > Self.metLimit { met.removeFirst() }
                // The registration is spent: the next may be met by another.
                phase = .registered(tries: Self.attemptLimit, lastRenewal: now)
                deadline = now + Self.renewal
                return (isNew ? [.matched(match)] : []) + register()
            }
            phase = .done
            deadline = nil
            return [.matched(match)]
        default:
            return []
        }
    }

    private func register() -> [Action] {
        guard let source else { return [] }
        let registration = BrokerRegistration(
            token: token, publicKey: key.publicKey, claimedAddress: source.address, claimedPort: source.port,
            attempt: attemptOnWire)
        return [.send(BrokerRequest.register(registration).encoded(isPadded: true))]
    }

    /// Only who meets once is told again: who waits for others would be told of the last one instead.
    private var attemptOnWire: [UInt8]? {
        if case .meet = purpose { attempt } else { nil }
    }

    private static func pause(after tries: Int) -> Duration { firstRetry * (1 << min(max(tries - 1, 0), 16)) }

    private mutating func fail() -> [Action] {
        phase = .done
        deadline = nil
        return [.failed]
    }
}
