internal import NIOCore

/// How many files transports have open.
package enum TransportFiles {
    /// Of the event loops, which are made with the first connection: each waits by a file of its own, and is woken through
    /// two more, by others and by time (Linux: `epoll`, `eventfd`, `timerfd`).
    package static var ofEventLoops: Int { 3 * NIOSingletons.groupLoopCountSuggestion }
    /// Of a listener.
    package static let ofListener = 1
    /// Of a connection over TCP at most: its socket, and the one that senders use (see
    /// ``TransportConfiguration/writesOnCallersThread``).
    package static let ofConnection = 2
}
