import KCP

/// A model of a peer that runs kcp-go v5.6.72 with nothing changed: windows of 32, a clock of 100 ms, acknowledgements
/// that wait for it, no fast retransmission, Reno.
///
/// Written from the facts of its wire behaviour; times are in milliseconds as there.
struct GoPeer: PathEnd {
    private struct Outgoing {
        var number: UInt32
        var payload: [UInt8]
        var timestamp: UInt32 = 0
        var resendAt: UInt32 = 0
        var timeout: UInt32 = 0
        var transmissions = 0
        var overtaken: UInt32 = 0
        var isAcknowledged = false
    }

    let conversationID: UInt32
    let window = 32
    let interval: UInt32 = 100
    let payloadLimit = 1376
    /// Bytes that may wait for their turn, as much as a blocking write of kcp-go lets through.
    private let waitingLimit = 64

    private(set) var readable: [UInt8] = []
    /// The segments not read yet close the window.
    var isReading = true
    private(set) var datagramsSent = 0
    private(set) var segmentsRepeated = 0
    private(set) var malformed = 0

    private var now: UInt32 = 0
    private var nowMicroseconds: UInt64 = 0
    private var nextFlush: UInt64 = 0
    private var outbox: [[UInt8]] = []

    private var waiting: [[UInt8]] = []
    private var outgoing: [Outgoing] = []
    private var nextSent: UInt32 = 0
    private var oldestSent: UInt32 = 0
    private var nextReceived: UInt32 = 0
    private var ahead: [UInt32: [UInt8]] = [:]
    private var received: [[UInt8]] = []
    private var acknowledgements: [(number: UInt32, timestamp: UInt32)] = []
    private var peerWindow = 32
    private var congestionWindow = 0
    private var threshold = 2
    private var increment = 0
    private var smoothed: Int32 = 0
    private var variation: Int32 = 0
    private var timeout: UInt32 = 200
    private var asks = false
    private var tells = false
    private var probeWait: UInt32 = 0
    private var probeAt: UInt32 = 0

    init(conversationID: UInt32) { self.conversationID = conversationID }

    var deadline: UInt64? { nextFlush }

    /// Everything sent was acknowledged.
    var isIdle: Bool { waiting.isEmpty && outgoing.isEmpty }

    mutating func send(_ bytes: ArraySlice<UInt8>) -> Int {
        var rest = bytes
        while !rest.isEmpty, waiting.count + outgoing.count < waitingLimit {
            waiting.append(Array(rest.prefix(payloadLimit)))
            rest = rest.dropFirst(payloadLimit)
        }
        let accepted = bytes.count - rest.count
        if accepted > 0 { flush() }
        return accepted
    }

    mutating func takeReceived() -> [UInt8] {
        guard isReading else { return [] }
        let wasFull = received.count >= window
        let bytes = received.flatMap { $0 }
        received = []
        drain()
        if wasFull, received.count < window { tells = true }
        return bytes
    }

    mutating func nextDatagram(at time: UInt64) -> [UInt8]? {
        advance(to: time)
        if time >= nextFlush { flush() }
        guard !outbox.isEmpty else { return nil }
        datagramsSent += 1
        return outbox.removeFirst()
    }

    private mutating func advance(to time: UInt64) {
        nowMicroseconds = max(nowMicroseconds, time)
        now = UInt32(truncatingIfNeeded: nowMicroseconds / 1000)
    }

    private func difference(_ first: UInt32, _ second: UInt32) -> Int32 { Int32(bitPattern: first &- second) }

    mutating func receive(_ datagram: [UInt8], at time: UInt64) {
        advance(to: time)
        guard let segments = try? KCPSegment.parse(datagram), segments.allSatisfy({ $0.header.fragment == 0 }) else {
            malformed += 1
            return
        }
        let oldestBefore = oldestSent
        var flushes = false
        var latest: UInt32?
        for segment in segments {
            let header = segment.header
            guard header.conversationID == conversationID else {
                malformed += 1
                return
            }
            peerWindow = Int(header.window)
            let count = outgoing.count
            outgoing.removeAll { Int32(bitPattern: $0.number &- header.unacknowledged) < 0 }
            if outgoing.count < count { flushes = true }
            oldestSent = outgoing.first?.number ?? nextSent
            switch header.command {
            case .acknowledge:
                latest = header.timestamp
                if takeAcknowledgement(header) { flushes = true }
            case .push: accept(segment)
            case .windowProbe: tells = true
            case .windowReport: break
            }
        }
        if let latest, difference(now, latest) >= 0 { measure(difference(now, latest)) }
        if difference(oldestSent, oldestBefore) > 0, congestionWindow < peerWindow { growWindow() }
        if flushes {
            flush()
        } else if acknowledgements.count >= 1400 / KCPHeader.size {
            writeAcknowledgements()
        }
    }

    private mutating func takeAcknowledgement(_ header: KCPHeader) -> Bool {
        var passesOver = false
        for index in outgoing.indices where difference(outgoing[index].number, header.sequenceNumber) <= 0 {
            if outgoing[index].number == header.sequenceNumber {
                outgoing[index].isAcknowledged = true
            } else if difference(outgoing[index].timestamp, header.timestamp) <= 0,
                !outgoing[index].isAcknowledged, outgoing[index].overtaken != .max
            {
                outgoing[index].overtaken += 1
                passesOver = true
            }
        }
        return passesOver
    }

