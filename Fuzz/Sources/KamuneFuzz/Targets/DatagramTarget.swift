@testable import KCP

/// A conversation with a peer who sends anything at any time: nothing grows beyond its bound, what arrives in order is what
/// was sent in order, and an address that has proven nothing gets no more bytes than it sent.
func fuzzDatagrams(_ input: [UInt8]) throws {
    var choices = Choices(input)
    var configuration = KCPConfiguration()
    configuration.maximumDatagramSize = 48 + 8 * choices.below(150)
    configuration.receiveWindow = 1 + choices.below(64)
    configuration.receiveBufferSize = 4096
    configuration.sendBufferSize = 4096
    configuration.congestionControl =
        KCPCongestionControl.allCases[choices.below(KCPCongestionControl.allCases.count)]
    configuration.latencyMode = choices.below(2) == 0 ? .balanced : .turbo
    configuration.timestampBase = 0x5a5a_5a5a
    configuration.amplificationLimit = choices.below(2) == 0 ? 1 : nil
    let bounds = Bounds(configuration)
    var now: UInt64 = 1_000_000
    var ours = KCPConversation(conversationID: 7, configuration: configuration, now: KCPInstant(microseconds: now))
    var sent: [UInt8] = []
    var rounds = 0
    while !choices.isEmpty, rounds < 200 {
        rounds += 1
        switch choices.below(6) {
        case 0: try? ours.receivedDatagram(choices.bytes(), now: KCPInstant(microseconds: now))
        case 1, 2:
            let datagram = forged(&choices, near: ours)
            try? ours.receivedDatagram(datagram, now: KCPInstant(microseconds: now))
        case 3: _ = ours.write([UInt8](repeating: choices.byte(), count: 16 * Int(choices.byte())))
        case 4: _ = ours.read(max: Int(choices.number() % 10_000))
        default:
            now &+= choices.number() % 10_000_000
            if let deadline = ours.nextDeadline, choices.below(2) == 0 { now = max(now, deadline.microseconds) }
        }
        var datagrams = 0
        while let datagram = ours.nextDatagram(now: KCPInstant(microseconds: now)) {
            sent = datagram
            datagrams += 1
            try expect(datagram.count <= configuration.maximumDatagramSize, "a datagram is larger than it may be")
            try expect(datagrams < 20_000, "there is always one datagram more to send")
        }
        if !sent.isEmpty, choices.below(8) == 0 {
            // Our own, or something like it, comes back.
            let echo = choices.mutated(sent)
            try? ours.receivedDatagram(echo, now: KCPInstant(microseconds: now))
        }
        try bounds.check(ours)
    }
}

/// What never grows larger.
private struct Bounds {
    let configuration: KCPConfiguration

    init(_ configuration: KCPConfiguration) {
        self.configuration = configuration
    }

    func check(_ conversation: KCPConversation) throws {
        try expect(conversation.readableByteCount <= 2 * configuration.receiveBufferSize, "too much waits to be read")
        try expect(conversation.unacknowledgedByteCount <= configuration.sendBufferSize, "too much waits to be sent")
        try expect(
            conversation.acknowledgements.count <= KCPLimits.mostPendingAcknowledgements,
            "too many acknowledgements wait")
        try expect(conversation.bytesInFlight >= 0, "more has arrived than was sent")
        if configuration.amplificationLimit != nil, !conversation.isPeerReachable {
            try expect(
                conversation.statistics.bytesSent <= conversation.statistics.bytesReceived,
                "an unproven address gets more than it sent")
        }
    }
}

/// A datagram of well-formed segments, with numbers near those that matter.
private func forged(_ choices: inout Choices, near conversation: KCPConversation) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0...choices.below(4) {
        let commands: [KCPCommand] = [.push, .acknowledge, .windowProbe, .windowReport]
        let command = commands[choices.below(commands.count)]
        let base = command == .acknowledge ? conversation.sending.oldest : conversation.receiving.next
        let header = KCPHeader(
            conversationID: choices.below(16) == 15 ? 8 : 7, command: command, window: UInt16(choices.byte()),
            timestamp: choices.below(4) == 0
                ? UInt32(truncatingIfNeeded: choices.number()) : conversation.wireTimestamp,
            sequenceNumber: base &+ UInt32(truncatingIfNeeded: choices.number()) &- 4,
            unacknowledged: conversation.sending.oldest &+ UInt32(choices.below(8)), payloadSize: 0)
        let payload = command == .push ? [UInt8](repeating: choices.byte(), count: Int(choices.byte())) : []
        KCPSegment(header: header, payload: payload).encode(into: &bytes)
    }
    return bytes
}
