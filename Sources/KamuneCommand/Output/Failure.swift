import Kamune
import KamuneBenchmark
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// An end of the program that is not success, with what is said about it: one sentence, and an exit code that the README
/// lists.
struct Failure: Error, Equatable, Sendable {
    let status: ExitStatus
    /// One sentence that says what happened and what to do; nil when everything was said already.
    let message: String?

    init(_ status: ExitStatus, _ message: String?) {
        self.status = status
        self.message = message
    }
}

// Every error that can reach a person becomes a sentence here, and nowhere else.
extension Failure {
    /// Any error that a command can end with.
    init(anything error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as KamuneError: self.init(error)
        case let error as StoreError: self.init(error)
        case let error as NodeError: self.init(error)
        case let error as FileFailure: self.init(error)
        case let error as CryptoError: self.init(.failure, Self.shown(error.description))
        case let error as Trouble: self.init(error)
        case let error as BenchmarkFailure: self.init(error)
        case let error as SystemError: self.init(error)
        case let error as LineSplitter.LineTooLong: self.init(error)
        case is CancellationError: self = .interrupted
        default:
            self.init(
                .failure,
                "Something went wrong that should not, and that this program has no words for (\(type(of: error))).")
        }
    }

    /// An error of the library. What the peer has said in it is made fit to be shown.
    init(_ error: KamuneError) {
        if let error = error.cause as? StoreError {
            // What is wrong with the store is the same wherever it shows.
            self.init(error)
        } else {
            self.init(ExitStatus(error), Self.shown(error.message))
        }
    }

    /// What ended a conversation that had been connected. That the peer could not be reached again is how its connection is
    /// lost, whatever was in the way of the last attempt.
    init(afterConnecting error: NodeError) {
        let failure = Failure(error)
        switch failure.status {
        case .unreachable, .timedOut, .refusedByPeer: self.init(.connectionLost, failure.message)
        default: self = failure
        }
    }

    /// An error of the store.
    init(_ error: StoreError) {
        self.init(ExitStatus(error), Self.shown(error.description))
    }

    /// An error of the node.
    init(_ error: NodeError) {
        self.init(ExitStatus(error.code), Self.shown(error.message))
    }

    /// An error with a file.
    init(_ error: FileFailure) {
        self.init(ExitStatus(error), error.description)
    }

    /// A refusal of the system's that nothing better is known about.
    init(_ error: SystemError) {
        self.init(.failure, "The system refused: \(error).")
    }

    /// A measurement that came to nothing.
    init(_ error: BenchmarkFailure) {
        let what =
            switch error {
            case .handshakeStalled: "a handshake came to nothing"
            case .sessionEnded: "a session ended early"
            case .holderFailed: "the process that was to hold the other ends of the sessions did not start, or failed"
            }
        self.init(.failure, "The measurement was given up, because \(what).")
    }

    /// Standard output cannot be written.
    init(output error: SystemError) {
        self.init(.failure, "The output cannot be written: \(error).")
    }

    /// A line of the input that no message can hold.
    init(_ error: LineSplitter.LineTooLong) {
        self.init(
            .failure,
            "Line \(error.number) of the input is longer than \(error.limit) bytes, the most that one message holds. The "
                + "lines before it were sent.")
    }

    /// A signal has asked the program to end.
    init(signal: Int32) {
        self.init(signal == SIGINT ? .interrupted : .terminated, nil)
    }

    private static func shown(_ text: String) -> String {
        TerminalText(text, maximumColumns: TextLimit.sentence).description
    }
}
