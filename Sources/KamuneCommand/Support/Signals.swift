import Dispatch

/// The signals that ask the program to end: the first one politely, the second one at once.
///
/// They are handled on a thread of their own, so that the second one works even when everything else is stuck.
final class Signals: Sendable {
    /// The first signal.
    let first = Promise<Int32>()

    private static let asking = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    // Unsafe because the type is not Sendable. It is right: the sources are made in `init`, and afterwards only held.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    /// Starts watching.
    ///
    /// - Parameters:
    ///   - continued: called after the program was stopped and continued, as by Ctrl-Z and `fg`.
    ///   - resized: called when the terminal has another size.
    init(continued: @escaping @Sendable () -> Void = {}, resized: @escaping @Sendable () -> Void = {}) {
        let queue = DispatchQueue(label: "kamune.signals")
        // Writing to a closed pipe shall be an error of that call, not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        var sources = Self.asking.map { [first] number in
            signal(number, SIG_IGN)
            return Self.source(number, queue) {
                // What quits a program at once elsewhere does so here.
                if number == SIGQUIT || !first.fulfill(number) {
                    TerminalMode.restore()
                    _exit(128 + number)
                }
            }
        }
        sources.append(Self.source(SIGCONT, queue, continued))
        sources.append(Self.source(SIGWINCH, queue, resized))
        self.sources = sources
    }

    private static func source(
        _ number: Int32, _ queue: DispatchQueue, _ body: @escaping @Sendable () -> Void
    ) -> any DispatchSourceSignal {
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler(handler: body)
        source.resume()
        return source
    }
}
