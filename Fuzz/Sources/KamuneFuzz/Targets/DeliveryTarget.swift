@testable import KamuneProtocol

/// The delivery of messages with a peer who says what it likes.
func fuzzDelivery(_ input: [UInt8]) throws {
    var choices = Choices(input)
    var machine = DeliveryMachine(takesRoutes: true)
    var sent: [DeliveryID] = []
    var acknowledged = 0
    var hasBegun = false
    _ = machine.begin(afterStoring: nil)
    while !choices.isEmpty {
        switch choices.below(5) {
        case 0:
            // More than one at a time, so that the limit can be reached.
            for _ in 0...choices.below(256) {
                let id = name(UInt64(sent.count))
                let canSend = machine.canSend
                let message = DeliveryMessage(id: id, kind: 0, written: 0, body: [])
                let outgoing = OutgoingMessage(place: StreamPlace(Int64(sent.count)), message: message)
                guard let payload = try? machine.send(outgoing) else {
                    try expect(!canSend, "a message could not be sent")
                    break
                }
                try expect(canSend, "a message was sent out of turn")
                try expect(try DeliveryFrame(payload) == .message(message), "a frame is read otherwise than written")
                sent.append(id)
            }
        case 1:
            // Mostly one that is on its way.
            let number = UInt64(acknowledged) &+ choices.number()
            let payload = DeliveryFrame.acknowledgement(name(number)).encoded
            guard try take(&machine, payload, &acknowledged, sent, &hasBegun) else { return }
        case 2:
            guard try take(&machine, [0], &acknowledged, sent, &hasBegun) else { return }
        default:
            guard try take(&machine, choices.bytes(), &acknowledged, sent, &hasBegun) else { return }
        }
        try expect(machine.inFlight == sent.count - acknowledged, "the count of what is on its way is wrong")
        try expect(machine.inFlight <= DeliveryMachine.maximumUnacknowledged, "too much is on its way")
        try expect(
            machine.canSend == (hasBegun && machine.inFlight < DeliveryMachine.maximumUnacknowledged),
            "whether a message may be sent is wrong")
    }
}

private func name(_ number: UInt64) -> DeliveryID { DeliveryID(high: 0, low: number) }

/// Hands a payload to the machine.
///
/// - Returns: Whether it goes on.
private func take(
    _ machine: inout DeliveryMachine, _ payload: [UInt8], _ acknowledged: inout Int, _ sent: [DeliveryID],
    _ hasBegun: inout Bool
) throws -> Bool {
    let event: DeliveryMachine.Event
    do throws(ProtocolError) {
        event = try machine.received(payload)
    } catch {
        try expectPeersFault(error)
        return false
    }
    switch event {
    case .peerHas(let id):
        try expect(!hasBegun, "the peer began twice")
        hasBegun = true
        try expect(DeliveryFrame.stored(id).encoded == payload, "a frame is written otherwise than read")
    case .routes(let routes):
        try expect(hasBegun, "routes came before the beginning")
        try expect(DeliveryFrame.routes(routes).encoded == payload, "a frame is written otherwise than read")
        try expect(
            routes.texts.count <= ToldRoutes.maximumCount && payload.count <= ToldRoutes.maximumPayloadSize,
            "too many routes were taken")
    case .message(let message):
        try expect(hasBegun, "a message came before the beginning")
        try expect(DeliveryFrame.message(message).encoded == payload, "a frame is written otherwise than read")
    case .acknowledged(let some):
        let ids = some.ids
        let end = acknowledged + ids.count
        try expect(end <= sent.count && !ids.isEmpty, "something was acknowledged that was not sent")
        try expect(ids == Array(sent[acknowledged..<end]), "something was acknowledged out of order")
        try expect(some.through == StreamPlace(Int64(end - 1)), "another place was acknowledged than the last")
        acknowledged = end
    }
    return true
}
