internal import Synchronization

/// The bytes that are held for one peer: what it sent and nobody took yet, and what it has not taken yet of ours.
///
/// A connection makes one, and whatever stands on the connection counts its own bytes here too, so that all of it
/// together has one limit. Nobody is refused what is here already: whoever adds bytes looks at ``hasRoom`` before it asks
/// for more of them, and one that holds nothing may always ask for one more, or two who wait for each other's room would
/// wait for ever. So a budget is exceeded by what one step of each of its holders brings.
///
/// A stranger's budget also counts in a ``MemoryPool`` that it shares with all strangers.
public final class MemoryBudget: Sendable {
    /// What is held for one session at most: 4 MiB.
    public static let sessionLimit = 4 << 20

    /// How many bytes may be held.
    public let limit: Int

    private struct State {
        var held = 0
        var pool: MemoryPool?
    }

    private let state: Mutex<State>

    /// A budget of which nothing is used.
    ///
    /// - Parameters:
    ///   - limit: How many bytes may be held; at least one.
    ///   - pool: Where they count besides; see ``leavePool()``.
    public init(limit: Int = MemoryBudget.sessionLimit, in pool: MemoryPool? = nil) {
        self.limit = max(limit, 1)
        state = Mutex(State(pool: pool))
    }

    deinit {
        leavePool()
    }

    /// How many bytes are held.
    public var held: Int { state.withLock { $0.held } }

    /// How many more bytes may be asked for.
    public var room: Int {
        state.withLock { state in
            max(min(limit, state.pool?.share ?? limit) - state.held, 0)
        }
    }

    /// Whether more may be asked for.
    public var hasRoom: Bool { room > 0 }

    /// Counts bytes that have come.
    public func add(_ count: Int) {
        state.withLock { state in
            state.held += count
            state.pool?.change(by: count)
        }
    }

    /// Counts bytes that are gone.
    public func remove(_ count: Int) {
        add(-count)
    }

    /// Counts in no pool any more: the peer is no stranger.
    public func leavePool() {
        state.withLock { state in
            state.pool.take()?.change(by: -state.held)
        }
    }
}

/// The bytes that are held for all strangers together.
///
/// Nobody may hold more than an eighth of what the others leave free. So a few who let everything lie leave room for the
/// next, without that anybody has to be chosen whose bytes are dropped: of *n* who take all they can, each gets the
/// *n* + 8th part.
public final class MemoryPool: Sendable {
    /// That of this process: 64 MiB.
    public static let strangers = MemoryPool(limit: 64 << 20)

    /// How many bytes may be held.
    public let limit: Int

    private static let shareDivisor = 8
    private let count = Atomic(0)

    /// A pool of which nothing is used.
    ///
    /// - Parameter limit: How many bytes may be held.
    public init(limit: Int) {
        self.limit = limit
    }

    /// How many bytes are held.
    public var held: Int { count.load(ordering: .relaxed) }

    /// How many bytes one budget may hold now.
    var share: Int { max(limit - held, 0) / Self.shareDivisor }

    fileprivate func change(by difference: Int) {
        count.wrappingAdd(difference, ordering: .relaxed)
    }
}

extension MemoryPool: Hashable {
    /// Whether both are one and the same.
    public static func == (left: MemoryPool, right: MemoryPool) -> Bool { left === right }

    /// By identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
