public import KamuneCrypto

/// What the broker does with a datagram, as a machine without I/O: it says to a source where it is, keeps who waits for whom,
/// and introduces two who have registered with one token.
///
/// Whoever registers is known by the key, not by the address. Each NOTIFY is sealed with a key that serves for nothing else.
/// IPv4 and IPv6 are apart: two who both have both meet twice.
public struct BrokerRegistry<Random: RandomSource>: Sendable {
    /// What an operator sets.
    public struct Configuration: Sendable, Hashable {
        /// How long a registration is kept after it was last heard of (0.7: `registration_ttl`, 60 s).
        public var lifetime: Duration
        /// How many bytes the registrations take at most. When there is no room, any one gives way: the oldest would be
        /// whoever waits longest, and to refuse the newest would lock out everybody while a flood goes on.
        public var memoryLimit: Int

        /// The defaults: 0.7's lifetime, and room for 65,536 registrations.
        public init(lifetime: Duration = .seconds(60), memoryLimit: Int = 65_536 * entrySize) {
            self.lifetime = lifetime > .zero ? lifetime : .seconds(60)
            self.memoryLimit = memoryLimit
        }

        /// What a registration takes in memory, in bytes, rounded up: token, keys and address with the heads of their
        /// arrays, and its places in the table and in the list.
        public static var entrySize: Int { 512 }
    }

    /// A datagram to send.
    public struct Answer: Hashable, Sendable {
        /// The datagram.
        public let datagram: [UInt8]
        /// Whom to.
        public let destination: IPEndpoint
    }

    /// What has happened so far, for an operator's eyes.
    public struct Counters: Hashable, Sendable {
        /// Datagrams that asked where they come from.
        public internal(set) var echoes = 0
        /// Registrations that were kept, refreshed or matched.
        public internal(set) var registrations = 0
        /// Introductions.
        public internal(set) var matches = 0
        /// Datagrams that were no request, or a wrong one.
        public internal(set) var ignored = 0
        /// Registrations that gave way to others.
        public internal(set) var evictions = 0
        /// Registrations whose time was over.
        public internal(set) var expirations = 0
    }

    /// 0.7 registers anew every 30 s. Whoever has not been heard of from one address for so long, but from another, has
    /// moved there; before that the first address stays, as with 0.7.
    static var addressPatience: Duration { .seconds(35) }
    /// For how long those who were introduced are told so again when they ask: within that a datagram was lost.
    static var repetitionTime: Duration { .seconds(10) }

    private struct Key: Hashable {
        let token: [UInt8]
        let isIPv6: Bool
    }

    private struct Party: Hashable {
        let publicKey: [UInt8]
        let attempt: [UInt8]?
        var endpoint: IPEndpoint
    }

    private enum State {
        /// - Parameter seen: When the party was last heard of from its address.
        case waiting(Party, seen: Duration)
        /// Two were introduced who may ask for it again.
        case introduced(Party, Party)
    }

    private struct Entry {
        var state: State
        var expiry: Duration
        /// Where its key is in the list.
        var place: Int
    }

    private let configuration: Configuration
    private var random: Random
    private var entries: [Key: Entry] = [:]
    /// The keys of all entries, in no order.
    private var keys: [Key] = []
    /// What has happened so far.
    public private(set) var counters = Counters()

    /// Nobody has registered yet.
    ///
    /// - Parameter random: Tokens, keys and nonces come from it.
    public init(configuration: Configuration = Configuration(), random: Random) {
        self.configuration = configuration
        self.random = random
    }

    /// How many registrations there are.
    public var registrationCount: Int { entries.count }

    /// Deals with a datagram.
    ///
    /// - Parameters:
    ///   - source: Where it comes from.
    ///   - now: Time that never goes back.
    /// - Returns: What to send, at most two datagrams.
    public mutating func receive(_ datagram: [UInt8], from source: IPEndpoint, now: Duration) -> [Answer] {
        switch BrokerRequest(parsing: datagram) {
        case nil:
            counters.ignored += 1
            return []
        case .echo:
            counters.echoes += 1
            return [Answer(datagram: BrokerEcho.answer(to: source), destination: source)]
        case .register(let registration):
            guard let endpoint = Self.endpoint(claimedBy: registration, from: source),
                !registration.publicKey.isZero
            else {
                counters.ignored += 1
                return []
            }
            let party = Party(publicKey: registration.publicKey, attempt: registration.attempt, endpoint: endpoint)
            guard let token = registration.token else { return assign(to: party, at: source, now: now) }
            counters.registrations += 1
            return register(party, at: source, Key(token: token, isIPv6: source.address.isIPv6), now: now)
        }
    }