    private mutating func accept(_ segment: KCPSegment) {
        let number = segment.header.sequenceNumber
        guard difference(number, nextReceived) < window else { return }
        acknowledgements.append((number, segment.header.timestamp))
        guard difference(number, nextReceived) >= 0, ahead[number] == nil else { return }
        ahead[number] = segment.payload
        drain()
    }

    private mutating func drain() {
        while received.count < window, let payload = ahead.removeValue(forKey: nextReceived) {
            received.append(payload)
            nextReceived &+= 1
        }
    }

    private mutating func measure(_ sample: Int32) {
        if smoothed == 0 {
            smoothed = sample
            variation = sample / 2
        } else {
            let deviation = sample - smoothed
            smoothed += deviation >> 3
            variation += (abs(deviation) - variation) >> (sample < smoothed - variation ? 5 : 2)
        }
        timeout = min(max(100, UInt32(max(0, smoothed)) + max(interval, UInt32(max(0, variation)) * 4)), 60_000)
    }

    private mutating func growWindow() {
        if congestionWindow < threshold {
            congestionWindow += 1
            increment += payloadLimit
        } else {
            increment = max(increment, payloadLimit)
            increment += payloadLimit * payloadLimit / increment + payloadLimit / 16
            if (congestionWindow + 1) * payloadLimit <= increment {
                congestionWindow = (increment + payloadLimit - 1) / payloadLimit
            }
        }
        if congestionWindow > peerWindow {
            congestionWindow = peerWindow
            increment = peerWindow * payloadLimit
        }
    }

    // MARK: - Sending

    private var datagram: [UInt8] = []

    private mutating func put(
        _ command: KCPCommand, timestamp: UInt32, number: UInt32, payload: [UInt8] = []
    ) {
        if datagram.count + KCPHeader.size + payload.count > 1400 { finishDatagram() }
        let header = KCPHeader(
            conversationID: conversationID, command: command, window: UInt16(max(0, window - received.count)),
            timestamp: timestamp, sequenceNumber: number, unacknowledged: nextReceived, payloadSize: 0)
        KCPSegment(header: header, payload: payload).encode(into: &datagram)
    }

    private mutating func finishDatagram() {
        guard !datagram.isEmpty else { return }
        outbox.append(datagram)
        datagram = []
    }

    private mutating func writeAcknowledgements() {
        putAcknowledgements()
        finishDatagram()
    }

    private mutating func putAcknowledgements() {
        for (index, acknowledgement) in acknowledgements.enumerated()
        where difference(acknowledgement.number, nextReceived) >= 0 || index == acknowledgements.count - 1 {
            put(.acknowledge, timestamp: acknowledgement.timestamp, number: acknowledgement.number)
        }
        acknowledgements = []
    }

    private mutating func flush() {
        nextFlush = nowMicroseconds + UInt64(interval) * 1000
        putAcknowledgements()
        probe()
        if asks { put(.windowProbe, timestamp: 0, number: 0) }
        if tells { put(.windowReport, timestamp: 0, number: 0) }
        asks = false
        tells = false
        let limit = min(window, peerWindow, congestionWindow)
        var new = 0
        while Int(difference(nextSent, oldestSent)) < limit, !waiting.isEmpty {
            outgoing.append(Outgoing(number: nextSent, payload: waiting.removeFirst()))
            nextSent &+= 1
            new += 1
        }
        transmit(new: new, limit: limit)
        finishDatagram()
    }

    private mutating func probe() {
        guard peerWindow == 0 else {
            probeWait = 0
            return
        }
        if probeWait == 0 {
            probeWait = 500
            probeAt = now &+ probeWait
        } else if difference(now, probeAt) >= 0 {
            probeWait = min(probeWait + probeWait / 2, 120_000)
            probeAt = now &+ probeWait
            asks = true
        }
    }

    private mutating func transmit(new: Int, limit: Int) {
        var timedOut = false
        var early = false
        for index in outgoing.indices where !outgoing[index].isAcknowledged {
            if outgoing[index].transmissions == 0 {
                outgoing[index].timeout = timeout
            } else if outgoing[index].overtaken > 0, outgoing[index].overtaken != .max, new == 0 {
                outgoing[index].overtaken = .max
                outgoing[index].timeout = timeout
                early = true
            } else if difference(now, outgoing[index].resendAt) >= 0 {
                outgoing[index].timeout += timeout
                outgoing[index].overtaken = 0
                timedOut = true
            } else {
                continue
            }
            if outgoing[index].transmissions > 0 { segmentsRepeated += 1 }
            outgoing[index].transmissions += 1
            outgoing[index].timestamp = now
            outgoing[index].resendAt = now &+ outgoing[index].timeout
            put(.push, timestamp: now, number: outgoing[index].number, payload: outgoing[index].payload)
        }
        for segment in outgoing where !segment.isAcknowledged {
            let wait = difference(segment.resendAt, now)
            if wait > 0 { nextFlush = min(nextFlush, nowMicroseconds + UInt64(wait) * 1000) }
        }
        if early {
            // With fast resend off kcp-go adds 0xffffffff to a 32-bit number here, which takes one away.
            threshold = max(Int(difference(nextSent, oldestSent)) / 2, 2)
            congestionWindow = threshold - 1
            increment = congestionWindow * payloadLimit
        }
        if timedOut {
            threshold = max(limit / 2, 2)
            congestionWindow = 1
            increment = payloadLimit
        }
        if congestionWindow < 1 {
            congestionWindow = 1
            increment = payloadLimit
        }
    }
}
