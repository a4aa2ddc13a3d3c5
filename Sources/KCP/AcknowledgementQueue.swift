/// What has arrived and is to be acknowledged with the next datagram.
///
/// `una` in every header acknowledges what arrived in order. By number go the last segment to arrive, whose time the peer
/// may measure, and the segments ahead of a gap.
struct AcknowledgementQueue {
    /// The number and the time of a segment as it arrived.
    struct Acknowledgement: Equatable {
        var sequenceNumber: UInt32
        var timestamp: UInt32
    }

    /// An acknowledgement of a segment ahead of a gap, and how often it was sent.
    private struct Pending {
        var acknowledgement: Acknowledgement
        var copies: UInt8 = 0
    }

    private var pending: [Pending] = []
    /// The last to arrive, until it is acknowledged.
    private var last: Acknowledgement?
    /// The share of the segments of late that were known already.
    private var duplicateShare = 0.0
    /// The payload that has arrived and is not acknowledged.
    private(set) var byteCount = 0

    /// Whether nothing has arrived since the last acknowledgement.
    var isEmpty: Bool { last == nil }
    /// How many acknowledgements of segments ahead of a gap wait, or wait to be repeated.
    var count: Int { pending.count }

    /// Counts a segment's payload before it is known what becomes of its acknowledgement.
    mutating func count(bytes: Int) {
        byteCount += bytes
    }

    /// Counts a segment as new, or as known already.
    mutating func count(isDuplicate: Bool) {
        duplicateShare += ((isDuplicate ? 1 : 0) - duplicateShare) * KCPLimits.duplicateWeight
    }

    /// - Parameter isAhead: whether `una` does not cover it.
    mutating func append(_ arrival: Acknowledgement, isAhead: Bool) {
        last = arrival
        if isAhead, pending.count < KCPLimits.mostPendingAcknowledgements {
            pending.append(Pending(acknowledgement: arrival))
        }
    }

    /// How often a segment ahead of a gap is acknowledged: more often where acknowledgements seem to get lost.
    ///
    /// `una` repeats all others with every header, so only these can be lost for good; the peer then sends the segment
    /// again, which shows here as a duplicate.
    private var copies: UInt8 {
        duplicateShare < KCPLimits.fewDuplicates ? 1 : duplicateShare < KCPLimits.manyDuplicates ? 2 : 4
    }

    /// Writes what there is room for.
    ///
    /// As kcp-go: numbers that `una` covers are left out, but for the last to arrive. The others stay until they were sent as
    /// often as ``copies`` says, those repeated before the new ones, because kcp-go measures the time of the last in a
    /// datagram.
    ///
    /// - Returns: whether everything that has arrived is acknowledged now.
    mutating func write(to datagram: inout OutgoingDatagram) -> Bool {
        guard let last else { return false }
        var fresh = pending.count
        while fresh > 0, pending[fresh - 1].copies == 0 { fresh -= 1 }
        // Room for all that are new and for the last; what is over goes to repetitions, the latest of them.
        let room = max(0, (datagram.limit - datagram.size) / KCPHeader.size - 1)
        let end = fresh + min(pending.count - fresh, room)
        let firstRepeated = max(0, end - room)
        var kept = 0
        var lastWritten: Acknowledgement?
        for index in pending.indices {
            var entry = pending[index]
            if entry.acknowledgement.sequenceNumber.distance(after: datagram.stamp.unacknowledged) < 0 { continue }
            if index >= firstRepeated, index < end {
                datagram.append(entry.acknowledgement)
                lastWritten = entry.acknowledgement
                entry.copies &+= 1
            }
            if entry.copies < copies {
                pending[kept] = entry
                kept += 1
            }
        }
        let isComplete = end == pending.count
        if kept == 0, pending.capacity > 256 {
            pending = []
        } else {
            pending.removeLast(pending.count - kept)
        }
        guard isComplete, lastWritten == last || datagram.hasRoom(for: KCPHeader.size) else { return false }
        if lastWritten != last { datagram.append(last) }
        self.last = nil
        byteCount = 0
        return true
    }
}
