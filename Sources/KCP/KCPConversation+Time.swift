/// What happens when a time has come: losses, by what arrived later and by time, closed windows, silence.
extension KCPConversation {
    // MARK: - Deadlines

    /// When to ask for datagrams again if nothing else happens before; `nil` if there is nothing to wait for.
    ///
    /// Meaningful after `nextDatagram` has said that there is none.
    public var nextDeadline: KCPInstant? {
        guard state == .alive else { return nil }
        if isAmplificationBlocked {
            return KCPInstant(microseconds: silence.deadline)
        }
        return allDeadlines.earliest.map { KCPInstant(microseconds: max($0, clock)) }
    }

    /// Everything that is waited for: what is kept, and what follows from things that change with every datagram.
    private var allDeadlines: Deadlines {
        var all = deadlines
        all[.timeout] = timeoutDeadline
        if isWaitingForPeer { all[.silence] = silence.deadline }
        if canSendPayload, congestion.pacingRate != nil, !pacer.isReady(now: clock) { all[.pacing] = pacer.wakeUpAt }
        return all
    }

    /// When the oldest transmission in flight has waited long enough for an answer.
    private var timeoutDeadline: UInt64? {
        flight.oldest(in: sending).map {
            timeouts.deadline(sentAt: sending[$0].sentAt, wait: roundTrip.timeout(turbo: turbo))
        }
    }

    /// Since when something that was sent has waited for an answer and nothing at all was heard; `nil` if nothing waits.
    public var unansweredSince: KCPInstant? {
        isWaitingForPeer ? KCPInstant(microseconds: silence.start) : nil
    }

    /// Whether the peer's silence means something.
    private var isWaitingForPeer: Bool { sending.sentCount > 0 || deadlines[.windowProbe] != nil }

    /// Acts on every deadline that has passed.
    mutating func runTimers(now: UInt64) {
        flight.dropOutdated(in: sending)
        if deadlines.isDue(.reordering, at: now) {
            let losses = detectLosses(now: now)
            if losses.bytes > 0 { reportLoss(losses, now: now) }
        }
        if timeouts.probesDue == 0, let deadline = timeoutDeadline, deadline <= now { timeOut(now: now) }
        if deadlines.isDue(.repetition, at: now) {
            deadlines[.repetition] = nil
            if timeouts.probesDue == 0, sending.sentCount > 0 { timeouts.probesDue = 1 }
        }
        checkWindowProbe(now: now)
        checkWindowPoll(now: now)
        if isWaitingForPeer, now >= silence.deadline { die(.deadBySilence) }
    }

    private mutating func die(_ reason: State) {
        state = reason
        deadlines.clear()
        timeouts.probesDue = 0
        solicitation.cancel()
    }

    // MARK: - Losses

    /// Marks as lost what was sent well before something that has arrived, and sets the time to look again.
    mutating func detectLosses(now: UInt64) -> Flight.Losses {
        let (losses, deadline) = flight.detectLosses(
            in: &sending, threshold: turbo ? 1 : KCPLimits.reorderingThreshold, roundTrip: roundTrip, now: now)
        deadlines[.reordering] = deadline
        statistics.segmentsLost &+= UInt64(losses.count)
        return losses
    }

    private mutating func timeOut(now: UInt64) {
        statistics.timeouts &+= 1
        timeouts.add(at: now)
        if sending.sentCount > 0, Int(sending[sending.oldest].transmissions) >= configuration.maximumTransmissions,
            silence.length(at: now) >= silence.limit / 2
        {
            die(.deadByTransmissions)
            return
        }
        if timeouts.inARow == KCPLimits.persistentTimeouts {
            congestion.timedOut(inFlight: bytesInFlight, now: now)
        }
        timeouts.probesDue = 2
        // A probe for a lone message may be lost as well: send another one soon rather than after as long again.
        if sending.sentCount <= 4 {
            deadlines[.repetition] = now &+ max(roundTrip.smoothed / 8, KCPLimits.timerGranularity)
        }
    }

    private mutating func reportLoss(_ losses: Flight.Losses, now: UInt64) {
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

    // MARK: - Closed windows

    /// With the peer's window closed and nothing under way, only asking brings news of its opening.
    private mutating func checkWindowProbe(now: UInt64) {
        guard sending.unsentCount > 0, sending.sentCount == 0, peerWindow.size == 0 else {
            deadlines[.windowProbe] = nil
            return
        }
        guard deadlines[.windowProbe] != nil else {
            deadlines[.windowProbe] = now &+ peerWindow.beginProbing()
            silence.outstandingSince = now
            return
        }
        guard deadlines.isDue(.windowProbe, at: now) else { return }
        deadlines[.windowProbe] = now &+ peerWindow.probe()
    }

    /// A peer whose reader was slower than the window filled has told that it is full, and tells when it is not any more
    /// only by its clock. So it is asked after a moment, and after longer and longer ones.
    private mutating func checkWindowPoll(now: UInt64) {
        guard isHeldUp, sending.sentCount == 0, peerWindow.size == 0 else {
            deadlines[.windowPoll] = nil
            solicitation.endPolling()
            return
        }
        guard deadlines[.windowPoll] != nil else {
            deadlines[.windowPoll] = solicitation.beginPolling().map { now &+ $0 }
            return
        }
        guard deadlines.isDue(.windowPoll, at: now) else { return }
        deadlines[.windowPoll] =
            solicitation.poll(minimumRoundTrip: roundTrip.hasSample ? roundTrip.minimum : 0).map { now &+ $0 }
    }

    // MARK: - A peer with a clock

    /// Whether the peer acknowledges by a clock of its own, and there is more to send than it lets us.
    private var isHeldUp: Bool {
        roundTrip.peerMayAcknowledgeLate && peerWindow.isKnown && peerWindow.mayBeClocked
            && sending.unsentCount > 0 && sending.oldest != sending.first
    }

    /// Whether only an acknowledgement of what was sent since we last asked can let us go on.
    var canSolicit: Bool {
        isHeldUp && sending.sentCount > 0 && solicitation.askedUpTo != sending.next && !flight.hasLost
            && peerWindow.size > 0 && (sending.sentCount >= windowLimit || !canSendPayload || isHeldUpByAGuess)
    }

    /// Whether we wait because of a round trip that was never measured without the peer's clock in it.
    private var isHeldUpByAGuess: Bool {
        solicitation.askedUpTo == sending.first && congestion.pacingRate != nil && !pacer.isReady(now: clock)
    }
}
