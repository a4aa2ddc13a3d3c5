import Testing

@testable import KamuneProtocol

@Suite("Delivery")
struct DeliveryTests {
    private func id(_ number: UInt8) throws -> DeliveryID {
        try #require(DeliveryID([UInt8](repeating: 0, count: 15) + [number]))
    }

    private func message(_ number: UInt8, _ text: String = "x") throws -> DeliveryMessage {
        DeliveryMessage(id: try id(number), kind: 0, written: 1_760_000_000_123, body: Array(text.utf8))
    }

    private func outgoing(_ number: UInt8) throws -> OutgoingMessage {
        OutgoingMessage(place: StreamPlace(Int64(number) * 10), message: try message(number))
    }

    private func acknowledgement(_ number: UInt8) throws -> [UInt8] {
        DeliveryFrame.acknowledgement(try id(number)).encoded
    }

    private func acknowledged(_ numbers: ClosedRange<UInt8>) throws -> DeliveryMachine.Event {
        .acknowledged(
            DeliveryMachine.Acknowledged(
                ids: try numbers.map { try id($0) }, through: StreamPlace(Int64(numbers.upperBound) * 10)))
    }

    /// A machine that has begun and heard the peer's beginning.
    private func begun() throws -> DeliveryMachine {
        var machine = DeliveryMachine()
        #expect(machine.begin(afterStoring: nil) == [0])
        #expect(try machine.received([0]) == .peerHas(nil))
        return machine
    }

    @Test("every frame is read as it was written")
    func encoding() throws {
        let texts = ["", "hello", String(repeating: "€", count: 20_000)]
        let frames: [DeliveryFrame] =
            [.stored(nil), .stored(try id(7)), .acknowledgement(try id(255))]
            + (try texts.map { .message(try message(1, $0)) })
            + [.message(DeliveryMessage(id: try id(2), kind: 255, written: .min, body: []))]
        for frame in frames { #expect(try DeliveryFrame(frame.encoded) == frame) }
        #expect(
            DeliveryFrame.message(try message(9, "A")).encoded
                == [1] + [UInt8](repeating: 0, count: 15) + [9, 0, 0, 0, 1, 0x99, 0xc8, 0x2c, 0xc0, 0x7b, 65])
        #expect(DeliveryFrame.message(try message(9, "")).encoded.count == DeliveryMessage.overhead)
    }

    @Test(
        "what is no frame is refused",
        arguments: [
            [], [3], [255], [0, 1], [0] + [UInt8](repeating: 0, count: 15), [0] + [UInt8](repeating: 0, count: 17), [2],
            [2] + [UInt8](repeating: 0, count: 15), [1], [1] + [UInt8](repeating: 0, count: 24),
        ] as [[UInt8]])
    func malformed(_ payload: [UInt8]) throws {
        var machine = DeliveryMachine()
        expectError(.peerMisbehaved(.malformedMessage(.exchangeMessages))) { () throws(ProtocolError) in
            _ = try machine.received(payload)
        }
    }

    @Test("nothing is sent before the peer has said what it has")
    func order() throws {
        var machine = DeliveryMachine()
        let first = try outgoing(1)
        #expect(!machine.canSend && !machine.isOpen)
        expectError(.misuse(.awaitingAcknowledgement)) { () throws(ProtocolError) in
            _ = try machine.send(first)
        }
        #expect(try machine.received(machine.begin(afterStoring: try id(3))) == .peerHas(try id(3)))
        #expect(machine.canSend && machine.isOpen)
    }

    @Test("a peer that begins late, twice, or with something else is refused")
    func beginnings() throws {
        let payload = DeliveryFrame.message(try message(1)).encoded
        for first in [payload, try acknowledgement(1)] {
            var machine = DeliveryMachine()
            _ = machine.begin(afterStoring: nil)
            expectError(.peerMisbehaved(.unexpectedFrame)) { () throws(ProtocolError) in
                _ = try machine.received(first)
            }
        }
        var machine = try begun()
        expectError(.peerMisbehaved(.unexpectedFrame)) { () throws(ProtocolError) in _ = try machine.received([0]) }
    }

