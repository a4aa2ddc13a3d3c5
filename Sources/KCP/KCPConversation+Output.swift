extension KCPConversation {
    /// When to ask for datagrams again if nothing else happens before; `nil` if there is nothing to wait for.
    ///
    /// Meaningful after `nextDatagram` has said that there is none.
    public var nextDeadline: KCPInstant? {
        guard state == .alive else { return nil }
        if isAmplificationBlocked {
            return KCPInstant(microseconds: silenceDeadline)
        }
        var deadline = timeoutDeadline
        func include(_ other: UInt64?) {
            guard let other else { return }
            deadline = min(deadline ?? other, other)
        }
        include(reorderingDeadline)
        include(repetitionAt)
        include(windowProbeAt)
        include(windowPollAt)
        if lastArrival != nil { include(acknowledgementDueAt) }
        if sending.sentCount > 0 || windowProbeAt != nil { include(silenceDeadline) }
        if canSendPayload, congestion.pacingRate != nil, !pacer.isReady(now: clock) { include(pacer.wakeUpAt) }
        return deadline.map { KCPInstant(microseconds: max($0, clock)) }
    }

    /// Makes the next datagram to send now, or `nil` if there is none.
    public mutating func nextDatagram(now: KCPInstant) -> [UInt8]? {
        var size = 0
        let datagram = [UInt8](unsafeUninitializedCapacity: configuration.maximumDatagramSize) { buffer, count in
            size = nextDatagram(into: UnsafeMutableRawBufferPointer(buffer), now: now)
            count = size
        }
        return size > 0 ? datagram : nil
    }

    /// Writes the next datagram to send now to `buffer`.
    ///
    /// - Parameters:
    ///   - buffer: at least ``KCPConfiguration/maximumDatagramSize`` bytes.
    ///   - now: the time.
    /// - Returns: the datagram's size; 0 if there is none, or if the buffer is too small for a datagram.
    public mutating func nextDatagram(into buffer: UnsafeMutableRawBufferPointer, now: KCPInstant) -> Int {
        let now = advanceClock(now)
        guard state == .alive, buffer.count >= configuration.maximumDatagramSize else { return 0 }
        runTimers(now: now)
        guard state == .alive, hasOutput(now: now) else { return 0 }
        var datagram = OutgoingDatagram(buffer: buffer, limit: configuration.maximumDatagramSize)
        if let allowance = amplificationAllowance { datagram.limit = min(datagram.limit, allowance) }
        writeAcknowledgements(&datagram)
        writeWindowCommands(&datagram)
        writePayload(&datagram, now: now)
        writeSolicitation(&datagram)
        fillOpening(&datagram)
        // What does not fit an allowance has to wait for more to come in, not for the clock.
        if datagram.limit < configuration.maximumDatagramSize { probesDue = 0 }
        guard datagram.size > 0 else { return 0 }
        nextDatagramNumber &+= 1
        statistics.datagramsSent &+= 1
        statistics.bytesSent &+= UInt64(datagram.size)
        return datagram.size
    }

    /// The bytes that may still go out to a peer that is not known to be reachable; `nil` without such a limit.
    private var amplificationAllowance: Int? {
        guard let limit = configuration.amplificationLimit, !isPeerReachable else { return nil }
        let allowed = statistics.bytesReceived &* UInt64(limit)
        return Int(clamping: allowed.saturatingDistance(from: statistics.bytesSent))
    }

    /// Whether nothing of what is queued may go out before the peer sends more.
    private var isAmplificationBlocked: Bool {
        guard let allowance = amplificationAllowance else { return false }
        let needed =
            sending.sentCount > 0
            ? sending[sending.oldest].wireSize
            : sending.unsentCount > 0 ? sending[sending.next].wireSize : KCPHeader.size
        return allowance < needed
    }

    /// A datagram under construction.
    struct OutgoingDatagram {
        let buffer: UnsafeMutableRawBufferPointer
        var limit: Int
        var size = 0

        func hasRoom(for count: Int) -> Bool { size + count <= limit }

        mutating func append(_ header: KCPHeader) {
            header.write(to: buffer, at: size)
            size += KCPHeader.size
        }

        mutating func append(_ payload: [UInt8]) {
            payload.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: buffer[size...]).copyMemory(from: source)
            }
            size += payload.count
        }
    }

    private func hasOutput(now: UInt64) -> Bool {
        lastArrival != nil && acknowledgementDueAt ?? now <= now || isWindowReportDue || isWindowProbeDue
            || probesDue > 0 || solicitationsDue > 0 || canSolicit
            || canSendPayload && (congestion.pacingRate == nil || pacer.isReady(now: now))
    }

    // MARK: - Acknowledgements and windows

    /// As kcp-go: numbers that `una` covers are left out, but for the last to arrive, whose time the peer may measure.
    ///
    /// The others stay until they were sent as often as ``acknowledgementCopies`` says, those repeated before the new
    /// ones, because kcp-go measures the time of the last in a datagram.
    private mutating func writeAcknowledgements(_ datagram: inout OutgoingDatagram) {
        guard let last = lastArrival else { return }
        var fresh = pendingAcknowledgements.count
        while fresh > 0, pendingAcknowledgements[fresh - 1].copies == 0 { fresh -= 1 }
        // Room for all that are new and for the last; what is over goes to repetitions, the latest of them.
        let room = max(0, (datagram.limit - datagram.size) / KCPHeader.size - 1)
        let unsent = pendingAcknowledgements.count - fresh
        let end = fresh + min(unsent, room)
        var kept = 0
        var lastWritten: Acknowledgement?
        let firstRepeated = max(0, end - room)
        for index in pendingAcknowledgements.indices {
            var pending = pendingAcknowledgements[index]
            if pending.acknowledgement.sequenceNumber.distance(after: receiving.next) < 0 { continue }
            if index >= firstRepeated, index < end {
                write(pending.acknowledgement, to: &datagram)
                lastWritten = pending.acknowledgement
                pending.copies &+= 1
            }
            if pending.copies < acknowledgementCopies {
                pendingAcknowledgements[kept] = pending
                kept += 1
            }
        }
        let isComplete = end == pendingAcknowledgements.count
        if kept == 0, pendingAcknowledgements.capacity > 256 {
            pendingAcknowledgements = []
        } else {
            pendingAcknowledgements.removeLast(pendingAcknowledgements.count - kept)
        }
        guard isComplete, lastWritten == last || datagram.hasRoom(for: KCPHeader.size) else { return }
        if lastWritten != last { write(last, to: &datagram) }
        lastArrival = nil
        acknowledgementDueAt = nil
        bytesToAcknowledge = 0
    }

    private mutating func write(_ acknowledgement: Acknowledgement, to datagram: inout OutgoingDatagram) {
        datagram.append(
            header(
                .acknowledge,
                timestamp: acknowledgement.timestamp,
                sequenceNumber: acknowledgement.sequenceNumber
            )
        )
    }

    private mutating func writeWindowCommands(_ datagram: inout OutgoingDatagram) {
        if isWindowProbeDue, datagram.hasRoom(for: KCPHeader.size) {
            isWindowProbeDue = false
            datagram.append(header(.windowProbe, timestamp: wireTimestamp, sequenceNumber: 0))
        }
        if isWindowReportDue, datagram.hasRoom(for: KCPHeader.size) {
            isWindowReportDue = false
            datagram.append(header(.windowReport, timestamp: wireTimestamp, sequenceNumber: 0))
        }
    }

    /// A header with the window and `una` of now.
    mutating func header(
        _ command: KCPCommand,
        timestamp: UInt32,
        sequenceNumber: UInt32,
        payloadSize: Int32 = 0
    ) -> KCPHeader {
        advertisedWindow = receiving.freeWindow
        return KCPHeader(
            conversationID: conversationID,
            command: command,
            window: UInt16(clamping: advertisedWindow),
            timestamp: timestamp,
            sequenceNumber: sequenceNumber,
            unacknowledged: receiving.next,
            payloadSize: UInt32(payloadSize)
        )
    }

    // MARK: - Payload

    var windowLimit: Int { min(peerWindow, configuration.sendWindow) }

    /// Whether a segment could go out if the pacer lets it.
    var canSendPayload: Bool {
        guard bytesInFlight + KCPHeader.size < congestion.window else { return false }
        return !lostSegments.isEmpty || sending.unsentCount > 0 && sending.sentCount < windowLimit
    }

    private mutating func writePayload(_ datagram: inout OutgoingDatagram, now: UInt64) {
        while probesDue > 0 {
            guard let number = probe else {
                probesDue = 0
                break
            }
            guard datagram.hasRoom(for: sending[number].wireSize) else { return }
            probesDue -= 1
            transmit(number, in: &datagram, now: now)
        }
        let rate = congestion.pacingRate
        if rate != nil, !pacer.isReady(now: now) { return }
        var sent = 0
        defer { if let rate, sent > 0 { pacer.sent(bytes: sent, rate: rate, now: now) } }
        while let number = lostSegments.first {
            guard sending.isOutstanding(number) else {
                lostSegments.popFirst()
                continue
            }
            guard sending[number].state == .lost else {
                dropFirstLost(number)
                continue
            }
            let size = sending[number].wireSize
            guard bytesInFlight + size <= congestion.window, datagram.hasRoom(for: size) else { return }
            dropFirstLost(number)
            transmit(number, in: &datagram, now: now)
            sent += size
        }
        while sending.unsentCount > 0, sending.sentCount < windowLimit {
            let size = sending[sending.next].wireSize
            guard bytesInFlight + size <= congestion.window, datagram.hasRoom(for: size) else { return }
            transmit(sending.next, in: &datagram, now: now)
            sent += size
        }
        if bytesInFlight < congestion.window { delivery.becameApplicationLimited(bytesInFlight: bytesInFlight) }
        if turbo, sent > 0, sending.sentCount <= 4 {
            repetitionAt = now &+ max(roundTrip.smoothed / 4, KCPLimits.timerGranularity)
        }
    }

    private mutating func dropFirstLost(_ number: UInt32) {
        sending[number].isQueuedAgain = false
        lostSegments.popFirst()
    }

    /// What to send when nothing comes back: first what the peer needs to go on, then what waits the longest.
    ///
    /// The first may be known as lost and wait behind segments that fill the window but that the peer had to refuse.
    private var probe: UInt32? {
        let oldest = sending.oldest
        if probesDue > 1, sending.sentCount > 0, sending[oldest].datagramNumber != nextDatagramNumber { return oldest }
        return oldestInFlight
    }

    /// The segment in flight whose last transmission is the oldest.
    private var oldestInFlight: UInt32? {
        var offset = 0
        while let transmission = transmissions[offset] {
            let number = transmission.sequenceNumber
            if sending.isOutstanding(number), sending[number].state == .inFlight,
                sending[number].datagramNumber == transmission.datagramNumber,
                transmission.datagramNumber != nextDatagramNumber
            {
                return number
            }
            offset += 1
        }
        return nil
    }

    private mutating func transmit(_ number: UInt32, in datagram: inout OutgoingDatagram, now: UInt64) {
        let isNew = number == sending.next
        if sending.sentCount == 0 { outstandingSince = now }
        if isNew {
            sending[number].firstTimestamp = wireTimestamp
            sending.advanceNext()
            statistics.segmentsSent &+= 1
        } else {
            statistics.segmentsRepeated &+= 1
        }
        delivery.willSend(&sending[number], nothingInFlight: bytesInFlight == 0, now: now)
        if sending[number].state != .inFlight { bytesInFlight += sending[number].wireSize }
        sending[number].state = .inFlight
        sending[number].transmissions &+= 1
        sending[number].sentAt = now
        sending[number].timestamp = wireTimestamp
        sending[number].datagramNumber = nextDatagramNumber
        transmissions.append(Transmission(sequenceNumber: number, datagramNumber: nextDatagramNumber))
        datagram.append(
            header(
                .push,
                timestamp: wireTimestamp,
                sequenceNumber: number,
                payloadSize: sending[number].payloadSize
            )
        )
        datagram.append(sending[number].payload)
    }

    /// Fills up a datagram that may open the conversation; see ``KCPLimits/openingSize``.
    ///
    /// With headers of the first segment, without its payload: to the peer they are repetitions.
    private mutating func fillOpening(_ datagram: inout OutgoingDatagram) {
        guard statistics.datagramsReceived == 0, sending.sentCount > 0, sending.oldest == firstSent,
            sending[firstSent].datagramNumber == nextDatagramNumber
        else { return }
        while datagram.size < KCPLimits.openingSize, datagram.hasRoom(for: KCPHeader.size) {
            datagram.append(header(.push, timestamp: wireTimestamp, sequenceNumber: firstSent))
        }
    }
}
