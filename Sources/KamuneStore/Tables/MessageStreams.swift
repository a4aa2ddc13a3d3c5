import GRDB
import Synchronization

/// The names of messages: makes new ones, and hides them for the index.
///
/// The index must find a name without telling it, and new entries should come to stand beside each other: an index of
/// plain hashes costs a page of the disk for every message, the more the larger it is. So only the stream's half becomes a
/// keyed hash, together with peer and direction, and the number is shifted by another: whoever sees the index learns which
/// messages follow one another in a stream, which their order says anyway, and nothing about peer, stream or number.
final class MessageStreams: Sendable {
    /// A name as it stands in the index.
    struct Mark: Equatable {
        var stream: Int64
        var number: Int64

        /// The mark of a message that is numbered so much higher in the same stream.
        func advanced(by number: UInt64) -> Mark {
            Mark(stream: stream, number: self.number &+ Int64(bitPattern: number))
        }
    }

    private let cipher: RecordCipher
    private let seed: UInt64
    /// The last name given for each peer.
    private let own = Mutex<[Int64: MessageID]>([:])
    private let numbering = Mutex<Numbering?>(nil)
    private let known = Mutex<[Stream: (UInt64, UInt64)]>([:])

    private struct Stream: Hashable {
        var peer: Int64
        var direction: UInt8
        var stream: UInt64
    }

    /// How the rows of messages are numbered.
    private struct Numbering {
        var next: Int64
        /// The last number that counts in the file as given.
        var reserved: Int64
    }

    /// How many hashes are remembered before all are forgotten.
    private static let memory = 256

    /// For how many rows at a time the file is told that their numbers are given: a page of it, which would be written with
    /// every single message otherwise. So many may be missing after each time that the store was open.
    private static let reservation: Int64 = 64

    init(cipher: RecordCipher) {
        self.cipher = cipher
        seed = cipher.randomInteger()
    }

    /// The row for the next message. Only within a write: there is one at a time. Gaps do no harm.
    func nextRow(in transaction: WriteTransaction) throws -> Int64 {
        try numbering.withLock { numbering in
            var known: Numbering
            if let numbering {
                known = numbering
            } else {
                let next = try transaction.tables.messages.nextRow(in: transaction)
                known = Numbering(next: next, reserved: next - 1)
            }
            let row = known.next
            guard row < Int64.max - Self.reservation else { throw cipher.damaged }
            if row > known.reserved {
                known.reserved = row + Self.reservation - 1
                try Self.reserve(through: known.reserved, in: transaction)
            }
            known.next = row + 1
            // When the transaction is undone, the numbers are given all the same: SQLite itself notes those above what it knows.
            numbering = known
            return row
        }
    }

    private static func reserve(through row: Int64, in transaction: WriteTransaction) throws {
        let database = transaction.database
        try database.cachedStatement(
            sql: "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS "
                + "(SELECT 1 FROM sqlite_sequence WHERE name = ?1)"
        ).execute(arguments: [MessageRecord.table])
        try database.cachedStatement(sql: "UPDATE sqlite_sequence SET seq = ?1 WHERE name = ?2 AND seq < ?1")
            .execute(arguments: [row, MessageRecord.table])
    }

    /// The turn for a message that was stored already: its number is one that no message was stored under, or will be.
    func nextTurn(in transaction: WriteTransaction) throws -> Int64 {
        let turn = try nextRow(in: transaction)
        // So that it is known after a restart too, whatever became of the transaction in which it was reserved.
        try Self.reserve(through: turn, in: transaction)
        return turn
    }

    /// Has the next row looked up anew, after others than ``nextRow(in:)`` made rows.
    func forgetNextRow() {
        numbering.withLock { $0 = nil }
    }

    /// A new name for a message of ours to a peer.
    func newID(peer: Int64) -> MessageID {
        // Other peers get other streams and counts, so that two of them cannot tell by the names that they talk with one
        // person, and none how much is said to others.
        own.withLock { own in
            if own[peer] == nil {
                var writer = RecordWriter()
                writer.append(text: "stream")
                writer.append(seed)
                writer.append(peer)
                let hash = cipher.lookup(writer.bytes)
                own[peer] = MessageID(stream: hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, number: 0)
            }
            let next = MessageID(stream: own[peer]?.stream ?? 0, number: (own[peer]?.number ?? 0) &+ 1)
            own[peer] = next
            return next
        }
    }

    /// What stands in the index for a name.
    func mark(_ id: MessageID, peer: Int64, direction: MessageDirection) -> Mark {
        let stream = Stream(peer: peer, direction: direction.rawValue, stream: id.stream)
        let hash = known.withLock { known in
            if let hash = known[stream] { return hash }
            var writer = RecordWriter()
            writer.append(text: "mark")
            writer.append(peer)
            writer.append(byte: direction.rawValue)
            writer.append(id.stream)
            let bytes = cipher.lookup(writer.bytes)
            let hash = (
                bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
            )
            if known.count >= Self.memory { known.removeAll(keepingCapacity: true) }
            known[stream] = hash
            return hash
        }
        return Mark(stream: Int64(bitPattern: hash.0), number: Int64(bitPattern: hash.1)).advanced(by: id.number)
    }
}

/// The marks of messages, for one who looks at very many: the hashes of the latest streams are at hand without a lock.
final class MarkMemory {
    private let streams: MessageStreams
    private var recent: [(peer: Int64, direction: MessageDirection, stream: UInt64, zero: MessageStreams.Mark)] = []
    private var oldest = 0

    /// A conversation has two streams at a time, one each way.
    private static let size = 4

    init(_ streams: MessageStreams) {
        self.streams = streams
    }

    /// See ``MessageStreams/mark(_:peer:direction:)``.
    func mark(_ id: MessageID, peer: Int64, direction: MessageDirection) -> MessageStreams.Mark {
        for entry in recent where entry.stream == id.stream && entry.peer == peer && entry.direction == direction {
            return entry.zero.advanced(by: id.number)
        }
        let zero = streams.mark(MessageID(stream: id.stream, number: 0), peer: peer, direction: direction)
        if recent.count < Self.size {
            recent.append((peer, direction, id.stream, zero))
        } else {
            recent[oldest] = (peer, direction, id.stream, zero)
            oldest = (oldest + 1) % Self.size
        }
        return zero.advanced(by: id.number)
    }
}
