import Kamune
import Logging

/// What happens in the network, for who wants to know: a logger whose lines go where status lines go, one after another.
struct EventLog: Sendable {
    private let logger: Logger
    private let lines: AsyncStream<String>.Continuation
    private let writing: Task<Void, Never>

    /// - Parameter write: Writes a line.
    init(level: Logger.Level, write: @escaping @Sendable (String) async -> Void) {
        // The newest lines are kept when they come faster than they are written.
        let (lines, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(256))
        writing = Task { for await line in lines { await write(line) } }
        self.lines = continuation
        var logger = Logger(label: "kamune") { _ in LineLogHandler(lines: continuation) }
        logger.logLevel = level
        self.logger = logger
    }

    /// Waits until everything is written. Nothing can be logged afterwards.
    func finish() async {
        lines.finish()
        await writing.value
    }

    /// A session begins.
    func established(_ session: SessionSummary) {
        logger.info(
            session.isResumed ? "session resumed" : "session established",
            metadata: [
                "session": "\(session.id)", "remote": "\(session.remoteAddress)",
                "version": "\(DisplayText(session.peer.version, maximumLength: 32))",
                "capabilities": "\(DisplayText(session.peer.capabilities.joined(separator: ",")))",
            ])
        for step in session.handshake {
            logger.debug("handshake: \(step.kind.rawValue)", metadata: ["took": "\(Times.milliseconds(step.duration))"])
        }
    }

    /// A session was lost.
    func lost(_ error: KamuneError) {
        logger.info("session lost (\(error.code)): \(DisplayText(error.message))")
    }

    /// The peer will be dialed again.
    func reconnecting(attempt: Int, _ delay: Duration) {
        logger.debug("reconnecting", metadata: ["attempt": "\(attempt)", "after": "\(Times.milliseconds(delay))"])
    }

    /// A conversation has ended.
    func ended(_ end: SessionEnd) {
        let how =
            switch end {
            case .closedByUs: "closed by us"
            case .closedByPeer: "closed by the peer"
            case .failed(let error): "failed (\(error.code)): \(DisplayText(error.message))"
            }
        logger.info("conversation ended: \(how)")
    }

    /// A handshake has come to nothing.
    func failed(_ failure: HandshakeFailure) {
        logger.info(
            "handshake failed (\(failure.error.code)): \(DisplayText(failure.error.message))",
            metadata: ["remote": "\(failure.remoteAddress)"])
    }
}

/// Gives lines of a log on.
private struct LineLogHandler: LogHandler {
    let lines: AsyncStream<String>.Continuation
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    init(lines: AsyncStream<String>.Continuation) {
        self.lines = lines
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        lines.yield("[\(event.level)] \(event.message)\(pairs)")
    }
}
