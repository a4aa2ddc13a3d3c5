import KamuneTransport

/// Which of a listener's connections keep their places while they are in their handshake.
///
/// Events in, and out come the connections that have to go, the one that the event is about perhaps among them. Nobody
/// unproven decides anything: what a connection has shown says in which room it is, and each room has places of its own,
/// so that a crowd in one leaves the others as they are.
///
/// | room | who is in it | places |
/// | --- | --- | --- |
/// | unproven | datagrams that may have come from anywhere | ``Limits/unproven`` |
/// | silent | who has connected from an address, and not said who it is | half of ``Limits/places`` |
/// | stranger | who has shown the introduction of somebody whom we do not know | a quarter |
/// | friend | who has shown that of somebody whom we know, or resumes a session | a quarter |
///
/// Whatever a room lets in, ``Limits/network`` may come from one network, and ``Limits/identity`` may claim one identity.
/// An introduction may be a copy of an old one, so it takes no place from the one who made it for long: who has proven to
/// be a friend goes last, and counts against no network. Among equals those go first who are most, by network and by
/// identity, so that the one who comes alone stays; and of those a random one, never the latest if there is another, so
/// that neither whoever waits nor whoever comes can tell what will be dropped.
struct AdmissionMachine<Identity: Hashable & Sendable>: Sendable {
    typealias ID = UInt64

    /// How many places there are.
    struct Limits: Sendable {
        /// For addresses that have proven something.
        var places: Int
        /// For those that have not.
        var unproven: Int
        /// For each network, in each room.
        var network = 16
        /// For each identity.
        var identity = 8

        fileprivate func capacity(of room: Room) -> Int {
            switch room {
            case .unproven: unproven
            case .silent: max(places / 2, 1)
            case .stranger, .friend: max(places / 4, 1)
            }
        }
    }

    fileprivate enum Room: Hashable, Comparable {
        case unproven, silent, stranger, friend
    }

    private enum Stage {
        case unproven
        case silent
        case introduced(Identity, isKnown: Bool)
        case proven(Identity)
    }

    private struct Place {
        let id: ID
        let network: Network?
        var stage: Stage

        var room: Room {
            switch stage {
            case .unproven: .unproven
            case .silent: .silent
            case .introduced(_, let isKnown): isKnown ? .friend : .stranger
            case .proven: .friend
            }
        }

        var identity: Identity? {
            switch stage {
            case .unproven, .silent: nil
            case .introduced(let identity, _), .proven(let identity): identity
            }
        }

        var isProven: Bool {
            if case .proven = stage { true } else { false }
        }

        /// The network that this counts against.
        var countedNetwork: Network? {
            switch stage {
            case .unproven, .proven: nil
            case .silent, .introduced: network
            }
        }
    }

    private let limits: Limits
    /// In the order in which they came.
    private var places: [Place] = []
    private var lastID: ID = 0

    init(limits: Limits) {
        self.limits = limits
    }

    /// How many are in their handshake.
    var count: Int { places.count }

    // MARK: Events

    /// Somebody has connected.
    ///
    /// - Parameters:
    ///   - network: From where; nil for this machine, whose connections no network counts.
    ///   - isAddressProven: Whether it is known to receive what is sent there.
    mutating func connected(
        from network: Network?, isAddressProven: Bool, using random: inout some RandomNumberGenerator
    ) -> (id: ID, dropped: [ID]) {
        lastID += 1
        places.append(Place(id: lastID, network: network, stage: isAddressProven ? .silent : .unproven))
        return (lastID, settle(lastID, using: &random))
    }

    /// Somebody has shown an introduction, and that it receives at its address.
    mutating func introduced(
        _ id: ID, as identity: Identity, isKnown: Bool, using random: inout some RandomNumberGenerator
    ) -> [ID] {
        move(id, to: .introduced(identity, isKnown: isKnown), using: &random)
    }

