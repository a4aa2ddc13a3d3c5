extension KCPConversation {
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
        let stamp = OutgoingDatagram.Stamp(
            conversationID: conversationID, window: receiving.freeWindow, unacknowledged: receiving.next,
            timestamp: wireTimestamp)
        let limit = min(configuration.maximumDatagramSize, amplificationAllowance ?? .max)
        var datagram = OutgoingDatagram(buffer: buffer, stamp: stamp, limit: limit)
        if acknowledgements.write(to: &datagram) { deadlines[.acknowledgement] = nil }
        writeWindowCommands(&datagram)
        writePayload(&datagram, now: now)
        if canSolicit { solicitation.ask(upTo: sending.next, underWay: sending.sentCount) }
        solicitation.write(to: &datagram, known: sending.oldest &- 1, now: clock)
        fillOpening(&datagram)
        // What does not fit an allowance has to wait for more to come in, not for the clock.
        if limit < configuration.maximumDatagramSize { timeouts.probesDue = 0 }
        guard datagram.size > 0 else { return 0 }
        windowReport.told(stamp.window)
        flight.finishDatagram()
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
    var isAmplificationBlocked: Bool {
        guard let allowance = amplificationAllowance else { return false }
        let needed =
            sending.sentCount > 0
            ? sending[sending.oldest].wireSize
            : sending.unsentCount > 0 ? sending[sending.next].wireSize : KCPHeader.size
        return allowance < needed
    }

    private func hasOutput(now: UInt64) -> Bool {
        !acknowledgements.isEmpty && deadlines[.acknowledgement] ?? now <= now || windowReport.isDue
            || peerWindow.isProbeDue || timeouts.probesDue > 0 || solicitation.headersDue > 0 || canSolicit
            || canSendPayload && (congestion.pacingRate == nil || pacer.isReady(now: now))
    }

    private mutating func writeWindowCommands(_ datagram: inout OutgoingDatagram) {
        if peerWindow.isProbeDue, datagram.hasRoom(for: KCPHeader.size) {
            peerWindow.isProbeDue = false
            datagram.append(.windowProbe, sequenceNumber: 0)
        }
        if windowReport.isDue, datagram.hasRoom(for: KCPHeader.size) {
            windowReport.isDue = false
            datagram.append(.windowReport, sequenceNumber: 0)
        }
    }

    // MARK: - Payload

    var windowLimit: Int { min(peerWindow.size, configuration.sendWindow) }

    /// Whether a segment could go out if the pacer lets it.
    var canSendPayload: Bool {
        guard bytesInFlight + KCPHeader.size < congestion.window else { return false }
        return flight.hasLost || sending.unsentCount > 0 && sending.sentCount < windowLimit
    }

    private mutating func writePayload(_ datagram: inout OutgoingDatagram, now: UInt64) {
        while timeouts.probesDue > 0 {
            guard let number = probe else {
                timeouts.probesDue = 0
                break
            }
            guard datagram.hasRoom(for: sending[number].wireSize) else { return }
            timeouts.probesDue -= 1
            transmit(number, in: &datagram, now: now)
        }
        let rate = congestion.pacingRate
        if rate != nil, !pacer.isReady(now: now) { return }
        var sent = 0
        defer { if let rate, sent > 0 { pacer.sent(bytes: sent, rate: rate, now: now) } }
        while let number = flight.firstLost(in: &sending) {
            let size = sending[number].wireSize
            guard bytesInFlight + size <= congestion.window, datagram.hasRoom(for: size) else { return }
            flight.removeFirstLost(in: &sending)
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
            deadlines[.repetition] = now &+ max(roundTrip.smoothed / 4, KCPLimits.timerGranularity)
        }
    }

    /// What to send when nothing comes back: first what the peer needs to go on, then what waits the longest.
    ///
    /// The first may be known as lost and wait behind segments that fill the window but that the peer had to refuse.
    private var probe: UInt32? {
        let oldest = sending.oldest
        if timeouts.probesDue > 1, sending.sentCount > 0,
            sending[oldest].datagramNumber != flight.nextDatagramNumber
        {
            return oldest
        }
        return flight.oldest(in: sending)
    }

    private mutating func transmit(_ number: UInt32, in datagram: inout OutgoingDatagram, now: UInt64) {
        if sending.sentCount == 0 { silence.outstandingSince = now }
        if number == sending.next {
            sending[number].firstTimestamp = datagram.stamp.timestamp
            sending.advanceNext()
            statistics.segmentsSent &+= 1
        } else {
            statistics.segmentsRepeated &+= 1
        }
        delivery.willSend(&sending[number], nothingInFlight: bytesInFlight == 0, now: now)
        flight.send(number, in: &sending, timestamp: datagram.stamp.timestamp, now: now)
        datagram.append(sending[number], number: number)
    }

    /// Fills up a datagram that may open the conversation; see ``KCPLimits/openingSize``.
    ///
    /// With headers of the first segment, without its payload: to the peer they are repetitions.
    private mutating func fillOpening(_ datagram: inout OutgoingDatagram) {
        guard statistics.datagramsReceived == 0, sending.sentCount > 0, sending.oldest == sending.first,
            sending[sending.first].datagramNumber == flight.nextDatagramNumber
        else { return }
        while datagram.size < KCPLimits.openingSize, datagram.hasRoom(for: KCPHeader.size) {
            datagram.append(.push, sequenceNumber: sending.first)
        }
    }
}
