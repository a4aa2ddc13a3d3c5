extension KCPConversation {
    /// Takes in a datagram: acknowledgements, payload, windows.
    ///
    /// The whole datagram is checked before any of it is applied. Segments that are repeated or outside of the window are
    /// no error.
    ///
    /// - Throws: ``KCPError``; the datagram is then as if it had not come.
    public mutating func receivedDatagram(_ datagram: RawSpan, now: KCPInstant) throws(KCPError) {
        try validate(datagram)
        let now = advanceClock(now)
        let isFirst = statistics.datagramsReceived == 0
        silence.lastHeard = now
        statistics.datagramsReceived &+= 1
        statistics.bytesReceived &+= UInt64(datagram.byteCount)

        var progress = AcknowledgementProgress()
        progress.previouslyInFlight = bytesInFlight
        var offset = 0
        while offset < datagram.byteCount {
            let header = try KCPHeader(reading: datagram, at: offset)
            let start = offset + KCPHeader.size
            offset = start + Int(header.payloadSize)
            apply(header, payload: datagram.extracting(start..<offset), now: now, progress: &progress)
        }
        if isFirst { roundTrip.peerMayAcknowledgeLate = peerWindow.mayBeClocked }
        conclude(progress, now: now)
    }

    /// Takes in a datagram; see ``receivedDatagram(_:now:)-(RawSpan,_)``.
    public mutating func receivedDatagram(_ datagram: [UInt8], now: KCPInstant) throws(KCPError) {
        try receivedDatagram(datagram.span.bytes, now: now)
    }

    private func validate(_ datagram: RawSpan) throws(KCPError) {
        guard datagram.byteCount <= configuration.maximumReceivedDatagramSize else {
            throw .datagramTooLarge(size: datagram.byteCount)
        }
        var offset = 0
        repeat {
            let header = try KCPHeader(reading: datagram, at: offset)
            guard header.conversationID == conversationID else { throw .conversationMismatch(header.conversationID) }
            guard header.unacknowledged.distance(after: sending.next) <= 0 else {
                throw .acknowledgesUnsent(sequenceNumber: header.unacknowledged)
            }
            offset += KCPHeader.size + Int(header.payloadSize)
        } while offset < datagram.byteCount
    }

    private mutating func apply(
        _ header: KCPHeader,
        payload: RawSpan,
        now: UInt64,
        progress: inout AcknowledgementProgress
    ) {
        // An acknowledged number first, and `una` after it, because `una` would take away the segment with its times.
        if header.command == .acknowledge, sending.isOutstanding(header.sequenceNumber) {
            acknowledge(header.sequenceNumber, echoed: header.timestamp, now: now, progress: &progress)
        }
        if header.command == .acknowledge,
            let measured = solicitation.roundTrip(
                sequenceNumber: header.sequenceNumber, timestamp: header.timestamp, now: now)
        {
            progress.solicitedRoundTrip = measured
        }
        if header.unacknowledged.distance(after: sending.oldest) >= 0 {
            peerWindow.told(Int(header.window))
            removeAcknowledged(before: header.unacknowledged, now: now, progress: &progress)
        }
        switch header.command {
        case .push: accept(header, payload: payload, now: now)
        case .windowProbe: windowReport.isDue = true
        case .acknowledge, .windowReport: break
        }
    }

    // MARK: - Payload

    private mutating func accept(_ header: KCPHeader, payload: RawSpan, now: UInt64) {
        let isNext = header.sequenceNumber == receiving.next
        switch receiving.accept(payload, sequenceNumber: header.sequenceNumber) {
        case .refused:
            // Not acknowledged, so the peer keeps it; it should know how things stand, though.
            statistics.segmentsRefused &+= 1
            windowReport.isDue = true
            return
        case .duplicate:
            statistics.duplicatesReceived &+= 1
            acknowledgements.count(isDuplicate: true)
        case .accepted:
            acknowledgements.count(isDuplicate: false)
        }
        acknowledgements.count(bytes: payload.byteCount)
        setAcknowledgementDeadline(isNext: isNext, now: now)
        acknowledgements.append(
            AcknowledgementQueue.Acknowledgement(sequenceNumber: header.sequenceNumber, timestamp: header.timestamp),
            isAhead: header.sequenceNumber.distance(after: receiving.next) >= 0)
    }

    /// A lone message is acknowledged a moment later, so that an answer can carry the acknowledgement. Not towards a peer
    /// whose next step may wait for it: at the beginning, one with a small window, one that seems to have lost something.
    private mutating func setAcknowledgementDeadline(isNext: Bool, now: UInt64) {
        if isNext, isProofAwaited {
            deadlines[.acknowledgement] = now &+ KCPLimits.proofDelay
            return
        }
        guard isNext, !turbo, !peerWindow.mayBeClocked, receiving.aheadCount == 0,
            acknowledgements.byteCount < 2 * configuration.segmentSize,
            receiving.count > KCPLimits.promptlyAcknowledged
        else {
            deadlines[.acknowledgement] = nil
            return
        }
        if acknowledgements.isEmpty { deadlines[.acknowledgement] = now &+ KCPLimits.acknowledgementDelay }
    }

    /// Whether our answer is to prove the peer's address, and the peer has a clock by which it acknowledges.
    ///
    /// It acknowledges at once what comes together with an acknowledgement that is new to it. But it sends a second segment
    /// only when the first was acknowledged.
    private var isProofAwaited: Bool {
        configuration.amplificationLimit != nil && !isPeerReachable && peerWindow.mayBeClocked
            && sending.sentCount == 0 && receiving.aheadCount == 0 && receiving.count > 1
    }

    // MARK: - Acknowledgements

    /// What the acknowledgements of one datagram add up to.
    struct AcknowledgementProgress {
        var previouslyInFlight = 0
        var acknowledged = 0
        var delivery = DeliveryRate.Sample()
        /// The latest segment that was newly acknowledged by number and with the timestamp of its last transmission.
        var sampleSentAt: UInt64?
        /// The same for segments sent again before the acknowledgement of an earlier transmission came, by its echo.
        var echoedRoundTrip: UInt64?
        /// The same for what made a peer acknowledge that does so by its clock else.
        var solicitedRoundTrip: UInt64?
        var newestSentAt: UInt64 = 0
        var spurious = false
    }

    private mutating func acknowledge(
        _ sequenceNumber: UInt32,
        echoed timestamp: UInt32,
        now: UInt64,
        progress: inout AcknowledgementProgress
    ) {
        let segment = sending[sequenceNumber]
        let isLatest = segment.timestamp == timestamp
        if isLatest || segment.firstTimestamp == timestamp { isPeerReachable = true }
        guard segment.state != .acknowledged else { return }
        if isLatest {
            progress.sampleSentAt = max(progress.sampleSentAt ?? 0, segment.sentAt)
        } else if segment.transmissions > 1 {
            // An earlier transmission has arrived after all: the path reorders, or the peer acknowledges late.
            statistics.spuriousRepetitions &+= 1
            // Which one, its echoed time tells. On a path longer than the first timeout no other sample would ever come.
            let elapsed = wireTimestamp &- timestamp
            if elapsed <= wireTimestamp &- segment.firstTimestamp {
                progress.echoedRoundTrip = min(progress.echoedRoundTrip ?? .max, (UInt64(elapsed) + 1) * 1000)
            }
            if segment.wasDeclaredLost { progress.spurious = true }
        }
        flight.checkOrder(of: segment)
        count(segment, isCertain: isLatest || segment.transmissions == 1, now: now, progress: &progress)
        sending.markAcknowledged(sequenceNumber)
    }

    private mutating func removeAcknowledged(
        before limit: UInt32,
        now: UInt64,
        progress: inout AcknowledgementProgress
    ) {
        while limit.distance(after: sending.oldest) > 0 {
            let segment = sending[sending.oldest]
            if segment.state != .acknowledged {
                let isCertain =
                    segment.transmissions == 1
                    || now.saturatingDistance(from: segment.sentAt) >= roundTrip.minimum
                count(segment, isCertain: isCertain, now: now, progress: &progress)
                sending.markAcknowledged(sending.oldest)
            }
            sending.removeOldest()
        }
    }

    /// Counts a segment that has newly arrived. `isCertain` says that its last transmission is the one that did.
    private mutating func count(
        _ segment: OutgoingSegment,
        isCertain: Bool,
        now: UInt64,
        progress: inout AcknowledgementProgress
    ) {
        progress.acknowledged += segment.wireSize
        flight.arrived(segment, isCertain: isCertain, now: now)
        delivery.acknowledged(segment, now: now, sample: &progress.delivery)
        if isCertain { progress.newestSentAt = max(progress.newestSentAt, segment.sentAt) }
    }

    private mutating func conclude(_ progress: AcknowledgementProgress, now: UInt64) {
        roundTrip.peerMayAcknowledgeLate = roundTrip.peerMayAcknowledgeLate && peerWindow.mayBeClocked
        guard progress.acknowledged > 0 else {
            if sending.sentCount > 0 { timeouts.shorten() }
            return
        }
        silence.outstandingSince = now
        timeouts.end()
        deadlines[.repetition] = nil
        var sample: UInt64?
        if let sentAt = progress.sampleSentAt {
            let measured = now.saturatingDistance(from: sentAt)
            roundTrip.add(sample: measured, now: now)
            sample = measured
        } else if let indirect = progress.solicitedRoundTrip ?? progress.echoedRoundTrip {
            roundTrip.add(sample: indirect, now: now)
            sample = indirect
        }
        if progress.spurious {
            flight.lossWasSpurious()
            congestion.lossWasSpurious()
        }
        let rate = delivery.rate(of: progress.delivery, minimumInterval: roundTrip.hasSample ? roundTrip.minimum : 0)
        let beginsRound = delivery.beginsRound(progress.delivery)
        let losses = detectLosses(now: now)
        congestion.update(
            CongestionSample(
                now: now,
                acknowledged: progress.acknowledged,
                lost: losses.bytes,
                previouslyInFlight: progress.previouslyInFlight,
                inFlight: bytesInFlight,
                newestAcknowledgedSentAt: progress.newestSentAt,
                newestLostSentAt: losses.newestSentAt,
                roundTrip: sample,
                smoothedRoundTrip: roundTrip.smoothed,
                minimumRoundTrip: roundTrip.hasSample ? roundTrip.minimum : 0,
                minimumRoundTripAt: roundTrip.minimumAt,
                acknowledgementDelay: roundTrip.acknowledgementDelay,
                rate: rate,
                isApplicationLimited: progress.delivery.isApplicationLimited,
                beginsRound: beginsRound
            )
        )
        if sending.sentCount == 0 { flight.rest() }
    }
}
