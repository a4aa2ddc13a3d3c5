/// What the daemon bounds, for it reads what anybody may have written.
public enum DaemonLimits {
    /// The longest line that is taken, in bytes without its end; the Go daemon's `maxScanTokenSize`.
    public static let lineSize = 1 << 20
    /// How many bytes of events may wait for a program that does not read. Beyond it the daemon takes no commands, and no
    /// messages from peers, until the program reads on.
    public static let waitingOutput = 4 << 20
    /// How long a person may take over a peer's fingerprint; the Go daemon's `verifTimeout`.
    public static let verification = Duration.seconds(120)
    /// How many peers may wait for a person at once. Who comes then is refused.
    public static let pendingVerifications = 64
    /// How many sessions there may be, dials that are under way among them.
    public static let sessions = 1_024
    /// Under how many words a server may wait at its relay.
    public static let relayTokens = 64
    /// How many requests beyond the protocol's may be under way before no more lines are followed.
    public static let requestsUnderWay = 64
    /// How many log entries are kept; the Go daemon's `logBufferSize`.
    public static let logEntries = 200
    /// The longest log entry, in bytes.
    public static let logEntrySize = 1_024
    /// The longest name of one's own, in bytes; the Go daemon's `maxNameLength`.
    public static let ownNameSize = 32
    /// The longest name of somebody else, in bytes.
    public static let nameSize = 255
    /// The longest text that is repeated in a sentence, in bytes.
    public static let quotedSize = 128
    /// The longest setting of a program, in bytes.
    public static let settingSize = 64
    /// How many bytes of text one answer about the history may hold. Of more, the latest messages are told.
    public static let historySize = 16 << 20
    /// The longest message that is stored together with those before and after it, in bytes; far less than any peer takes.
    public static let joinedMessageSize = 4_096
    /// How many messages are stored together; as many as the node takes at once.
    public static let joinedMessages = 1_024
    /// How long the end of what was asked to end is waited for; the Go daemon's `channelTimeout`.
    public static let closing = Duration.seconds(5)
    /// How often a dialed session that was lost is said to be dialed again; the Go daemon's `maxAttempts`.
    public static let reconnectionAttempts = 10
}
