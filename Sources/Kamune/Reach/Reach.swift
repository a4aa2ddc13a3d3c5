import KamuneCrypto
public import KamuneStore
import KamuneSystem
import KamuneTransport
import Synchronization

/// Looks for those to whom messages wait, or to whom somebody wants to talk, wherever the messenger's ``AddressBook`` says:
/// again and again, after growing times, and at once when the network changes or something is written to them.
///
/// ```swift
/// let reach = Reach(messenger)
/// await reach.start()
/// try await messenger.write("hello", to: peer)
/// await reach.noteWritten(to: peer)
/// ```
public actor Reach {
    private typealias Machine = ReachMachine<PeerID>

    private let messenger: Messenger
    private let book: any AddressBook
    private let verifier: (any PeerVerifier)?
    private let limits: ReachLimits

    private var machine: Machine
    /// To whom somebody wants to talk, and how many want it.
    private var company: [PeerID: Int] = [:]
    private var dials: [PeerID: Task<Void, Never>] = [:]
    private var alarm: UInt64?
    private var watching: [Task<Void, Never>] = []
    private var watcher: UInt64?
    private var isRunning = false

    /// - Parameters:
    ///   - messenger: By which peers are dialed.
    ///   - verifier: Asked in the place of the messenger's own when somebody is found.
    public init(
        _ messenger: Messenger, verifier: (any PeerVerifier)? = nil, limits: ReachLimits = .init()
    ) {
        self.messenger = messenger
        book = messenger.book
        self.verifier = verifier
        self.limits = limits
        machine = ReachMachine(limits: limits, random: SystemRandomSource())
    }

    // MARK: Running

    /// Begins: with everybody to whom messages wait.
    public func start() async {
        guard !isRunning else { return }
        isRunning = true
        machine = ReachMachine(limits: limits, random: SystemRandomSource())
        let (observed, observing) = AsyncStream.makeStream(of: Machine.Event.self)
        watcher = messenger.watchers.add { conversation, event in
            if let event = Self.event(event, with: conversation.peerID) { observing.yield(event) }
        }
        watching = [
            Task { [weak self] in
                for await event in observed { await self?.post(event) }
            },
            Task { [weak self] in
                for await _ in NetworkChanges() { await self?.networkChanged() }
            },
        ]
        for peer in company.keys { post(.wished(peer, .company)) }
        for conversation in await messenger.conversations where await conversation.isConnected {
            post(.joined(conversation.peerID))
        }
        for peer in (try? await messenger.store.peersWithPendingMessages()) ?? [] { post(.wished(peer, .messages)) }
    }

    /// Stops looking for anybody. Conversations go on.
    public func stop() async {
        isRunning = false
        if let watcher { messenger.watchers.remove(watcher) }
        watcher = nil
        for task in watching { task.cancel() }
        watching = []
        if let alarm { alarms.cancel(alarm) }
        alarm = nil
        let dials = dials
        for task in dials.values { task.cancel() }
        for task in dials.values { await task.value }
    }

    private var alarms: AlarmClock { messenger.endpoint.configuration.alarms }
    private var now: Duration { messenger.endpoint.configuration.time.monotonic }

    // MARK: What is wanted

    /// Something was written to a peer, or stored for them.
    public func noteWritten(to peer: PeerID) { post(.wished(peer, .messages)) }

    /// Somebody wants to talk to a peer: they are looked for until ``release(_:)`` was called as often.
    public func seek(_ peer: PeerID) {
        company[peer, default: 0] += 1
        post(.wished(peer, .company))
    }

    /// Somebody does not want to talk to a peer any more. A conversation that is under way goes on.
    public func release(_ peer: PeerID) {
        guard let count = company[peer] else { return }
        company[peer] = count > 1 ? count - 1 : nil
        if count == 1 { post(.withdrew(peer, .company)) }
    }

    /// The address book knows something new about a peer.
    public func noteAddresses(of peer: PeerID) { post(.foundAddresses(peer)) }

    /// This machine is on another network: everybody who is wanted is looked for, and who is connected is asked whether they are
    /// still there. Called by itself while the system tells of such changes.
    public func networkChanged() async {
        post(.networkChanged)
        for conversation in await messenger.conversations { await conversation.networkChanged() }
    }

    /// Who is looked for at the moment, and how often that has come to nothing since something changed.
    public var sought: [PeerID: Int] { machine.sought }

    /// What happens in a conversation of the messenger.
    private static func event(_ event: ConversationEvent, with peer: PeerID) -> Machine.Event? {
        switch event {
        case .connected: .joined(peer)
        case .reconnecting: .recovering(peer)
        case .disconnected, .ended: .lost(peer)
        case .reconnectionFailed, .message, .stateChanged: nil
        }
    }

    // MARK: The machine

    private func post(_ event: Machine.Event) {
        // Whoever is wanted when it begins again is found then.
        guard isRunning else { return }
        for action in machine.handle(event, at: now) {
            switch action {
            case .dial(let peer): dial(peer)
            case .stopDialing(let peer): dials[peer]?.cancel()
            case .hurry(let peer):
                Task { [messenger] in await messenger.conversation(with: peer)?.hurry() }
            }
        }
        setAlarm()
    }

    private func setAlarm() {
        if let alarm { alarms.cancel(alarm) }
        guard isRunning, let deadline = machine.nextDeadline else { return alarm = nil }
        alarm = alarms.ring(after: max(deadline - now, .zero)) { [weak self] in await self?.post(.timeElapsed) }
    }

    private func dial(_ peer: PeerID) {
        dials[peer] = Task {
            let outcome = await find(peer)
            dials[peer] = nil
            post(.dialed(peer, outcome))
        }
    }

    private func find(_ peer: PeerID) async -> Machine.Outcome {
        let store = messenger.store
        guard let record = try? await store.peer(peer), !record.isBlocked else { return .needless }
        if company[peer] == nil, (try? await store.waitingCount(to: peer)) == 0 { return .needless }
        if let conversation = await messenger.conversation(with: peer), await conversation.isConnected {
            return .reached
        }
        let addresses = await book.addresses(of: peer)
        if addresses.isEmpty { return .nowhere }
        do throws(KamuneError) {
            _ = try await messenger.dial(anyOf: addresses, expecting: record.key, verifier: verifier)
            return .reached
        } catch {
            // Without a network of our own it says nothing about the addresses.
            if error.code != .cancelled, !LocalAddresses.list().isEmpty {
                await book.note(error.addressFailures, of: peer)
            }
            return .failed
        }
    }
}
