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
        lastHeard = KCPInstant(microseconds: now)
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
        if isFirst { roundTrip.peerMayAcknowledgeLate = peerMayBeClocked }
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
        if header.command == .acknowledge, let solicitation, solicitation.sequenceNumber == header.sequenceNumber,
            solicitation.timestamp == header.timestamp
        {
            progress.solicitedRoundTrip = now.saturatingDistance(from: solicitation.sentAt)
        }
        if header.unacknowledged.distance(after: sending.oldest) >= 0 {
            peerWindow = Int(header.window)
            largestPeerWindow = max(largestPeerWindow ?? 0, peerWindow)
            removeAcknowledged(before: header.unacknowledged, now: now, progress: &progress)
        }
        switch header.command {
        case .push: accept(header, payload: payload, now: now)
        case .windowProbe: isWindowReportDue = true
        case .acknowledge, .windowReport: break
        }
    }

    /// Whether the peer is one that acknowledges by its clock: kcp-go with its default windows.
    var peerMayBeClocked: Bool {
        (largestPeerWindow ?? 0) < KCPLimits.eagerAcknowledgements
    }

    // MARK: - Payload

    private mutating func accept(_ header: KCPHeader, payload: RawSpan, now: UInt64) {
        let isNext = header.sequenceNumber == receiving.next
        switch receiving.accept(payload, sequenceNumber: header.sequenceNumber) {
        case .refused:
            // Not acknowledged, so the peer keeps it; it should know how things stand, though.
            statistics.segmentsRefused &+= 1
            isWindowReportDue = true
            return
        case .duplicate:
            statistics.duplicatesReceived &+= 1
            duplicateShare += (1 - duplicateShare) * KCPLimits.duplicateWeight
        case .accepted:
            duplicateShare -= duplicateShare * KCPLimits.duplicateWeight
        }
        let arrival = Acknowledgement(sequenceNumber: header.sequenceNumber, timestamp: header.timestamp)
        noteAcknowledgementDue(for: payload, isNext: isNext, now: now)
        lastArrival = arrival
        if header.sequenceNumber.distance(after: receiving.next) >= 0,
            pendingAcknowledgements.count < KCPLimits.mostPendingAcknowledgements
        {
            pendingAcknowledgements.append(PendingAcknowledgement(acknowledgement: arrival))
        }
    }

    /// A lone message is acknowledged a moment later, so that an answer can carry the acknowledgement. Not towards a peer
    /// whose next step may wait for it: at the beginning, one with a small window, one that seems to have lost something.
    private mutating func noteAcknowledgementDue(for payload: RawSpan, isNext: Bool, now: UInt64) {
        bytesToAcknowledge += payload.byteCount
        if isNext, isProofAwaited {
            acknowledgementDueAt = now &+ KCPLimits.proofDelay
            return
        }
        guard isNext, !turbo, !peerMayBeClocked, receiving.aheadCount == 0, bytesToAcknowledge < 2 * segmentSize,
            receiving.next.distance(after: firstReceived) > KCPLimits.promptlyAcknowledged
        else {
            acknowledgementDueAt = nil
            return
        }
        if lastArrival == nil { acknowledgementDueAt = now &+ KCPLimits.acknowledgementDelay }
    }

    /// Whether our answer is to prove the peer's address, and the peer has a clock by which it acknowledges.
    ///
    /// It acknowledges at once what comes together with an acknowledgement that is new to it. But it sends a second segment
    /// only when the first was acknowledged.
    private var isProofAwaited: Bool {
        configuration.amplificationLimit != nil && !isPeerReachable && peerMayBeClocked && sending.sentCount == 0
            && receiving.aheadCount == 0 && receiving.next.distance(after: firstReceived) > 1
    }

    /// How often a segment ahead of a gap is acknowledged: more often where acknowledgements seem to get lost.
    ///
    /// `una` repeats all others with every header, so only these can be lost for good; the peer then sends the segment
    /// again, which shows here as a duplicate.
    var acknowledgementCopies: UInt8 {
        duplicateShare < KCPLimits.fewDuplicates ? 1 : duplicateShare < KCPLimits.manyDuplicates ? 2 : 4
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
        if segment.transmissions == 1, segment.datagramNumber < newestArrival.datagramNumber,
            segment.state == .inFlight
        {
            hasSeenReordering = true
        }
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
        if segment.state == .inFlight { bytesInFlight -= segment.wireSize }
        delivery.acknowledged(segment, now: now, sample: &progress.delivery)
        guard isCertain else { return }
        progress.newestSentAt = max(progress.newestSentAt, segment.sentAt)
        if segment.datagramNumber > newestArrival.datagramNumber {
            newestArrival = (segment.datagramNumber, segment.sentAt, now.saturatingDistance(from: segment.sentAt))
        }
    }

    private mutating func conclude(_ progress: AcknowledgementProgress, now: UInt64) {
        roundTrip.peerMayAcknowledgeLate = roundTrip.peerMayAcknowledgeLate && peerMayBeClocked
        guard progress.acknowledged > 0 else {
            // The peer is there again: do not sit out the rest of a long wait.
            if timeoutsInARow > 1, sending.sentCount > 0 { timeoutsInARow = 1 }
            return
        }
        outstandingSince = now
        timeoutsInARow = 0
        probesDue = 0
        repetitionAt = nil
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
            reorderingSteps = min(reorderingSteps + 1, 8)
            hasSeenReordering = true
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
        if sending.sentCount == 0 {
            transmissions = transmissions.count > 0 ? RingQueue() : transmissions
            lostSegments = lostSegments.count > 0 ? RingQueue() : lostSegments
            transmissions.releaseIfIdle()
            lostSegments.releaseIfIdle()
        }
    }
}
