/// Finding losses, by what arrived later (after RACK-TLP, RFC 8985) and by time.
extension KCPConversation {
    /// Marks as lost what was sent well before something that has arrived, and sets the time to look again.
    mutating func detectLosses(now: UInt64) -> (bytes: Int, newestSentAt: UInt64) {
        var bytes = 0
        var newest: UInt64 = 0
        reorderingDeadline = nil
        while let transmission = transmissions.first {
            guard isCurrent(transmission) else {
                transmissions.popFirst()
                continue
            }
            guard transmission.datagramNumber < newestArrival.datagramNumber else { break }
            let segment = sending[transmission.sequenceNumber]
            let overtaken =
                !hasSeenReordering
                && newestArrival.datagramNumber - transmission.datagramNumber >= overtakingLimit
            let deadline = segment.sentAt &+ newestArrival.roundTrip &+ reorderingWindow
            guard overtaken || now >= deadline else {
                reorderingDeadline = deadline
                break
            }
            transmissions.popFirst()
            sending[transmission.sequenceNumber].state = .lost
            sending[transmission.sequenceNumber].wasDeclaredLost = true
            if !segment.isQueuedAgain {
                sending[transmission.sequenceNumber].isQueuedAgain = true
                lostSegments.append(transmission.sequenceNumber)
            }
            bytesInFlight -= segment.wireSize
            bytes += segment.wireSize
            newest = max(newest, segment.sentAt)
            statistics.segmentsLost &+= 1
        }
        return (bytes, newest)
    }

    /// Whether the entry is the last transmission of a segment that is still in flight.
    private func isCurrent(_ transmission: Transmission) -> Bool {
        guard sending.isOutstanding(transmission.sequenceNumber) else { return false }
        let segment = sending[transmission.sequenceNumber]
        return segment.state == .inFlight && segment.datagramNumber == transmission.datagramNumber
    }

    private var overtakingLimit: UInt64 { turbo ? 1 : KCPLimits.reorderingThreshold }

    /// How much a datagram may be late without being lost.
    private var reorderingWindow: UInt64 {
        guard roundTrip.hasSample else { return KCPLimits.initialTimeout / 4 }
        return max(min(roundTrip.minimum / 4 * reorderingSteps, roundTrip.smoothed), 1000)
    }

    /// When the oldest transmission in flight has waited long enough for an answer.
    var timeoutDeadline: UInt64? {
        var copy = 0
        while let transmission = transmissions[copy] {
            if isCurrent(transmission) {
                let started = max(sending[transmission.sequenceNumber].sentAt, lastTimeoutAt)
                let wait = roundTrip.timeout(turbo: turbo)
                // Twice without backing off: a lone message that is lost twice should not have to wait long.
                let shift = UInt64(max(0, min(timeoutsInARow - 1, 16)))
                return started &+ min(wait << shift, max(KCPLimits.longestTimeout, wait))
            }
            copy += 1
        }
        return nil
    }

    /// Acts on every deadline that has passed.
    mutating func runTimers(now: UInt64) {
        dropOutdatedTransmissions()
        if let deadline = reorderingDeadline, deadline <= now {
            let losses = detectLosses(now: now)
            if losses.bytes > 0 { reportLoss(losses, now: now) }
        }
        if probesDue == 0, let deadline = timeoutDeadline, deadline <= now { timeOut(now: now) }
        if let deadline = repetitionAt, deadline <= now {
            repetitionAt = nil
            if probesDue == 0, sending.sentCount > 0 { probesDue = 1 }
        }
        checkWindowProbe(now: now)
        checkWindowPoll(now: now)
        if sending.sentCount > 0 || windowProbeAt != nil, now >= silenceDeadline {
            die(.deadBySilence)
        }
    }

    /// When the peer has been silent for too long.
    var silenceDeadline: UInt64 {
        let (deadline, overflow) = max(outstandingSince, lastHeard.microseconds)
            .addingReportingOverflow(silenceLimit)
        return overflow ? .max : deadline
    }

    private mutating func dropOutdatedTransmissions() {
        while let transmission = transmissions.first, !isCurrent(transmission) { transmissions.popFirst() }
    }

    private mutating func timeOut(now: UInt64) {
        statistics.timeouts &+= 1
        timeoutsInARow += 1
        lastTimeoutAt = now
        if sending.sentCount > 0, Int(sending[sending.oldest].transmissions) >= configuration.maximumTransmissions,
            now.saturatingDistance(from: max(outstandingSince, lastHeard.microseconds)) >= silenceLimit / 2
        {
            die(.deadByTransmissions)
            return
        }
        if timeoutsInARow == KCPLimits.persistentTimeouts {
            congestion.timedOut(inFlight: bytesInFlight, now: now)
        }
        probesDue = 2
        // A probe for a lone message may be lost as well: send another one soon rather than after as long again.
        if sending.sentCount <= 4 { repetitionAt = now &+ max(roundTrip.smoothed / 8, KCPLimits.timerGranularity) }
    }

    private mutating func reportLoss(_ losses: (bytes: Int, newestSentAt: UInt64), now: UInt64) {
        congestion.update(
            CongestionSample(
                now: now,
                acknowledged: 0,
                lost: losses.bytes,
                previouslyInFlight: bytesInFlight + losses.bytes,
                inFlight: bytesInFlight,
                newestAcknowledgedSentAt: 0,
                newestLostSentAt: losses.newestSentAt,
                roundTrip: nil,
                smoothedRoundTrip: roundTrip.smoothed,
                minimumRoundTrip: roundTrip.hasSample ? roundTrip.minimum : 0,
                minimumRoundTripAt: roundTrip.minimumAt,
                acknowledgementDelay: roundTrip.acknowledgementDelay,
                rate: nil,
                isApplicationLimited: false,
                beginsRound: false
            )
        )
    }

    /// With the peer's window closed and nothing under way, only asking brings news of its opening.
    private mutating func checkWindowProbe(now: UInt64) {
        guard sending.unsentCount > 0, sending.sentCount == 0, peerWindow == 0 else {
            windowProbeAt = nil
            windowProbeWait = 0
            return
        }
        guard let deadline = windowProbeAt else {
            windowProbeWait = KCPLimits.firstWindowProbe
            windowProbeAt = now &+ windowProbeWait
            outstandingSince = now
            return
        }
        guard deadline <= now else { return }
        isWindowProbeDue = true
        windowProbeWait = min(windowProbeWait + windowProbeWait / 2, KCPLimits.longestWindowProbe)
        windowProbeAt = now &+ windowProbeWait
    }

    private mutating func die(_ reason: State) {
        state = reason
        probesDue = 0
        repetitionAt = nil
        reorderingDeadline = nil
        windowProbeAt = nil
        windowPollAt = nil
        solicitationsDue = 0
    }
}
