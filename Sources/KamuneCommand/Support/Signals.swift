import KamuneSystem
import Synchronization

/// The signals, which have one owner from the beginning of the program to its end.
///
/// At first a signal that asks the program to end does so at once. A command that has something to conclude says so by
/// ``concludeFirst()``: then the first one only asks, and the second one ends. Whatever a signal does to the terminal is
/// undone in every case.
final class Signals: Sendable {
    /// The first signal that asks to conclude.
    let first = Promise<Int32>()

    private struct State {
        var rule = SignalRule()
        var resized: @Sendable () -> Void = {}
    }

    private let state = Mutex(State())
    private let end: @Sendable (Int32) -> Void
    private let stop: @Sendable () -> Void
    private let resume: @Sendable () -> Void

    /// - Parameters:
    ///   - end: Ends the program at once, by this signal.
    ///   - stop: Stops the program until it is continued.
    ///   - resume: Called when it was continued.
    init(
        end: @escaping @Sendable (Int32) -> Void = { _ in }, stop: @escaping @Sendable () -> Void = {},
        resume: @escaping @Sendable () -> Void = {}
    ) {
        self.end = end
        self.stop = stop
        self.resume = resume
    }

    /// From now on the first signal that asks the program to end fulfils ``first``, and only the second one ends it.
    func concludeFirst() {
        state.withLock { $0.rule.concludesFirst = true }
    }

    /// Has a function called when the terminal has another size.
    func whenResized(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.resized = body }
    }

    /// A signal has come.
    func received(_ number: Int32) {
        switch state.withLock({ $0.rule.received(number) }) {
        case .ask: first.fulfill(number)
        case .end: end(number)
        case .stop: stop()
        case .resume: resume()
        case .resize: state.withLock { $0.resized }()
        case .ignore: break
        }
    }
}

/// What is done about a signal: a state machine.
struct SignalRule: Sendable {
    /// What is done.
    enum Reaction: Equatable, Sendable {
        /// The program is asked to conclude.
        case ask
        /// It ends at once.
        case end
        /// It is stopped, as by Ctrl-Z.
        case stop
        /// It goes on.
        case resume
        /// The terminal has another size.
        case resize
        case ignore
    }

    /// Those that ask the program to end.
    static let asking = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// All that are taken.
    static let all = asking + [SIGTSTP, SIGCONT, SIGWINCH]

    /// Whether the first one that asks is heeded in peace.
    var concludesFirst = false
    private var wasAsked = false

    mutating func received(_ number: Int32) -> Reaction {
        switch number {
        // What quits a program at once elsewhere does so here.
        case SIGQUIT: return .end
        case SIGINT, SIGTERM, SIGHUP:
            guard concludesFirst, !wasAsked else { return .end }
            wasAsked = true
            return .ask
        case SIGTSTP: return .stop
        case SIGCONT: return .resume
        case SIGWINCH: return .resize
        default: return .ignore
        }
    }
}
