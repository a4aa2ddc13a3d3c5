/// How much a conversation holds and how long it waits, but for what the protocol itself limits (``DeliveryMachine``).
public struct ConversationLimits: Equatable, Sendable {
    /// How many messages may be stored and told to the application, and not be taken yet, before the peer is made to wait;
    /// what was received and is not stored yet counts too.
    public var waitingMessages = 1_024
    /// How many bytes these may have; each counts with ``messageOverhead``. Exceeded by what arrives at once.
    public var waitingBytes = 2 << 20
    /// How many messages of ours may be under way, or wait, before ``ConversationMachine/hasRoom`` says no.
    public var outstandingMessages = 1_024
    /// How many bytes these may have.
    public var outstandingBytes = 16 << 20
    /// How many messages are fetched from the store at once.
    public var pageMessages = 256
    /// How many bytes of bodies a page may have, less the last one.
    public var pageBytes = 512 << 10
    /// Below how many messages in hand the next page is fetched.
    public var lowPage = 128
    /// How many messages are handed to the session at once.
    public var batchMessages = 64
    /// How many bytes of bodies are, less the last one.
    public var batchBytes = 256 << 10
    /// How many batches the session may have before it says that it took them.
    public var batches = 2
    /// How many links that are gone may still have something to be stored. Each may have brought as much as may wait.
    public var drainingLinks = 4
    /// How many messages to a peer of version 0.7 may be unconfirmed.
    public var unconfirmedMessages = 1_024
    /// How many messages may be on their way unacknowledged: ``DeliveryMachine/maximumUnacknowledged``. Others are for tests.
    var unacknowledgedMessages = DeliveryMachine.maximumUnacknowledged
    /// How long an acknowledgement waits for more to come: each one costs a signature here and its check there (§10.5).
    public var acknowledgementDelay = Duration.milliseconds(10)
    /// How many messages it waits for at most, a small part of those that may be on their way (§10.5).
    public var acknowledgementCount = 128
    /// How many times as much may wait for the application once the conversation is being closed: it may have gone away, and
    /// nobody is to wait for it.
    public var closingFactor = 4

    /// What a message takes besides its body, in bytes, roughly.
    public static let messageOverhead = 256

    /// The defaults.
    public init() {}
}

/// How a conversation behaves.
public struct ConversationConfiguration: Equatable, Sendable {
    /// Within which time two sessions count as dialed at once: that of a handshake (§11).
    public var handshakeTimeout: Duration
    /// How long closing waits for what is under way, and then for the peer to end its side (§11).
    public var closeTimeout: Duration
    /// How long a program of version 0.7 may take to answer that it has read what it was sent. Not all answer. Longer than it
    /// takes until a connection over UDP is doubted (``ConversationMachine/Event/doubted(_:_:)``), which is after 10 seconds: over one that is lost
    /// nobody answers.
    public var confirmationTimeout: Duration
    /// Whether a message is acknowledged only when the application has taken it, instead of when it is stored: where what is
    /// stored is gone with the program (§10.5).
    public var acknowledgesWhenTaken: Bool
    /// What to do when the connection is lost.
    public var reconnection: Reconnection
    /// How much it holds.
    public var limits: ConversationLimits

    /// A configuration; what is not given is as the protocol has it.
    public init(
        handshakeTimeout: Duration = ProtocolConstants.handshakeTimeout,
        closeTimeout: Duration = .seconds(2), confirmationTimeout: Duration = .seconds(12),
        acknowledgesWhenTaken: Bool = false, reconnection: Reconnection = .init(), limits: ConversationLimits = .init()
    ) {
        self.handshakeTimeout = handshakeTimeout
        self.closeTimeout = closeTimeout
        self.confirmationTimeout = confirmationTimeout
        self.acknowledgesWhenTaken = acknowledgesWhenTaken
        self.reconnection = reconnection
        self.limits = limits
    }
}
