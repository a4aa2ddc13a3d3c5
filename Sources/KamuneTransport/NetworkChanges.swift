internal import Dispatch
internal import KamuneSystem
internal import Synchronization

/// Tells when the addresses of this machine have changed: it is on another network, has lost one, or has one again. Several
/// changes within a quarter of a second are told as one.
///
/// What comes is the addresses that there are then (``LocalAddresses``). Whoever takes too long to ask for the next is told the
/// latest only. The sequence ends at once where the system does not tell of changes.
public struct NetworkChanges: AsyncSequence, Sendable {
    /// The addresses that there are now.
    public typealias Element = [LocalAddress]
    /// It does not fail.
    public typealias Failure = Never

    /// The changes from the making of an iterator on.
    public init() {}

    /// Begins to watch.
    public func makeAsyncIterator() -> AsyncStream<[LocalAddress]>.Iterator {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            guard let watch = NetworkWatch(telling: { continuation.yield($0) }) else { return continuation.finish() }
            continuation.onTermination = { _ in watch.end() }
        }.makeAsyncIterator()
    }
}

/// Reads what the system says about interfaces, and compares the addresses then: it says much that changes nothing.
private final class NetworkWatch: Sendable {
    /// What comes within this time is one change.
    private static let settlingTime = Duration.milliseconds(250)

    private struct State {
        var known: [LocalAddress]
        var isSettling = false
        var hasEnded = false
    }

    private let state: Mutex<State>
    private let tell: @Sendable ([LocalAddress]) -> Void
    private let descriptor: Int32
    /// Libdispatch's objects may be used from any thread; it does not say so to Swift on every system.
    nonisolated(unsafe) private let source: any DispatchSourceRead

    init?(telling tell: @escaping @Sendable ([LocalAddress]) -> Void) {
        guard let descriptor = try? systemNetworkChangeSocket() else { return nil }
        self.descriptor = descriptor
        self.tell = tell
        // Listed after the socket is there, so that nothing is missed in between.
        state = Mutex(State(known: LocalAddresses.list()))
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        source.setEventHandler { [weak self] in self?.read() }
        source.setCancelHandler { systemClose(descriptor) }
        source.activate()
    }

    func end() {
        let isFirst = state.withLock { state in
            defer { state.hasEnded = true }
            return !state.hasEnded
        }
        if isFirst { source.cancel() }
    }

    private func read() {
        // What is lost because it was too much is a change as well.
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while buffer.withUnsafeMutableBytes({ systemRead(descriptor, $0) }) > 0 {}
        let begins = state.withLock { state in
            defer { state.isSettling = true }
            return !state.isSettling && !state.hasEnded
        }
        guard begins else { return }
        Task { [self] in
            try? await SystemTime.system.sleep(for: Self.settlingTime)
            settle()
        }
    }

    private func settle() {
        let changed = state.withLock { state -> [LocalAddress]? in
            state.isSettling = false
            // What comes from here on is read again.
            let addresses = LocalAddresses.list()
            guard !state.hasEnded, addresses != state.known else { return nil }
            state.known = addresses
            return addresses
        }
        if let changed { tell(changed) }
    }
}
