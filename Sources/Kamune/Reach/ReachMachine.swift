import KamuneCrypto
import KamuneProtocol

/// When whom is dialed of whom somebody wants something: because messages to them wait, or a person wants to talk to them.
///
/// Whoever is not found is looked for again after growing times, and at once when the network has changed, when something new
/// is written to them, or when they are said to be elsewhere. Few are looked for at a time. A conversation that gets its own
/// connection back is let alone.
///
/// Events in, actions out.
struct ReachMachine<Peer: Hashable & Sendable>: Sendable {
    /// What somebody wants of a peer.
    enum Wish: Hashable, Sendable {
        /// Messages to them wait.
        case messages
        /// Somebody wants to talk to them.
        case company
    }

    /// What has happened.
    enum Event: Equatable, Sendable {
        /// Somebody wants something of a peer, or something more.
        case wished(Peer, Wish)
        /// Nobody wants that of them any more.
        case withdrew(Peer, Wish)
        /// This machine is on another network, or was on none.
        case networkChanged
        /// The peer may be somewhere else than was known.
        case foundAddresses(Peer)
        /// The peer is connected, whoever dialed.
        case joined(Peer)
        /// The peer is not connected any more, and nobody dials them.
        case lost(Peer)
        /// The conversation with the peer gets its connection back by itself.
        case recovering(Peer)
        /// The answer to ``Action/dial(_:)``.
        case dialed(Peer, Outcome)
        /// ``ReachMachine/nextDeadline`` has come.
        case timeElapsed
    }

    /// What came of dialing.
    enum Outcome: Equatable, Sendable {
        /// The peer is connected.
        case reached
        /// They were not found.
        case failed
        /// Nobody knows where they could be.
        case nowhere
        /// Nothing waits for them after all, or our person wants nothing of them.
        case needless
    }

    /// What is to be done.
    enum Action: Equatable, Sendable {
        /// Look for the peer.
        case dial(Peer)
        /// Stop that.
        case stopDialing(Peer)
        /// Have their conversation look for them now.
        case hurry(Peer)
    }

    private enum Stage: Equatable, Sendable {
        /// Until then.
        case resting(until: Duration)
        /// Whether something has happened since that makes it worth while to dial again.
        case dialing(isStale: Bool)
        case recovering
        case connected
    }

    private struct Contact: Sendable {
        var wishes: Set<Wish> = []
        var stage: Stage
        /// How many in a row have come to nothing.
        var attempts = 0
        /// Before when they are not dialed again, whatever happens.
        var earliest: Duration
        /// When they were first wanted: among those that are due at once, whoever has waited longer goes first.
        let order: UInt64
    }

    private let limits: ReachLimits
    private var random: any RandomSource
    private var contacts: [Peer: Contact] = [:]
    private var lastOrder: UInt64 = 0
    /// Who is being dialed, connected meanwhile or not.
    private var dialing: Set<Peer> = []
    private var actions: [Action] = []

    init(limits: ReachLimits, random: any RandomSource) {
        self.limits = limits
        self.random = random
    }

    /// When to say ``Event/timeElapsed``.
    var nextDeadline: Duration? {
        guard dialing.count < limits.dials else { return nil }
        return contacts.lazy.compactMap { [dialing] peer, contact in
            // One whose dialing is being stopped is dialed again when that is over.
            if case .resting(let deadline) = contact.stage, !dialing.contains(peer) { deadline } else { nil }
        }.min()
    }

    /// Who is looked for, and how many times that has come to nothing since something changed.
    var sought: [Peer: Int] { contacts.filter { $0.value.stage != .connected }.mapValues(\.attempts) }

    mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        take(event, at: now)
        begin(at: now)
        defer { actions = [] }
        return actions
    }

    private mutating func take(_ event: Event, at now: Duration) {
        switch event {
        case .wished(let peer, let wish):
            with(peer, at: now) { $0.wishes.insert(wish) }
            hasten(peer, at: now)
            if contacts[peer]?.stage == .recovering { actions.append(.hurry(peer)) }
        case .withdrew(let peer, let wish):
            contacts[peer]?.wishes.remove(wish)
            release(peer)
        case .networkChanged:
            for peer in contacts.keys { hasten(peer, at: now) }
        case .foundAddresses(let peer):
            hasten(peer, at: now)
        case .joined(let peer):
            with(peer, at: now) {
                $0.stage = .connected
                $0.attempts = 0
            }
        case .recovering(let peer):
            with(peer, at: now) { $0.stage = .recovering }
        case .lost(let peer):
            guard let stage = contacts[peer]?.stage else { break }
            switch stage {
            case .dialing, .resting: break
            case .recovering, .connected: rest(peer, at: now)
            }
            release(peer)
        case .dialed(let peer, let outcome):
            dialing.remove(peer)
            dialed(peer, outcome, at: now)
        case .timeElapsed:
            break
        }
    }

    private mutating func with(_ peer: Peer, at now: Duration, _ body: (inout Contact) -> Void) {
        lastOrder += 1
        let new = Contact(stage: .resting(until: now), earliest: now, order: lastOrder)
        body(&contacts[peer, default: new])
    }

    /// Something has happened that makes it worth while to dial now.
    private mutating func hasten(_ peer: Peer, at now: Duration) {
        guard let contact = contacts[peer] else { return }
        switch contact.stage {
        case .resting:
            contacts[peer]?.attempts = 0
            contacts[peer]?.stage = .resting(until: max(now, contact.earliest))
        case .dialing:
            contacts[peer]?.stage = .dialing(isStale: true)
        case .recovering, .connected:
            break
        }
    }

    private mutating func dialed(_ peer: Peer, _ outcome: Outcome, at now: Duration) {
        // It may have come to be connected in another way, or be wanted by nobody any more.
        guard var contact = contacts[peer], case .dialing(let isStale) = contact.stage else { return }
        contact.earliest = now + limits.pause
        switch outcome {
        case .reached:
            contact.stage = .connected
            contact.attempts = 0
        case .needless where !isStale:
            contacts[peer] = nil
            return
        case .nowhere where !isStale:
            contact.stage = .resting(until: now + limits.backoff.maximumDelay)
        case .failed where !isStale:
            contacts[peer] = contact
            return rest(peer, at: now)
        case .failed, .nowhere, .needless:
            contact.attempts = 0
            contact.stage = .resting(until: now + limits.pause)
        }
        contacts[peer] = contact
    }

    private mutating func rest(_ peer: Peer, at now: Duration) {
        guard var contact = contacts[peer] else { return }
        contact.attempts += 1
        let delay = limits.backoff.delay(before: contact.attempts, using: &random)
        contact.stage = .resting(until: max(now + delay, contact.earliest))
        contacts[peer] = contact
    }

    /// Forgets whom nobody wants anything of, and who is not connected.
    private mutating func release(_ peer: Peer) {
        guard let contact = contacts[peer], contact.wishes.isEmpty else { return }
        switch contact.stage {
        case .resting:
            contacts[peer] = nil
        case .dialing:
            contacts[peer] = nil
            actions.append(.stopDialing(peer))
        case .recovering, .connected:
            break
        }
    }

    private mutating func begin(at now: Duration) {
        while dialing.count < limits.dials, let peer = nextDue(at: now) {
            contacts[peer]?.stage = .dialing(isStale: false)
            dialing.insert(peer)
            actions.append(.dial(peer))
        }
    }

    private func nextDue(at now: Duration) -> Peer? {
        let due = contacts.lazy.compactMap { peer, contact -> (peer: Peer, until: Duration, order: UInt64)? in
            guard case .resting(let deadline) = contact.stage, deadline <= now, !dialing.contains(peer) else {
                return nil
            }
            return (peer, deadline, contact.order)
        }
        return due.min { ($0.until, $0.order) < ($1.until, $1.order) }?.peer
    }
}

/// How a ``Reach`` looks for peers.
public struct ReachLimits: Sendable, Equatable {
    /// How long to wait before somebody who was not found is looked for again.
    public var backoff: Reconnection = {
        var backoff = Reconnection()
        backoff.initialDelay = .seconds(2)
        backoff.maximumDelay = .seconds(900)
        return backoff
    }()
    /// How long to wait at least, whatever has happened.
    public var pause = Duration.seconds(1)
    /// How many are looked for at a time.
    public var dials = 8

    /// The defaults.
    public init() {}
}
