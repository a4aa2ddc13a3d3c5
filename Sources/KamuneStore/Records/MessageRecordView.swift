/// The plaintext of a message's record where it lies, read in place: for a search, which looks at very many records and
/// keeps few. Valid as long as the bytes are.
struct MessageRecordView {
    /// Which way the message went.
    let direction: MessageDirection
    /// How far it had come.
    let state: MessageState
    /// Its turn, if it says so.
    private let writtenTurn: StreamTurn?
    private let bytes: UnsafeRawBufferPointer
    private let bodyStart: Int
    private let bodyCount: Int

    /// The layouts that are read.
    enum Layout: UInt8 {
        /// As earlier versions wrote it, and as backups have it.
        case withoutTurn = 1
        /// As it is written.
        case current = 2
    }

    /// What stands for a time that is not known.
    static let absent = Int64.min

    /// Where the fields begin; see ``MessageRecord``.
    private enum Offset {
        static let direction = 1
        static let state = 2
        static let kind = 3
        static let sent = 4
        static let received = 12
        static let stream = 20
        static let number = 28
        static let session = 36
        static let turn = 44
        static let origin = 52

        static func bodyCount(_ layout: Layout) -> Int { layout == .current ? 53 : 44 }
    }

    /// - Parameter bytes: whatever was in a record; `nil` when it is none of a message.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let layout = bytes.first.flatMap({ Layout(rawValue: $0) }), bytes.count > Offset.bodyCount(layout),
            let direction = MessageDirection(rawValue: bytes[Offset.direction]),
            let state = MessageState(rawValue: bytes[Offset.state])
        else { return nil }
        // Base 128, as a RecordWriter writes counts: eight groups at most, so that nothing overflows.
        var count: UInt64 = 0
        var position = Offset.bodyCount(layout)
        var shift: UInt64 = 0
        while true {
            guard position < bytes.count, shift < 56 else { return nil }
            let byte = bytes[position]
            position += 1
            count |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        guard count <= UInt64(bytes.count - position) else { return nil }
        if layout == .current {
            let number = Self.integer(bytes, Offset.turn)
            writtenTurn = StreamTurn(number: number, origin: bytes[Offset.origin])
            guard (writtenTurn != nil) == state.isPending else { return nil }
        } else {
            writtenTurn = nil
        }
        self.direction = direction
        self.state = state
        self.bytes = bytes
        bodyStart = position
        bodyCount = Int(count)
    }

    /// Its place in the stream to the peer while it is pending: in the earlier layout that of its row. Whether earlier versions
    /// sent it in that turn, when it had been restored before, is not known.
    func turn(inRow row: Int64) -> StreamTurn? {
        writtenTurn ?? (state.isPending ? StreamTurn(number: row, isNative: false) : nil)
    }

    var kind: MessageKind { MessageKind(rawValue: bytes[Offset.kind]) }
    var sent: Int64 { integer(Offset.sent) }

    var received: Int64? {
        let received = integer(Offset.received)
        return received == Self.absent ? nil : received
    }

    var id: MessageID {
        MessageID(
            stream: UInt64(bitPattern: integer(Offset.stream)), number: UInt64(bitPattern: integer(Offset.number)))
    }

    var session: Int64 { integer(Offset.session) }

    var body: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[bodyStart..<(bodyStart + bodyCount)]) }

    /// The time by this machine's clock, in milliseconds.
    var localTime: Int64 { direction == .incoming ? received ?? sent : sent }

    private func integer(_ offset: Int) -> Int64 { Self.integer(bytes, offset) }

    private static func integer(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int64 {
        Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
    }
}
