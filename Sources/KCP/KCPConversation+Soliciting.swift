/// Making a peer with a small window acknowledge at once instead of when its clock of 100 ms ticks: kcp-go by default.
///
/// It does that when as many acknowledgements wait as fit its datagram, 58, more than its window of 32 brings forth. Headers
/// of a segment that it has already, without payload, change nothing for it but count as well. It answers all of them
/// with a single one.
extension KCPConversation {
    /// Whether the peer has such a clock, and there is more to send than it lets us.
    private var isHeldUp: Bool {
        roundTrip.peerMayAcknowledgeLate && largestPeerWindow != nil && peerMayBeClocked
            && sending.unsentCount > 0 && sending.oldest != firstSent
    }

    /// Whether only an acknowledgement of what was sent since we last asked can let us go on.
    var canSolicit: Bool {
        isHeldUp && sending.sentCount > 0 && solicitedUpTo != sending.next && lostSegments.isEmpty && peerWindow > 0
            && (sending.sentCount >= windowLimit || !canSendPayload || isHeldUpByAGuess)
    }

    /// Whether we wait because of a round trip that was never measured without the peer's clock in it.
    private var isHeldUpByAGuess: Bool {
        solicitedUpTo == firstSent && congestion.pacingRate != nil && !pacer.isReady(now: clock)
    }

    /// Adds what makes the peer acknowledge, as far as there is room.
    mutating func writeSolicitation(_ datagram: inout OutgoingDatagram) {
        if canSolicit {
            solicitedUpTo = sending.next
            // A few of the segments under way may be acknowledged already, on their way to us.
            solicitationsDue = KCPLimits.eagerAcknowledgements - max(0, sending.sentCount - 4)
        }
        guard solicitationsDue > 0, datagram.hasRoom(for: KCPHeader.size) else { return }
        // What answers is an acknowledgement of the header, so this is what it measures.
        solicitation = (sending.oldest &- 1, wireTimestamp, clock)
        while solicitationsDue > 0, datagram.hasRoom(for: KCPHeader.size) {
            datagram.append(header(.push, timestamp: wireTimestamp, sequenceNumber: sending.oldest &- 1))
            solicitationsDue -= 1
        }
    }

    /// A peer whose reader was slower than the window filled has told that it is full, and tells when it is not any more
    /// only by its clock. So it is asked after a moment, and after longer and longer ones.
    mutating func checkWindowPoll(now: UInt64) {
        guard isHeldUp, sending.sentCount == 0, peerWindow == 0 else {
            windowPollAt = nil
            windowPollWait = 0
            return
        }
        guard let deadline = windowPollAt else {
            guard windowPollWait == 0 else { return }
            windowPollWait = KCPLimits.firstWindowPoll
            windowPollAt = now &+ windowPollWait
            return
        }
        guard deadline <= now else { return }
        solicitationsDue = KCPLimits.eagerAcknowledgements
        windowPollWait = max(2 * windowPollWait, roundTrip.hasSample ? roundTrip.minimum : 0)
        windowPollAt = windowPollWait <= KCPLimits.longestWindowPoll ? now &+ windowPollWait : nil
    }
}
