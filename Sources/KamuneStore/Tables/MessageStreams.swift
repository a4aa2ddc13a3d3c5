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
    private let next = Mutex<Int64?>(nil)
    private let known = Mutex<[Stream: (UInt64, UInt64)]>([:])

    private struct Stream: Hashable {
        var peer: Int64
        var direction: UInt8
        var stream: UInt64
    }

    /// How many hashes are remembered before all are forgotten.
    private static let memory = 256

    init(cipher: RecordCipher) {
        self.cipher = cipher
        seed = cipher.randomInteger()
    }

    /// The row for the next message. Only within a write: there is one at a time. Gaps do no harm.
    func nextRow(in transaction: WriteTransaction) throws -> Int64 {
        let row = try next.withLock { $0 } ?? transaction.tables.messages.nextRow(in: transaction)
        guard row < Int64.max else { throw cipher.damaged }
        next.withLock { $0 = row + 1 }
        return row
    }

    /// The turn for a message that was stored already: its number is one that no message was stored under, or will be.
    func nextTurn(in transaction: WriteTransaction) throws -> Int64 {
        let turn = try nextRow(in: transaction)
        // So that it is known after a restart too.
        try transaction.database.execute(
            sql: "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?",
            arguments: [turn, MessageRecord.table])
        return turn
    }

    /// Has the next row looked up anew, after others than ``nextRow(in:)`` made rows.
    func forgetNextRow() {
        next.withLock { $0 = nil }
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
