import KamuneNode
import KamuneStore
import Testing

@testable import KamuneCommand

@Suite("How far messages have come")
struct DeliveryStatusTests {
    private func id(_ number: UInt64) -> MessageName { MessageName(MessageID(stream: 1, number: number)) }

    @Test("a message waits, is sent, and is delivered")
    func stages() {
        var status = DeliveryStatus()
        #expect(status.note.isEmpty)
        status.wrote(id(1))
        #expect(status.note == "1 waiting" && status.waitingCount == 1)
        status.wrote(id(2))
        #expect(status.note == "2 waiting")
        status.changed(id(1), to: .inFlight)
        #expect(status.note == "1 waiting")
        status.changed(id(2), to: .inFlight)
        #expect(status.note == "sent" && status.waitingCount == 0)
        status.changed(id(1), to: .delivered)
        #expect(status.note == "sent")
        status.changed(id(2), to: .delivered)
        #expect(status.note == "delivered")
    }

    @Test("a peer may be quicker than the terminal")
    func early() {
        var status = DeliveryStatus()
        status.changed(id(1), to: .inFlight)
        status.changed(id(1), to: .delivered)
        status.wrote(id(1))
        #expect(status.note == "delivered" && status.waitingCount == 0)
    }

    @Test("with a peer that does not acknowledge, it ends at sent, or may be lost")
    func plain() {
        var status = DeliveryStatus()
        status.wrote(id(1))
        status.changed(id(1), to: .inFlight)
        status.changed(id(1), to: .sent)
        #expect(status.note == "sent")
        status.wrote(id(2))
        status.changed(id(2), to: .maybeLost)
        #expect(status.note == "may be lost")
    }
}