    /// Somebody has spent a token of a session of ours.
    mutating func resumed(_ id: ID, as identity: Identity, using random: inout some RandomNumberGenerator) -> [ID] {
        move(id, to: .proven(identity), using: &random)
    }

    /// Somebody has shown that it holds the key of the identity that it claims.
    mutating func proved(_ id: ID, using random: inout some RandomNumberGenerator) -> [ID] {
        guard let index = index(of: id), case .introduced(let identity, isKnown: true) = places[index].stage else {
            // A stranger who holds the key of an identity that nobody knows has shown nothing by that.
            return []
        }
        return move(id, to: .proven(identity), using: &random)
    }

    /// A handshake is over, one way or the other.
    mutating func finished(_ id: ID) {
        if let index = index(of: id) { places.remove(at: index) }
    }

    /// The system can take no more: one of those has to go who have come least far, if there is one who has proven nothing.
    mutating func exhausted(using random: inout some RandomNumberGenerator) -> ID? {
        guard let room = places.lazy.filter({ !$0.isProven }).map(\.room).min() else { return nil }
        return drop(from: { $0.room == room && !$0.isProven }, sparing: nil, using: &random)
    }

    // MARK: Choosing

    private func index(of id: ID) -> Int? {
        var low = 0
        var high = places.count
        while low < high {
            let middle = (low + high) / 2
            if places[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < places.count && places[low].id == id ? low : nil
    }

    private mutating func move(
        _ id: ID, to stage: Stage, using random: inout some RandomNumberGenerator
    ) -> [ID] {
        // Who was dropped before this came stays dropped.
        guard let index = index(of: id) else { return [id] }
        places[index].stage = stage
        return settle(id, using: &random)
    }

    /// Drops who is too many since one has changed: first for the narrower limits, which may settle the wider ones too.
    private mutating func settle(_ id: ID, using random: inout some RandomNumberGenerator) -> [ID] {
        guard let index = index(of: id) else { return [] }
        let (room, identity, network) = (places[index].room, places[index].identity, places[index].countedNetwork)
        var dropped: [ID] = []
        if let identity {
            drop(above: limits.identity, of: { $0.identity == identity }, sparing: id, &dropped, using: &random)
        }
        if let network {
            drop(
                above: limits.network, of: { $0.room == room && $0.countedNetwork == network }, sparing: id, &dropped,
                using: &random)
        }
        drop(above: limits.capacity(of: room), of: { $0.room == room }, sparing: id, &dropped, using: &random)
        return dropped
    }

    private mutating func drop(
        above limit: Int, of isMember: (Place) -> Bool, sparing id: ID, _ dropped: inout [ID],
        using random: inout some RandomNumberGenerator
    ) {
        guard places.count(where: isMember) > limit,
            let victim = drop(from: isMember, sparing: id, using: &random)
        else { return }
        dropped.append(victim)
    }

    private mutating func drop(
        from isMember: (Place) -> Bool, sparing id: ID?, using random: inout some RandomNumberGenerator
    ) -> ID? {
        let members = places.filter(isMember)
        let unproven = members.filter { !$0.isProven }
        let equals = unproven.isEmpty ? members : unproven
        var networks: [Network: Int] = [:]
        var identities: [Identity: Int] = [:]
        for place in equals {
            if let network = place.countedNetwork { networks[network, default: 0] += 1 }
            if let identity = place.identity { identities[identity, default: 0] += 1 }
        }
        func crowd(_ place: Place) -> Int {
            (place.countedNetwork.flatMap { networks[$0] } ?? 1) + (place.identity.flatMap { identities[$0] } ?? 1)
        }
        let most = equals.lazy.map(crowd).max() ?? 0
        let crowded = equals.filter { crowd($0) == most }
        let others = crowded.filter { $0.id != id }
        guard let victim = (others.isEmpty ? crowded : others).randomElement(using: &random)?.id else { return nil }
        finished(victim)
        return victim
    }
}