    /// Where somebody is said to be: at the source of the datagram; at another port only of the same address, for a claim of
    /// somebody else's address would have strangers send there.
    private static func endpoint(claimedBy registration: BrokerRegistration, from source: IPEndpoint) -> IPEndpoint? {
        guard registration.claimedPort != 0 else { return nil }
        if source.address.isIPv6 { return source }
        guard let claimed = registration.claimedAddress else { return nil }
        return IPEndpoint(source.address, claimed == source.address ? registration.claimedPort : source.port)
    }

    private mutating func assign(to party: Party, at source: IPEndpoint, now: Duration) -> [Answer] {
        let token = random.bytes(BrokerWire.tokenSize)
        let notice = BrokerNotice.assigned(
            token: token, lifetime: UInt32(clamping: configuration.lifetime.components.seconds))
        // There is none for a key of low order, and then the token is nobody's.
        guard let answer = answer(notice, to: party.publicKey, at: source) else {
            counters.ignored += 1
            return []
        }
        counters.registrations += 1
        var party = party
        party.endpoint = source
        insert(Key(token: token, isIPv6: source.address.isIPv6), .waiting(party, seen: now), now: now)
        return [answer]
    }

    private mutating func register(
        _ party: Party, at source: IPEndpoint, _ key: Key, now: Duration
    ) -> [Answer] {
        if let entry = entries[key], entry.expiry <= now {
            counters.expirations += 1
            remove(key)
        }
        let renewed = now + configuration.lifetime
        var waiting = party
        // What waits is known by where it was heard from: a claim is only for whoever is there already.
        waiting.endpoint = source
        switch entries[key]?.state {
        case nil:
            insert(key, .waiting(waiting, seen: now), now: now)
            return []
        case .waiting(let held, let seen) where held.publicKey == party.publicKey:
            let hasMoved = held.endpoint != source && now - seen < Self.addressPatience
            let kept =
                hasMoved ? Party(publicKey: held.publicKey, attempt: party.attempt, endpoint: held.endpoint) : waiting
            entries[key]?.state = .waiting(kept, seen: hasMoved ? seen : now)
            entries[key]?.expiry = renewed
            return []
        case .waiting(let held, _):
            counters.matches += 1
            if held.attempt == nil, party.attempt == nil {
                remove(key)
            } else {
                entries[key]?.state = .introduced(held, party)
                entries[key]?.expiry = now + Self.repetitionTime
            }
            return introduce(party, at: source, to: held, token: key.token)
        case .introduced(let first, let second):
            // Told again, to whoever has asked only; the other may have heard.
            for (one, other) in [(first, second), (second, first)]
            where one.publicKey == party.publicKey && one.attempt == party.attempt && party.attempt != nil {
                return [answer(Self.match(other, token: key.token), to: party.publicKey, at: source)].compactMap { $0 }
            }
            entries[key]?.state = .waiting(waiting, seen: now)
            entries[key]?.expiry = renewed
            return []
        }
    }

    private mutating func introduce(
        _ newcomer: Party, at source: IPEndpoint, to held: Party, token: [UInt8]
    ) -> [Answer] {
        [
            answer(Self.match(held, token: token), to: newcomer.publicKey, at: source),
            answer(Self.match(newcomer, token: token), to: held.publicKey, at: held.endpoint),
        ].compactMap { $0 }
    }

    private static func match(_ party: Party, token: [UInt8]) -> BrokerNotice {
        .matched(.init(token: token, publicKey: party.publicKey, endpoint: party.endpoint))
    }

    /// A notice, sealed by a key of its own; `nil` for whoever has a key of low order.
    private mutating func answer(_ notice: BrokerNotice, to publicKey: [UInt8], at destination: IPEndpoint) -> Answer? {
        guard let brokerKey = try? X25519PrivateKey.generate(using: &random),
            let sealed = try? notice.sealed(
                to: publicKey, by: brokerKey, nonce: XChaCha20Poly1305.Nonce.random(using: &random))
        else { return nil }
        return Answer(datagram: sealed, destination: destination)
    }

    // MARK: Room

    private mutating func insert(_ key: Key, _ state: State, now: Duration) {
        let limit = max(configuration.memoryLimit / Configuration.entrySize, 1)
        while keys.count >= limit {
            counters.evictions += 1
            remove(keys[Int(random.integer(below: UInt32(clamping: keys.count)))])
        }
        entries[key] = Entry(state: state, expiry: now + configuration.lifetime, place: keys.count)
        keys.append(key)
    }

    private mutating func remove(_ key: Key) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        guard let last = keys.popLast(), last != key else { return }
        keys[entry.place] = last
        entries[last]?.place = entry.place
    }

    /// Forgets those whose time is over. To be called now and then; nothing is matched that is over, even if it is not.
    public mutating func expire(now: Duration) {
        for key in keys.filter({ entries[$0].map { $0.expiry <= now } ?? false }) {
            counters.expirations += 1
            remove(key)
        }
    }
}
