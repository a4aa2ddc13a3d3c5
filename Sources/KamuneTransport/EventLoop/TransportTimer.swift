internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Watches the time limits of one connection with a single timer, which costs nothing for each frame: it looks now and
/// then since when somebody has been waiting, and comes back when that wait would be too long.
///
/// A wait that begins after a look cannot be too long before the shortest limit has passed once more, so a look at that
/// distance misses none and comes late for none.
final class TransportTimer: Sendable {
    private enum State {
        case running(Scheduled<Void>?)
        case stopped
    }

    private let eventLoop: any EventLoop
    private let state = Mutex(State.running(nil))

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Starts looking.
    ///
    /// - Parameters:
    ///   - first: After how long.
    ///   - look: Acts on waits that were too long, and says when to look again; `nil` for never.
    func start(after first: TimeAmount, look: @escaping @Sendable (NIODeadline) -> NIODeadline?) {
        schedule(at: .now() + first, look)
    }

    /// Stops looking, for good.
    func stop() {
        let scheduled: Scheduled<Void>? = state.withLock { state in
            defer { state = .stopped }
            if case .running(let scheduled) = state { return scheduled }
            return nil
        }
        scheduled?.cancel()
    }

    private func schedule(at deadline: NIODeadline, _ look: @escaping @Sendable (NIODeadline) -> NIODeadline?) {
        state.withLock { state in
            guard case .running = state else { return }
            state = .running(
                eventLoop.scheduleTask(deadline: deadline) { [weak self] in
                    guard let self, let next = look(.now()) else { return }
                    schedule(at: next, look)
                }
            )
        }
    }
}

extension TimeAmount {
    /// The longest time that is ever waited for, instead of forever; about a year, so that no sum overflows.
    static let practicallyForever = TimeAmount.hours(9000)

    /// A duration in whole nanoseconds, at least zero and at most ``practicallyForever``.
    init(clamping duration: Duration?) {
        guard let duration else {
            self = .practicallyForever
            return
        }
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else {
            self = .zero
            return
        }
        guard seconds < 9000 * 3600 else {
            self = .practicallyForever
            return
        }
        self = .nanoseconds(seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }
}
