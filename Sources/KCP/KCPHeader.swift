/// What a segment is for: the field `cmd` of the header.
public enum KCPCommand: UInt8, Sendable, Hashable {
    /// Carries payload.
    case push = 81
    /// Acknowledges one segment by its number, and all before `una`.
    case acknowledge = 82
    /// Asks for the peer's window.
    case windowProbe = 83
    /// Tells the window.
    case windowReport = 84
}

/// The 24-byte header of a segment, all numbers little endian.
///
/// ```
///  0               4   5   6       8              12              16              20              24
///  +---------------+---+---+-------+---------------+---------------+---------------+---------------+
///  |     conv      |cmd|frg|  wnd  |      ts       |      sn       |      una      |      len      |
///  +---------------+---+---+-------+---------------+---------------+---------------+---------------+
/// ```
public struct KCPHeader: Hashable, Sendable {
    /// The size of a header in bytes.
    public static let size = 24

    /// `conv`: the number of the conversation, equal on both sides.
    public var conversationID: UInt32
    /// `cmd`.
    public var command: KCPCommand
    /// `frg`: how many fragments of the same message follow. Always 0 in kamune.
    public var fragment: UInt8
    /// `wnd`: how many further segments the sender of this header can take in.
    public var window: UInt16
    /// `ts`: the sender's clock in milliseconds; in an acknowledgement that of the segment it answers.
    public var timestamp: UInt32
    /// `sn`: the number of the segment sent, or of the one acknowledged.
    public var sequenceNumber: UInt32
    /// `una`: all segments before this one have arrived at the sender of this header.
    public var unacknowledged: UInt32
    /// `len`: the payload's size in bytes.
    public var payloadSize: UInt32

    /// Makes a header from its fields.
    public init(
        conversationID: UInt32,
        command: KCPCommand,
        fragment: UInt8 = 0,
        window: UInt16,
        timestamp: UInt32,
        sequenceNumber: UInt32,
        unacknowledged: UInt32,
        payloadSize: UInt32
    ) {
        self.conversationID = conversationID
        self.command = command
        self.fragment = fragment
        self.window = window
        self.timestamp = timestamp
        self.sequenceNumber = sequenceNumber
        self.unacknowledged = unacknowledged
        self.payloadSize = payloadSize
    }

    /// Reads the header at `offset` and checks that its payload lies within the datagram.
    init(reading datagram: RawSpan, at offset: Int) throws(KCPError) {
        let remaining = datagram.byteCount - offset
        guard remaining >= KCPHeader.size else { throw .truncatedHeader(remaining: remaining) }
        let rawCommand = datagram.unsafeLoad(fromByteOffset: offset + 4, as: UInt8.self)
        guard let command = KCPCommand(rawValue: rawCommand) else { throw .unknownCommand(rawCommand) }
        self.init(
            conversationID: datagram.littleEndian32(at: offset),
            command: command,
            fragment: datagram.unsafeLoad(fromByteOffset: offset + 5, as: UInt8.self),
            window: UInt16(littleEndian: datagram.unsafeLoadUnaligned(fromByteOffset: offset + 6, as: UInt16.self)),
            timestamp: datagram.littleEndian32(at: offset + 8),
            sequenceNumber: datagram.littleEndian32(at: offset + 12),
            unacknowledged: datagram.littleEndian32(at: offset + 16),
            payloadSize: datagram.littleEndian32(at: offset + 20)
        )
        guard Int(payloadSize) <= remaining - KCPHeader.size else {
            throw .truncatedPayload(announced: Int(payloadSize), remaining: remaining - KCPHeader.size)
        }
    }

    /// Writes the header to the first 24 bytes of `buffer`, which must have them.
    func write(to buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
        buffer.storeBytes(of: conversationID.littleEndian, toByteOffset: offset, as: UInt32.self)
        buffer.storeBytes(of: command.rawValue, toByteOffset: offset + 4, as: UInt8.self)
        buffer.storeBytes(of: fragment, toByteOffset: offset + 5, as: UInt8.self)
        buffer.storeBytes(of: window.littleEndian, toByteOffset: offset + 6, as: UInt16.self)
        buffer.storeBytes(of: timestamp.littleEndian, toByteOffset: offset + 8, as: UInt32.self)
        buffer.storeBytes(of: sequenceNumber.littleEndian, toByteOffset: offset + 12, as: UInt32.self)
        buffer.storeBytes(of: unacknowledged.littleEndian, toByteOffset: offset + 16, as: UInt32.self)
        buffer.storeBytes(of: payloadSize.littleEndian, toByteOffset: offset + 20, as: UInt32.self)
    }
}

extension RawSpan {
    /// Loads an unsigned 32-bit number; traps outside of the span, so callers check first.
    fileprivate func littleEndian32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

extension UInt32 {
    /// How far this sequence number lies after `other` on the circle of 32 bits; negative if it lies before.
    func distance(after other: UInt32) -> Int {
        Int(Int32(bitPattern: self &- other))
    }
}
