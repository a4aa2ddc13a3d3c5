import Foundation

/// The plaintext of a message's record. The fields before the body have fixed places, so that a search can judge records
/// without building anything: see ``MessageRecordView``.
///
/// ```
/// layout u8 = 1 | direction u8 | state u8 | kind u8 | sent i64 | received i64 or Int64.min | stream u64 | number u64
/// | session i64 or 0 | body: count, bytes | zeros up to the size class
/// ```
struct MessageRecord: Sendable {
    /// Its place in the history, and the peer whom it belongs to. Both stand beside it, not in it.
    var row: Int64
    var peer: Int64
    var direction: MessageDirection
    var state: MessageState
    var kind: MessageKind
    var sent: Int64
    var received: Int64?
    var id: MessageID
    var session: Int64
    var body: [UInt8]

    init(_ message: NewMessage, id: MessageID, row: Int64) {
        self.row = row
        peer = message.peer.row
        direction = message.direction
        state = message.state
        kind = message.kind
        sent = message.sent.milliseconds
        received = message.received?.milliseconds
        self.id = id
        session = message.session?.row ?? 0
        body = message.body
    }

    init(row: Int64, peer: Int64, _ view: MessageRecordView) {
        self.row = row
        self.peer = peer
        direction = view.direction
        state = view.state
        kind = view.kind
        sent = view.sent
        received = view.received
        id = view.id
        session = view.session
        body = Array(view.body)
    }

    init(row: Int64, peer: Int64, decoding bytes: [UInt8]) throws(RecordReader.Malformed) {
        let record = bytes.withUnsafeBytes { bytes in
            MessageRecordView(bytes).map { MessageRecord(row: row, peer: peer, $0) }
        }
        guard let record else { throw RecordReader.Malformed() }
        self = record
    }

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: MessageRecordView.layout)
        writer.append(byte: direction.rawValue)
        writer.append(byte: state.rawValue)
        writer.append(byte: kind.rawValue)
        writer.append(sent)
        writer.append(received ?? MessageRecordView.absent)
        writer.append(id.stream)
        writer.append(id.number)
        writer.append(session)
        writer.append(bytes: body)
        writer.pad()
        return writer.bytes
    }

    /// The time by this machine's clock, in milliseconds.
    var localTime: Int64 { direction == .incoming ? received ?? sent : sent }

    /// The message, for those who read the history.
    var message: StoredMessage {
        StoredMessage(
            position: MessagePosition(row: row), peer: PeerID(row: peer),
            session: session == 0 ? nil : SessionID(row: session), id: id, direction: direction, state: state,
            kind: kind, sent: Date(milliseconds: sent), received: received.map { Date(milliseconds: $0) },
            body: body)
    }
}
