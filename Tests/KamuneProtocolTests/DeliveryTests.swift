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

    /// A machine that has heard the peer's beginning.
    private func begun() throws -> DeliveryMachine {
        var machine = DeliveryMachine()
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
        let first = try message(1)
        #expect(!machine.canSend)
        expectError(.misuse(.awaitingAcknowledgement)) { () throws(ProtocolError) in
            _ = try machine.send(first)
        }
        #expect(try machine.received(machine.begin(afterStoring: try id(3))) == .peerHas(try id(3)))
        #expect(machine.canSend)
    }

    @Test("a peer that begins late, twice, or with something else is refused")
    func beginnings() throws {
        let payload = DeliveryFrame.message(try message(1)).encoded
        let acknowledgement = DeliveryMachine().acknowledge(try id(1))
        for first in [payload, acknowledgement] {
            var machine = DeliveryMachine()
            expectError(.peerMisbehaved(.unexpectedFrame)) { () throws(ProtocolError) in _ = try machine.received(first)
            }
        }
        var machine = try begun()
        expectError(.peerMisbehaved(.unexpectedFrame)) { () throws(ProtocolError) in _ = try machine.received([0]) }
    }

    @Test("an acknowledgement covers everything that was sent before")
    func cumulative() throws {
        var machine = try begun()
        for number in 1...5 { _ = try machine.send(try message(UInt8(number))) }
        #expect(machine.inFlight == 5)
        #expect(
            try machine.received(machine.acknowledge(try id(3))) == .acknowledged([try id(1), try id(2), try id(3)]))
        #expect(machine.inFlight == 2)
        #expect(try machine.received(machine.acknowledge(try id(5))) == .acknowledged([try id(4), try id(5)]))
        #expect(machine.inFlight == 0)
    }

    @Test("what is not on its way cannot be acknowledged", arguments: [0, 1, 3] as [UInt8])
    func hostileAcknowledgements(_ number: UInt8) throws {
        var machine = try begun()
        _ = try machine.send(try message(1))
        _ = try machine.received(machine.acknowledge(try id(1)))
        _ = try machine.send(try message(2))
        let hostile = machine.acknowledge(try id(number))
        expectError(.peerMisbehaved(.invalidAcknowledgement)) { () throws(ProtocolError) in
            _ = try machine.received(hostile)
        }
    }

    @Test("so many are on their way at most, for however long a session goes on")
    func bounded() throws {
        var machine = try begun()
        func numbered(_ number: Int) throws -> DeliveryID {
            try #require(
                DeliveryID([UInt8](repeating: 1, count: 8) + withUnsafeBytes(of: number.bigEndian, Array.init)))
        }
        var acknowledged = 0
        for number in 0..<5_000 {
            while !machine.canSend {
                let event = try machine.received(machine.acknowledge(try numbered(acknowledged + 99)))
                #expect(event == .acknowledged(try (acknowledged..<acknowledged + 100).map(numbered)))
                acknowledged += 100
            }
            _ = try machine.send(DeliveryMessage(id: try numbered(number), kind: 0, written: 0, body: []))
            #expect(machine.inFlight <= DeliveryMachine.maximumUnacknowledged)
        }
        #expect(machine.inFlight == 5_000 - acknowledged)
    }
}
