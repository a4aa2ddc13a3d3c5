internal import NIOCore

/// Drives an ``AddressRace`` on an event loop: has the name resolved, watches the time, and says which address to try.
///
/// Every transport dials by this; they differ in what an attempt is.
final class AddressDialer {
    /// What the dialer tells whoever has made it.
    enum Event {
        /// There is an address; said once, before anything is tried.
        case addressFound(SocketAddress)
        /// An attempt is to begin, with its number.
        case attempt(Int, SocketAddress)
        /// Nothing is left to be tried. `wasFound` says whether there was any address.
        case exhausted(wasFound: Bool)
        /// The time for all of it is over.
        case timedOut
    }

    private let eventLoop: any EventLoop
    private var race: AddressRace<SocketAddress>
    private var handler: ((Event) -> Void)?
    private var wakeUp: Scheduled<Void>?
    private var deadline: Scheduled<Void>?
    private var hasFoundAddress = false

    /// - Parameters:
    ///   - isHeld: Whether nothing is tried before ``release(limit:)``.
    ///   - handler: Told what happens, until ``stop()``.
    init(eventLoop: any EventLoop, isHeld: Bool = false, handler: @escaping (Event) -> Void) {
        self.eventLoop = eventLoop
        self.handler = handler
        race = AddressRace(isHeld: isHeld, at: eventLoop.now)
    }

    /// Begins.
    ///
    /// - Parameter limit: How long all of it may take; when attempts are held back, until there is an address.
    func begin(
        host: String, port: UInt16, limit: TimeAmount, by resolver: NameResolution.Resolver = NameResolution.addresses
    ) {
        setDeadline(limit)
        for family in AddressFamily.allCases {
            resolver(host, port, family, eventLoop).assumeIsolated().whenComplete { [self] result in
                guard handler != nil else { return }
                let actions = race.resolved(family, (try? result.get()) ?? [], at: eventLoop.now)
                if let first = (try? result.get())?.first, !hasFoundAddress {
                    hasFoundAddress = true
                    if race.isHeld { deadline?.cancel() }
                    handler?(.addressFound(first))
                }
                perform(actions)
            }
        }
    }

    /// Nothing keeps the attempts back any more.
    ///
    /// - Parameter limit: How long they may take.
    func release(limit: TimeAmount) {
        setDeadline(limit)
        perform(race.release(at: eventLoop.now))
    }

    /// An attempt has come to nothing.
    func failed(_ attempt: Int) {
        perform(race.failed(attempt, at: eventLoop.now))
    }

    /// Ends the race: one has succeeded, or nobody wants it any more.
    func stop() {
        handler = nil
        wakeUp?.cancel()
        deadline?.cancel()
    }

    private func setDeadline(_ limit: TimeAmount) {
        deadline?.cancel()
        guard limit < .practicallyForever else { return }
        deadline = eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in self?.handler?(.timedOut) }
    }

    private func perform(_ actions: [AddressRace<SocketAddress>.Action]) {
        for action in actions {
            switch action {
            case .start(let number, let address): handler?(.attempt(number, address))
            case .exhausted: handler?(.exhausted(wasFound: hasFoundAddress))
            }
        }
        guard handler != nil else { return }
        wakeUp?.cancel()
        wakeUp = race.nextDeadline.map { time in
            eventLoop.assumeIsolated().scheduleTask(deadline: time) { [weak self] in
                guard let self else { return }
                perform(race.advance(at: eventLoop.now))
            }
        }
    }
}
