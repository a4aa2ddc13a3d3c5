import KamuneNode
import KamuneTerminal
import Logging

/// What happens in the network, for who wants to know: a logger whose lines go where status lines go, one after another.
struct EventLog: Sendable {
    private let logger: Logger
    private let lines: LineQueue
    private let writing: Task<Void, Never>

    /// How much waits for its reader at the most, in bytes.
    private static let limit = 128 * 1_024

    /// - Parameter write: Writes a line.
    init(level: Logger.Level, write: @escaping @Sendable (String) async -> Void) {
        let lines = LineQueue(limit: Self.limit)
        self.lines = lines
        writing = Task {
            while let entry = await lines.next() {
                if entry.missed > 0 { await write("[notice] \(entry.missed) lines were left out") }
                await write(entry.text)
            }
        }
        var logger = Logger(label: "kamune") { _ in LineLogHandler(lines: lines) }
        logger.logLevel = level
        self.logger = logger
    }

    /// Waits until everything is written. Nothing can be logged afterwards.
    func finish() async {
        lines.finish()
        await writing.value
    }

    /// A session begins.
    func established(_ session: LinkInfo) {
        logger.info(
            session.isResumed ? "session resumed" : "session established",
            metadata: [
                "session": "\(session.session)", "remote": "\(session.address)",
                "version": "\(TerminalText(session.version, maximumColumns: TextLimit.word))",
                "capabilities": "\(Self.listed(session.capabilities))",
            ])
        for step in session.handshake {
            logger.debug("handshake: \(step.name)", metadata: ["took": "\(Times.milliseconds(.seconds(step.seconds)))"])
        }
    }

    /// Names that a peer has announced: its own words, as many as it likes.
    private static func listed(_ names: [String]) -> TerminalText {
        var text = ""
        for name in names where text.unicodeScalars.count < TextLimit.line {
            text += (text.isEmpty ? "" : ",") + TerminalText(name, maximumColumns: TextLimit.word).description
        }
        return TerminalText(text, maximumColumns: TextLimit.line)
    }

    /// A session was lost.
    func lost(_ error: NodeError) {
        logger.info(
            "session lost (\(error.code.rawValue)): \(TerminalText(error.message, maximumColumns: TextLimit.sentence))")
    }

    /// The peer will be dialed again.
    func reconnecting(attempt: Int, _ delay: Duration) {
        logger.debug("reconnecting", metadata: ["attempt": "\(attempt)", "after": "\(Times.milliseconds(delay))"])
    }

    /// Dialing again came to nothing.
    func reconnectionFailed(_ error: NodeError) {
        logger.debug("reconnecting failed", metadata: ["code": "\(error.code.rawValue)", "error": "\(error.message)"])
    }

    /// A conversation has ended.
    func ended(_ end: ConversationEnd) {
        let how =
            switch (end.by, end.error) {
            case (.us, _): "closed by us"
            case (.peer, _): "closed by the peer"
            case (.failure, nil): "failed"
            case (.failure, let error?):
                "failed (\(error.code.rawValue)): \(TerminalText(error.message, maximumColumns: TextLimit.sentence))"
            }
        logger.info("conversation ended: \(how)")
    }

    /// A handshake has come to nothing.
    func failed(_ error: NodeError, address: String) {
        logger.info(
            "handshake failed (\(error.code.rawValue)): \(TerminalText(error.message, maximumColumns: TextLimit.sentence))",
            metadata: ["remote": "\(address)"])
    }
}

/// Gives lines of a log on.
private struct LineLogHandler: LogHandler {
    let lines: LineQueue
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    init(lines: LineQueue) {
        self.lines = lines
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        lines.add("[\(event.level)] \(event.message)\(pairs)")
    }
}
