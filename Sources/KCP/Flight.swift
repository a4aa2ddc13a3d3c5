/// What was sent and may still arrive, which of it is lost, and the latest that is known to have arrived.
///
/// The segments themselves lie in the ``SendQueue``; this knows the order in which they were last sent.
struct Flight {
    /// A segment within a datagram.
    private struct Transmission {
        var sequenceNumber: UInt32
        var datagramNumber: UInt64
    }

    /// What was found lost.
    struct Losses {
        var count = 0
        var bytes = 0
        var newestSentAt: UInt64 = 0
    }

    /// The bytes of the segments that are in flight, headers included.
    private(set) var byteCount = 0
    /// The number of the datagram that is made next.
    private(set) var nextDatagramNumber: UInt64 = 1
    /// One entry for each transmission, in order of time; outdated ones are dropped when they reach the front.
    private var transmissions = RingQueue<Transmission>()
    /// Segments found lost and not sent again yet, perhaps outdated.
    private var lost = RingQueue<UInt32>()
    /// The latest transmission known to have arrived.
    private var newestArrival: (datagramNumber: UInt64, roundTrip: UInt64) = (0, 0)
    private var hasSeenReordering = false
    /// How many quarters of the round trip a datagram may be late.
    private var reorderingSteps: UInt64 = 1

    /// Whether something may be lost and is not sent again yet.
    var hasLost: Bool { !lost.isEmpty }
    /// The segments found lost, outdated ones included.
    var lostCount: Int { lost.count }
    /// The entries for which there is memory.
    var capacity: Int { max(transmissions.capacity, lost.capacity) }

    // MARK: - Sending

    /// Notes that a segment goes out with the datagram under construction.
    mutating func send(_ number: UInt32, in queue: inout SendQueue, timestamp: UInt32, now: UInt64) {
        if queue[number].state != .inFlight { byteCount += queue[number].wireSize }
        queue[number].state = .inFlight
        queue[number].transmissions &+= 1
        queue[number].sentAt = now
        queue[number].timestamp = timestamp
        queue[number].datagramNumber = nextDatagramNumber
        transmissions.append(Transmission(sequenceNumber: number, datagramNumber: nextDatagramNumber))
    }

    /// The datagram is complete.
    mutating func finishDatagram() {
        nextDatagramNumber &+= 1
    }

    /// The first segment to be sent again because it was found lost.
    mutating func firstLost(in queue: inout SendQueue) -> UInt32? {
        while let number = lost.first {
            if queue.isOutstanding(number) {
                if queue[number].state == .lost { return number }
                queue[number].isQueuedAgain = false
            }
            lost.popFirst()
        }
        return nil
    }

    /// Takes out what ``firstLost(in:)`` has shown.
    mutating func removeFirstLost(in queue: inout SendQueue) {
        guard let number = lost.popFirst() else { return }
        queue[number].isQueuedAgain = false
    }

    /// The segment in flight whose last transmission is the oldest, those in the datagram under construction left out.
    func oldest(in queue: SendQueue) -> UInt32? {
        var offset = 0
        while let transmission = transmissions[offset] {
            if isCurrent(transmission, in: queue), transmission.datagramNumber != nextDatagramNumber {
                return transmission.sequenceNumber
            }
            offset += 1
        }
        return nil
    }

    // MARK: - Arrivals

    /// Notes that a segment has newly arrived.
    ///
    /// - Parameter isCertain: whether its last transmission is the one that did.
    mutating func arrived(_ segment: OutgoingSegment, isCertain: Bool, now: UInt64) {
        if segment.state == .inFlight { byteCount -= segment.wireSize }
        if isCertain, segment.datagramNumber > newestArrival.datagramNumber {
            newestArrival = (segment.datagramNumber, now.saturatingDistance(from: segment.sentAt))
        }
    }

    /// Notes that the path reorders if a segment, sent once, arrives after one that was sent later.
    mutating func checkOrder(of segment: OutgoingSegment) {
        if segment.transmissions == 1, segment.datagramNumber < newestArrival.datagramNumber,
            segment.state == .inFlight
        {
            hasSeenReordering = true
        }
    }

    /// What counted as lost has arrived after all: the next one may be later.
    mutating func lossWasSpurious() {
        reorderingSteps = min(reorderingSteps + 1, 8)
        hasSeenReordering = true
    }

    // MARK: - Losses

    /// Marks as lost what was sent well before something that has arrived (after RACK-TLP, RFC 8985).
    ///
    /// - Parameters:
    ///   - threshold: how many later datagrams show a loss while no reordering was seen.
    ///   - roundTrip: from which follows how late a datagram may be.
    /// - Returns: what is lost, and when to look again.
    mutating func detectLosses(
        in queue: inout SendQueue, threshold: UInt64, roundTrip: RoundTripEstimator, now: UInt64
    ) -> (losses: Losses, deadline: UInt64?) {
        var losses = Losses()
        while let transmission = transmissions.first {
            guard isCurrent(transmission, in: queue) else {
                transmissions.popFirst()
                continue
            }
            guard transmission.datagramNumber < newestArrival.datagramNumber else { break }
            let number = transmission.sequenceNumber
            let overtaken =
                !hasSeenReordering && newestArrival.datagramNumber - transmission.datagramNumber >= threshold
            let deadline =
                queue[number].sentAt &+ newestArrival.roundTrip &+ roundTrip.reorderingWindow(steps: reorderingSteps)
            guard overtaken || now >= deadline else { return (losses, deadline) }
            transmissions.popFirst()
            queue[number].state = .lost
            queue[number].wasDeclaredLost = true
            if !queue[number].isQueuedAgain {
                queue[number].isQueuedAgain = true
                lost.append(number)
            }
            byteCount -= queue[number].wireSize
            losses.count += 1
            losses.bytes += queue[number].wireSize
            losses.newestSentAt = max(losses.newestSentAt, queue[number].sentAt)
        }
        return (losses, nil)
    }

    /// Whether the entry is the last transmission of a segment that is still in flight.
    private func isCurrent(_ transmission: Transmission, in queue: SendQueue) -> Bool {
        guard queue.isOutstanding(transmission.sequenceNumber) else { return false }
        let segment = queue[transmission.sequenceNumber]
        return segment.state == .inFlight && segment.datagramNumber == transmission.datagramNumber
    }

    mutating func dropOutdated(in queue: SendQueue) {
        while let transmission = transmissions.first, !isCurrent(transmission, in: queue) { transmissions.popFirst() }
    }

    /// Gives the memory back: everything that was sent has arrived.
    mutating func rest() {
        if !transmissions.isEmpty { transmissions = RingQueue() }
        if !lost.isEmpty { lost = RingQueue() }
        transmissions.releaseIfIdle()
        lost.releaseIfIdle()
    }
}

extension RoundTripEstimator {
    /// How much a datagram may be late without being lost.
    fileprivate func reorderingWindow(steps: UInt64) -> UInt64 {
        guard hasSample else { return KCPLimits.initialTimeout / 4 }
        return max(min(minimum / 4 * steps, smoothed), 1000)
    }
}