    @Test("a peer that sends before it can know what we have is refused")
    func early() throws {
        var machine = DeliveryMachine()
        #expect(try machine.received([0]) == .peerHas(nil))
        let payload = DeliveryFrame.message(try message(1)).encoded
        expectError(.peerMisbehaved(.unexpectedFrame)) { () throws(ProtocolError) in
            _ = try machine.received(payload)
        }
        _ = machine.begin(afterStoring: nil)
        #expect(try machine.received(payload) == .message(try message(1)))
    }

    @Test("an acknowledgement covers everything that was sent before")
    func cumulative() throws {
        var machine = try begun()
        for number in 1...5 { _ = try machine.send(try outgoing(UInt8(number))) }
        #expect(machine.inFlight == 5)
        #expect(try machine.received(acknowledgement(3)) == acknowledged(1...3))
        #expect(machine.inFlight == 2)
        #expect(try machine.received(acknowledgement(5)) == acknowledged(4...5))
        #expect(machine.inFlight == 0)
    }

    @Test("what is not on its way cannot be acknowledged", arguments: [0, 1, 3] as [UInt8])
    func hostileAcknowledgements(_ number: UInt8) throws {
        var machine = try begun()
        _ = try machine.send(try outgoing(1))
        _ = try machine.received(acknowledgement(1))
        _ = try machine.send(try outgoing(2))
        let hostile = try acknowledgement(number)
        expectError(.peerMisbehaved(.invalidAcknowledgement)) { () throws(ProtocolError) in
            _ = try machine.received(hostile)
        }
    }

    private func numbered(_ number: Int) -> DeliveryID { DeliveryID(high: 1, low: UInt64(number)) }

    @Test("so many are on their way at most, for however long a session goes on")
    func bounded() throws {
        var machine = try begun()
        var acknowledged = 0
        for number in 0..<5_000 {
            while !machine.canSend {
                let event = try machine.received(DeliveryFrame.acknowledgement(numbered(acknowledged + 99)).encoded)
                let expected = DeliveryMachine.Acknowledged(
                    ids: (acknowledged..<acknowledged + 100).map(numbered),
                    through: StreamPlace(Int64(acknowledged + 99)))
                #expect(event == .acknowledged(expected))
                acknowledged += 100
            }
            let message = DeliveryMessage(id: numbered(number), kind: 0, written: 0, body: [])
            _ = try machine.send(OutgoingMessage(place: StreamPlace(Int64(number)), message: message))
            #expect(machine.inFlight <= DeliveryMachine.maximumUnacknowledged)
        }
        #expect(machine.inFlight == 5_000 - acknowledged)
    }

    @Test("so many bytes are on their way at most, less one message")
    func boundedInBytes() throws {
        var machine = try begun()
        let body = [UInt8](repeating: 1, count: 61_409)
        var count = 0
        while machine.canSend {
            let message = DeliveryMessage(id: numbered(count), kind: 0, written: 0, body: body)
            _ = try machine.send(OutgoingMessage(place: StreamPlace(Int64(count)), message: message))
            count += 1
        }
        #expect(count == (DeliveryMachine.maximumUnacknowledgedBytes + body.count - 1) / body.count)
        _ = try machine.received(DeliveryFrame.acknowledgement(numbered(0)).encoded)
        #expect(machine.canSend)
    }

    @Test("a peer that does not wait to be acknowledged is refused")
    func receivedIsBounded() throws {
        var machine = try begun()
        func payload(_ number: Int) -> [UInt8] {
            DeliveryFrame.message(DeliveryMessage(id: numbered(number), kind: 0, written: 0, body: [])).encoded
        }
        for number in 0..<1_024 { _ = try machine.received(payload(number)) }
        #expect(
            machine.acknowledge(numbered(127), count: 128) == DeliveryFrame.acknowledgement(numbered(127)).encoded)
        for number in 1_024..<1_152 { _ = try machine.received(payload(number)) }
        let next = payload(1_152)
        expectError(.peerMisbehaved(.tooManyUnacknowledged)) { () throws(ProtocolError) in
            _ = try machine.received(next)
        }
    }
}
