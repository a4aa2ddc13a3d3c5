import KamuneProtocol

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message as it arrived: decrypted, its signature and its place in the sequence checked.
public struct Message: Sendable, Hashable {
    /// The identifier that the sender gave it; 26 characters of base32 by the protocol.
    public let id: String
    /// The content, at most 61,435 bytes.
    public let bytes: [UInt8]
    /// When the sender sealed it, by the sender's clock; nil when it did not say.
    public let sentAt: Date?
    /// When it was opened here.
    public let receivedAt: Date

    /// The content as text; bytes that are not UTF-8 are replaced by U+FFFD. It may hold any characters: clean it before
    /// you show it in a terminal.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// What the message takes in memory, in bytes: its content, its identifier, and what surrounds them.
    var memorySize: Int { bytes.count + Self.overhead }

    /// Two objects, each with a header of 32 bytes, 26 characters, and the message itself in a queue; rounded up.
    private static let overhead = 256

    init(_ message: ReceivedMessage, receivedAt: Timestamp) {
        id = message.metadata.id
        bytes = message.payload
        sentAt = message.metadata.timestamp.map(Date.init)
        self.receivedAt = Date(receivedAt)
    }
}

/// What is known of a message when it was sent.
public struct SentMessage: Sendable, Hashable {
    /// The identifier that it was given.
    public let id: String
    /// When it was sealed.
    public let sentAt: Date
}

extension Date {
    init(_ timestamp: Timestamp) {
        self.init(timeIntervalSince1970: Double(timestamp.seconds) + Double(timestamp.nanoseconds) / 1_000_000_000)
    }
}
