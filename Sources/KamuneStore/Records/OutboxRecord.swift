/// How far a peer's messages of ours were handed over to sessions (PROTOCOL 10.5): the turns of the last ones, 0 for none.
///
/// ```
/// layout u8 = 1 | handed over i64 | handed over plainly i64 | zeros up to the size class
/// ```
struct OutboxRecord: Equatable, Sendable {
    let peer: Int64
    /// To any session with the peer.
    var handedOver: Int64 = 0
    /// To one with a peer that does not acknowledge: what is pending up to there may have arrived.
    var handedOverPlainly: Int64 = 0

    private static let layout: UInt8 = 1

    init(peer: Int64) {
        self.peer = peer
    }

    init(peer: Int64, decoding bytes: [UInt8]) throws(RecordReader.Malformed) {
        self.peer = peer
        var reader = RecordReader(bytes)
        guard try reader.byte() == Self.layout else { throw RecordReader.Malformed() }
        handedOver = try reader.integer()
        handedOverPlainly = try reader.integer()
    }

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layout)
        writer.append(handedOver)
        writer.append(handedOverPlainly)
        writer.pad()
        return writer.bytes
    }
}
