import Foundation

/// The plaintext of a message's record. The fields before the body have fixed places, so that a search can judge records
/// without building anything: see ``MessageRecordView``.
///
/// ```
/// layout u8 = 2 | direction u8 | state u8 | kind u8 | sent i64 | received i64 or Int64.min | stream u64 | number u64
/// | session i64 or 0 | turn i64 or 0 | origin u8 | body: count, bytes | zeros up to the size class
/// ```
///
/// Layout 1, which earlier versions wrote and backups have, lacks turn and origin.
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
    /// Its place in the stream to the peer, while it is pending.
    var turn: StreamTurn?
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
        turn = message.state.isPending ? StreamTurn(number: row, isNative: true) : nil
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
        turn = view.turn(inRow: row)
        body = Array(view.body)
    }

    init(row: Int64, peer: Int64, decoding bytes: [UInt8]) throws(RecordReader.Malformed) {
        let record = bytes.withUnsafeBytes { bytes in
            MessageRecordView(bytes).map { MessageRecord(row: row, peer: peer, $0) }
        }
        guard let record else { throw RecordReader.Malformed() }
        self = record
    }

    /// What stands around the body, at most.
    private static let overhead = 64

    func encoded() -> [UInt8] {
        encoded(as: .current)
    }

    /// The plaintext for a backup: a turn means nothing in another store.
    func encodedForBackup() -> [UInt8] {
        encoded(as: .withoutTurn)
    }

    private func encoded(as layout: MessageRecordView.Layout) -> [UInt8] {
        var writer = RecordWriter(layout: layout.rawValue, count: Self.overhead + body.count)
        writer.append(byte: direction.rawValue)
        writer.append(byte: state.rawValue)
        writer.append(byte: kind.rawValue)
        writer.append(sent)
        writer.append(received ?? MessageRecordView.absent)
        writer.append(id.stream)
        writer.append(id.number)
        writer.append(session)
        if layout == .current {
            writer.append(turn?.number ?? 0)
            writer.append(byte: turn?.origin ?? 0)
        }
        writer.append(bytes: body)
        writer.pad()
        return writer.bytes
    }

    /// Moves the message on, or back: one that is to be sent again takes its turn after all others.
    mutating func settle(_ new: MessageState, at now: Int64, nextTurn: () throws -> Int64) rethrows {
        if new.isPending, turn == nil {
            turn = StreamTurn(number: try nextTurn(), isNative: false)
        } else if !new.isPending {
            turn = nil
        }
        state = new
        if new == .delivered { received = now }
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

/// Where a message of ours stands in the stream to its peer (PROTOCOL 10.5, ``KamuneProtocol/StreamPlace``): in which turn it
/// is sent.
struct StreamTurn: Equatable, Sendable {
    /// Larger than every turn that was given in this store before, to whomever.
    var number: Int64
    /// Whether it was given when the message was written, so that it was sent in this turn whenever it was sent at all. One
    /// that was restored, or was another peer's before, may have been sent in another.
    var isNative: Bool

    var origin: UInt8 { isNative ? 1 : 2 }

    init(number: Int64, isNative: Bool) {
        self.number = number
        self.isNative = isNative
    }

    /// - Returns: `nil` for what is none.
    init?(number: Int64, origin: UInt8) {
        guard origin == 1 || origin == 2 else { return nil }
        self.init(number: number, isNative: origin == 1)
    }
}
