import KamuneCrypto
import Testing

@testable import KamuneProtocol

@Suite("The conversation's machine")
struct ConversationMachineTests {
    private typealias Fixture = ConversationFixture
    private let link = LinkID(1)

    @Test("a session begins with what is stored, and what waits goes out when the peer has said what it has")
    func beginning() {
        var fixture = Fixture()
        #expect(
            fixture.handle(.joined(link, Fixture.joining())) == [.notify(.connected(link)), .store(.begin(link))])
        #expect(
            fixture.handle(.stored(.began(link, lost: [Fixture.id(9)], last: Fixture.id(3)))) == [
                .notify(.changed([Fixture.id(9)], .maybeLost)),
                .send(link, [DeliveryFrame.stored(Fixture.id(3)).encoded]), .read(link),
            ])
        #expect(fixture.handle(.sent(link, count: 1)) == [])
        let handover = ConversationMachine.Handover(link: link, isPlain: false)
        let limits = ConversationLimits()
        #expect(
            fixture.handle(.received(link, [Fixture.arrival(DeliveryFrame.stored(Fixture.id(1)).encoded)])) == [
                .store(.settle(link, peerHas: Fixture.id(1))), .read(link),
                .store(.fetch(handover, after: nil, limit: limits.pageMessages, bytes: limits.pageBytes)),
            ])
        #expect(
            fixture.handle(.stored(.settled(link, [Fixture.id(1)], .delivered)))
                == [.notify(.changed([Fixture.id(1)], .delivered))])
        let page = fixture.place([Fixture.message(2), Fixture.message(3)])
        #expect(
            fixture.handle(.stored(.fetched(link, page, lost: [], isEnd: true))) == [
                .send(link, [Fixture.payload(2), Fixture.payload(3)]),
                .notify(.changed([Fixture.id(2), Fixture.id(3)], .inFlight)),
            ])
    }

    @Test("what is written while nothing else waits goes from hand to hand")
    func handOver() {
        var fixture = Fixture()
        fixture.connect()
        let handover = ConversationMachine.Handover(link: link, isPlain: false)
        let messages = [Fixture.message(1)]
        let write = ConversationMachine.WriteID(1)
        #expect(fixture.handle(.wrote(write, messages)) == [.store(.append(write, messages, for: handover))])
        #expect(fixture.machine.outstandingCount == 1)
        let placed = fixture.place(messages)
        #expect(
            fixture.handle(.stored(.appended(write, placed, for: handover))) == [
                .send(link, [Fixture.payload(1)]), .notify(.changed([Fixture.id(1)], .inFlight)),
            ])
        _ = fixture.handle(.sent(link, count: 1))
        let acknowledged = DeliveryMachine.Acknowledged(ids: [Fixture.id(1)], through: StreamPlace(1))
        #expect(
            fixture.handle(.received(link, [Fixture.arrival(DeliveryFrame.acknowledgement(Fixture.id(1)).encoded)]))
                == [
                    .store(.acknowledge(link, acknowledged)), .read(link),
                ])
        #expect(fixture.machine.outstandingCount == 1)
        _ = fixture.handle(.stored(.settled(link, [Fixture.id(1)], .delivered)))
        #expect(fixture.machine.outstandingCount == 0)
    }

    @Test("what could not be stored is not outstanding")
    func notAppended() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.wrote(ConversationMachine.WriteID(1), [Fixture.message(1)]))
        let handover = ConversationMachine.Handover(link: link, isPlain: false)
        #expect(fixture.handle(.stored(.notAppended([Fixture.id(1)], for: handover))) == [])
        #expect(fixture.machine.outstandingCount == 0 && !fixture.machine.isOver)
        #expect(fixture.write(2...2).first == .send(link, [Fixture.payload(2)]))
        // Nor is it waited for: what is too much to go from hand to hand is read from the store.
        let many = (3..<900).map { Fixture.message(UInt64($0)) }
        let actions = fixture.handle(.wrote(ConversationMachine.WriteID(3), many))
        #expect(actions.first == .store(.append(ConversationMachine.WriteID(3), many, for: nil)))
        let limits = ConversationLimits()
        #expect(
            actions.last
                == .store(
                    .fetch(handover, after: StreamPlace(1), limit: limits.pageMessages, bytes: limits.pageBytes)))
    }

    @Test("messages are acknowledged when they are stored: 10 ms later, or at once when there are 128")
    func acknowledging() {
        var fixture = Fixture()
        fixture.connect()
        #expect(
            fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))])) == [
                .read(link), .store(.keep(link, [Fixture.incoming(1)])),
            ])
        // While the first is being stored, others gather.
        let arrivals = (2...150).map { Fixture.arrival(Fixture.payload($0)) }
        #expect(fixture.handle(.received(link, arrivals)) == [.read(link)])
        #expect(
            fixture.handle(.stored(.kept(link, new: 1, bytes: 1)))
                == [.store(.keep(link, (2...150).map { Fixture.incoming($0) }))])
        #expect(fixture.machine.nextDeadline == .milliseconds(10))
        fixture.now = .milliseconds(9)
        #expect(fixture.handle(.timeElapsed) == [])
        #expect(
            fixture.handle(.stored(.kept(link, new: 149, bytes: 149)))
                == [.send(link, [DeliveryFrame.acknowledgement(Fixture.id(150)).encoded])])
        #expect(fixture.machine.nextDeadline == nil)
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(151))]))
        #expect(fixture.handle(.stored(.kept(link, new: 0, bytes: 0))) == [])
        fixture.now = .milliseconds(19)
        #expect(
            fixture.handle(.timeElapsed)
                == [.send(link, [DeliveryFrame.acknowledgement(Fixture.id(151)).encoded])])
    }

    @Test("where what is stored does not last, it is acknowledged when the application has taken it, and not before")
    func acknowledgingWhenTaken() {
        var fixture = Fixture { $0.acknowledgesWhenTaken = true }
        fixture.connect()
        _ = fixture.handle(.received(link, (1...3).map { Fixture.arrival(Fixture.payload($0)) }))
        #expect(fixture.handle(.stored(.kept(link, new: 3, bytes: 3))) == [])
        #expect(fixture.machine.nextDeadline == nil)
        #expect(fixture.handle(.tookMessages(count: 2, bytes: 2)) == [])
        #expect(fixture.machine.nextDeadline == nil, "one of them is not taken")
        #expect(fixture.handle(.tookMessages(count: 1, bytes: 1)) == [])
        #expect(fixture.machine.nextDeadline == .milliseconds(10))
        fixture.now = .milliseconds(10)
        #expect(
            fixture.handle(.timeElapsed) == [.send(link, [DeliveryFrame.acknowledgement(Fixture.id(3)).encoded])])
    }

    @Test(
        "what was not taken counts as not stored in the next session, and is not acknowledged there either before it is"
    )
    func untakenInTheNextSession() {
        var fixture = Fixture { $0.acknowledgesWhenTaken = true }
        fixture.connect()
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))]))
        _ = fixture.handle(.stored(.kept(link, new: 1, bytes: 1)))
        _ = fixture.handle(.tookMessages(count: 1, bytes: 1))
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(2))]))
        _ = fixture.handle(.stored(.kept(link, new: 1, bytes: 1)))
        let next = LinkID(2)
        _ = fixture.handle(.left(link, .lost(mayPass: true)))
        _ = fixture.handle(.joined(next, Fixture.joining()))
        // The store has both; of the second nothing is said.
        #expect(
            fixture.handle(.stored(.began(next, lost: [], last: Fixture.id(2))))
                == [.send(next, [DeliveryFrame.stored(Fixture.id(1)).encoded]), .read(next)])
        _ = fixture.handle(.sent(next, count: 1))
        _ = fixture.handle(.received(next, [[0], Fixture.payload(2)].map { Fixture.arrival($0) }))
        #expect(fixture.handle(.stored(.kept(next, new: 0, bytes: 0))) == [])
        fixture.now = .seconds(1)
        #expect(fixture.handle(.timeElapsed) == [], "it is stored twice and taken by nobody")
        _ = fixture.handle(.tookMessages(count: 1, bytes: 1))
        fixture.now = .seconds(2)
        #expect(
            fixture.handle(.timeElapsed) == [.send(next, [DeliveryFrame.acknowledgement(Fixture.id(2)).encoded])])
    }

    @Test("what an earlier conversation left is taken before anything that comes again of it is acknowledged")
    func inherited() {
        var fixture = Fixture { $0.acknowledgesWhenTaken = true }
        fixture.machine.inherit(untaken: 2, bytes: 2)
        fixture.connect()
        // It comes again, and the store knows it; then something new, which is taken at once.
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))]))
        #expect(fixture.handle(.stored(.kept(link, new: 0, bytes: 0))) == [])
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(2))]))
        _ = fixture.handle(.stored(.kept(link, new: 1, bytes: 1)))
        #expect(fixture.handle(.tookMessages(count: 1, bytes: 1)) == [])
        #expect(fixture.handle(.tookMessages(count: 1, bytes: 1, ofEarlier: true)) == [])
        #expect(fixture.machine.nextDeadline == nil)
        #expect(fixture.handle(.tookMessages(count: 1, bytes: 1, ofEarlier: true)) == [])
        fixture.now = .milliseconds(10)
        #expect(
            fixture.handle(.timeElapsed) == [.send(link, [DeliveryFrame.acknowledgement(Fixture.id(2)).encoded])])
    }

    @Test("a conversation that is closed waits a moment for what is not taken yet")
    func closingUntaken() {
        var fixture = Fixture { $0.acknowledgesWhenTaken = true }
        fixture.connect()
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))]))
        _ = fixture.handle(.stored(.kept(link, new: 1, bytes: 1)))
        #expect(fixture.handle(.closeRequested) == [])
        #expect(
            fixture.handle(.tookMessages(count: 1, bytes: 1))
                == [.send(link, [DeliveryFrame.acknowledgement(Fixture.id(1)).encoded])])
        #expect(fixture.handle(.sent(link, count: 1)) == [.sayGoodbye(link)])
    }

    @Test("the peer is made to wait when the application takes nothing", arguments: [true, false])
    func backpressure(isByCount: Bool) {
        var fixture = Fixture { configuration in
            if isByCount { configuration.limits.waitingMessages = 3 } else { configuration.limits.waitingBytes = 600 }
        }
        fixture.connect()
        let arrivals = (1...4).map { Fixture.arrival(Fixture.payload($0)) }
        #expect(
            fixture.handle(.received(link, arrivals))
                == [.store(.keep(link, (1...4).map { Fixture.incoming($0) }))])
        #expect(fixture.handle(.stored(.kept(link, new: 4, bytes: 4))) == [])
        #expect(fixture.handle(.tookMessages(count: 1, bytes: 1)) == [])
        #expect(fixture.handle(.tookMessages(count: 1, bytes: 1)) == [.read(link)])
    }

    @Test("a store that fails ends the conversation")
    func storeFails() {
        var fixture = Fixture()
        fixture.connect()
        #expect(
            fixture.handle(.stored(.failed))
                == [.abandon(link, .storeFailed), .conclude(.failed(.store))])
        #expect(fixture.machine.isOver && !fixture.machine.isOpen)
        #expect(fixture.handle(.received(link, [])) == [])
    }

    @Test("what is stored before a rule was broken counts, and nothing after it")
    func violation() {
        var fixture = Fixture()
        fixture.connect()
        let error = ProtocolError.peerMisbehaved(.malformedMessage(.exchangeMessages))
        let arrivals = [Fixture.payload(1), [9], Fixture.payload(2)].map { Fixture.arrival($0) }
        #expect(
            fixture.handle(.received(link, arrivals)) == [
                .abandon(link, .violation(error)), .store(.keep(link, [Fixture.incoming(1)])),
            ])
        #expect(
            fixture.handle(.stored(.kept(link, new: 1, bytes: 1))) == [.conclude(.failed(.violation(error)))])
    }

    @Test("a later session takes the place of an earlier one, whose messages are stored first")
    func replacement() {
        var fixture = Fixture()
        fixture.connect()
        let next = LinkID(2)
        #expect(
            fixture.handle(.joined(next, Fixture.joining())) == [.abandon(link, .replaced)])
        #expect(fixture.machine.holds(link) && fixture.machine.link == next)
        #expect(
            fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))])) == [
                .read(link), .store(.keep(link, [Fixture.incoming(1)])),
            ])
        #expect(fixture.handle(.left(link, .lost(mayPass: true))) == [])
        #expect(
            fixture.handle(.stored(.kept(link, new: 1, bytes: 1)))
                == [.notify(.connected(next)), .store(.begin(next))])
        #expect(!fixture.machine.holds(link))
    }

    @Test(
        "of two sessions dialed at once, the one stays whose initiator's key comes first",
        arguments: [(true, true), (true, false), (false, true), (false, false)])
    func crossing(isInitiator: Bool, isOwnKeyFirst: Bool) {
        var fixture = Fixture()
        _ = fixture.handle(
            .joined(link, Fixture.joining(isInitiator: isInitiator, isOwnKeyFirst: isOwnKeyFirst)))
        let next = LinkID(2)
        let joining = Fixture.joining(isInitiator: !isInitiator, isOwnKeyFirst: isOwnKeyFirst)
        fixture.now = .seconds(29)
        let dropped = fixture.handle(.joined(next, joining)).first
        #expect(dropped == .abandon(isInitiator == isOwnKeyFirst ? next : link, .replaced))
        // Later on, whoever dials has given up the earlier one.
        fixture.now = .seconds(60)
        let third = Fixture.joining(
            isInitiator: (isInitiator == isOwnKeyFirst) != isInitiator, isOwnKeyFirst: isOwnKeyFirst)
        let kept = isInitiator == isOwnKeyFirst ? link : next
        #expect(fixture.handle(.joined(LinkID(3), third)).first == .abandon(kept, .replaced))
    }

    @Test("no session under a given-up key stays beside one under its successor", arguments: [false, true])
    func succession(isInitiator: Bool) {
        var fixture = Fixture()
        _ = fixture.handle(.joined(link, Fixture.joining(isInitiator: isInitiator, isOwnKeyFirst: isInitiator)))
        let joining = Fixture.joining(isInitiator: !isInitiator, isOwnKeyFirst: isInitiator, succeeds: true)
        #expect(fixture.handle(.joined(LinkID(2), joining)).first == .abandon(link, .replaced))
        #expect(fixture.machine.link == LinkID(2))
    }

    @Test("no more than four sessions wait to be stored")
    func tooManyFormer() {
        var fixture = Fixture()
        for number in 1...5 {
            _ = fixture.handle(.joined(LinkID(UInt64(number)), Fixture.joining(acknowledges: false)))
        }
        #expect(
            fixture.handle(.joined(LinkID(6), Fixture.joining(acknowledges: false)))
                == [.abandon(LinkID(6), .overloaded)])
        #expect(fixture.machine.link == LinkID(5))
    }

    // MARK: Peers of version 0.7

    @Test("to a peer of version 0.7 messages go once, and more of them while a confirmation is awaited")
    func plain() {
        var fixture = Fixture { $0.limits.batchMessages = 2 }
        fixture.connect(acknowledges: false)
        func bodies(_ count: Int) -> [[UInt8]] { Array(repeating: [7], count: count) }
        #expect(
            fixture.write(1...3) == [
                .send(link, bodies(2)), .notify(.changed([Fixture.id(1), Fixture.id(2)], .inFlight)),
                .send(link, bodies(1)), .notify(.changed([Fixture.id(3)], .inFlight)), .ping(link),
            ])
        _ = fixture.handle(.sent(link, count: 2))
        _ = fixture.handle(.sent(link, count: 1))
        #expect(
            fixture.write(4...4) == [.send(link, bodies(1)), .notify(.changed([Fixture.id(4)], .inFlight))])
        _ = fixture.handle(.sent(link, count: 1))
        #expect(
            fixture.handle(.ponged(link)) == [.store(.confirm(link, through: StreamPlace(3))), .ping(link)])
        #expect(fixture.machine.nextDeadline == nil, "it answers")
        // The connection breaks: what was not confirmed may be lost.
        #expect(
            fixture.handle(.left(link, .lost(mayPass: true)))
                == [.store(.giveUp(link, through: StreamPlace(4)))])
        _ = fixture.handle(.stored(.settled(link, (1...3).map { Fixture.id($0) }, .sent)))
        #expect(
            fixture.handle(.stored(.settled(link, [Fixture.id(4)], .maybeLost))).prefix(2) == [
                .notify(.changed([Fixture.id(4)], .maybeLost)), .notify(.disconnected(link)),
            ])
        #expect(fixture.machine.outstandingCount == 0)
    }

    @Test("what the session did not take when it broke waits for the next one")
    func plainCut() {
        var fixture = Fixture()
        fixture.connect(acknowledges: false)
        _ = fixture.write(1...3)
        _ = fixture.handle(.left(link, .lost(mayPass: true)))
        #expect(
            fixture.handle(.sent(link, count: 1)) == [.store(.giveUp(link, through: StreamPlace(1)))])
        // What is written meanwhile is not handed over to a session that sends nothing any more.
        let write = ConversationMachine.WriteID(9)
        #expect(
            fixture.handle(.wrote(write, [Fixture.message(4)]))
                == [.store(.append(write, [Fixture.message(4)], for: nil))])
        // What it did not take is still under way.
        _ = fixture.handle(.stored(.appended(write, [], for: nil)))
        _ = fixture.handle(.stored(.settled(link, [Fixture.id(1)], .maybeLost)))
        #expect(fixture.machine.outstandingCount == 3)
    }

    @Test("a peer that answers no ping is asked once, and what it was sent counts as sent")
    func mute() {
        var fixture = Fixture()
        fixture.connect(acknowledges: false)
        #expect(fixture.write(1...1).contains(.ping(link)))
        _ = fixture.handle(.sent(link, count: 1))
        #expect(fixture.machine.nextDeadline == .seconds(12))
        fixture.now = .seconds(12)
        #expect(fixture.handle(.timeElapsed) == [.store(.confirm(link, through: StreamPlace(1)))])
        #expect(!fixture.write(2...2).contains(.ping(link)))
        #expect(fixture.handle(.sent(link, count: 1)) == [.store(.confirm(link, through: StreamPlace(2)))])
    }

    @Test(
        "while the connection seems to be lost, nothing counts as sent for want of an answer", arguments: [true, false])
    func muteAndDoubted(canRedial: Bool) {
        var fixture = Fixture()
        fixture.connect(acknowledges: false, canRedial: canRedial)
        _ = fixture.write(1...1)
        _ = fixture.handle(.sent(link, count: 1))
        fixture.now = .seconds(10)
        #expect(fixture.handle(.doubted(link, true)) == (canRedial ? [.dial] : []))
        #expect(fixture.machine.nextDeadline == nil)
        fixture.now = .seconds(100)
        #expect(fixture.handle(.timeElapsed) == [])
        #expect(fixture.machine.outstandingCount == 1)
        // Another session takes the place of this one: what was under way may be lost.
        _ = fixture.handle(.joined(LinkID(2), Fixture.joining(acknowledges: false)))
        #expect(
            fixture.handle(.left(link, .closedByUs)) == [.store(.giveUp(link, through: StreamPlace(1)))])
    }

    @Test("a peer that is there again has as long to answer as before, or is known for not answering")
    func muteAndBack() {
        var fixture = Fixture()
        fixture.connect(acknowledges: false)
        _ = fixture.write(1...1)
        _ = fixture.handle(.sent(link, count: 1))
        fixture.now = .seconds(10)
        _ = fixture.handle(.doubted(link, true))
        fixture.now = .seconds(20)
        #expect(fixture.handle(.doubted(link, false)) == [.stopDialing])
        #expect(fixture.machine.nextDeadline == .seconds(32))
        fixture.now = .seconds(32)
        #expect(fixture.handle(.timeElapsed) == [.store(.confirm(link, through: StreamPlace(1)))])
        // It answers no pings. What is sent while it seems to be gone waits for news of it all the same.
        _ = fixture.handle(.doubted(link, true))
        _ = fixture.write(2...2)
        #expect(fixture.handle(.sent(link, count: 1)) == [])
        #expect(
            fixture.handle(.doubted(link, false))
                == [.store(.confirm(link, through: StreamPlace(2))), .stopDialing])
    }

    // MARK: Getting the connection back

    @Test("a lost peer is dialed at growing intervals, whatever anybody says who has not proven to be it")
    func redialing() {
        var fixture = Fixture()
        fixture.connect()
        #expect(
            fixture.handle(.left(link, .lost(mayPass: true))) == [
                .notify(.disconnected(link)), .notify(.reconnecting(attempt: 1, delay: .milliseconds(500))),
            ])
        for (attempt, delay) in zip(2..., [1, 2, 4, 8, 16, 32, 60, 60] as [Int64]) {
            fixture.now = fixture.machine.nextDeadline ?? .zero
            #expect(fixture.handle(.timeElapsed) == [.dial])
            #expect(fixture.machine.nextDeadline == nil)
            #expect(
                fixture.handle(.dialFailed(.mayPass)) == [
                    .notify(.attemptFailed), .notify(.reconnecting(attempt: attempt, delay: .seconds(delay))),
                ])
        }
        fixture.now = fixture.machine.nextDeadline ?? .zero
        _ = fixture.handle(.timeElapsed)
        // The peer comes by itself.
        #expect(fixture.handle(.joined(LinkID(2), Fixture.joining(isInitiator: false))).first == .stopDialing)
        #expect(fixture.handle(.dialFailed(.mayPass)) == [])
    }

    @Test("what makes dialing impossible ends it")
    func finalFailure() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.left(link, .lost(mayPass: true)))
        fixture.now = .seconds(1)
        _ = fixture.handle(.timeElapsed)
        #expect(fixture.handle(.dialFailed(.isFinal)) == [.conclude(.failed(.dialing))])
    }

    @Test("whoever cannot dial waits for the peer, for as long as there is patience", arguments: [true, false])
    func patience(canRedial: Bool) {
        var fixture = Fixture { $0.reconnection.patience = .seconds(1) }
        fixture.connect(canRedial: canRedial)
        _ = fixture.handle(.left(link, .lost(mayPass: true)))
        if canRedial {
            fixture.now = .milliseconds(500)
            _ = fixture.handle(.timeElapsed)
            // The next attempt would come too late.
            #expect(
                fixture.handle(.dialFailed(.mayPass))
                    == [.notify(.attemptFailed), .conclude(.failed(.dialing))])
        } else {
            #expect(fixture.machine.nextDeadline == .seconds(1))
            fixture.now = .seconds(1)
            #expect(fixture.handle(.timeElapsed) == [.conclude(.failed(.link(link)))])
        }
    }

    @Test("a session that no other would fare better than ends it")
    func lostForGood() {
        var fixture = Fixture()
        fixture.connect()
        #expect(fixture.handle(.left(link, .lost(mayPass: false))) == [.conclude(.failed(.link(link)))])
    }

    // MARK: Closing

    @Test("closing waits for what is under way, and then says goodbye")
    func closing() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.write(1...1)
        _ = fixture.handle(.sent(link, count: 1))
        #expect(fixture.handle(.closeRequested) == [])
        #expect(fixture.machine.nextDeadline == .seconds(2))
        #expect(
            fixture.handle(.joined(LinkID(2), Fixture.joining())) == [.abandon(LinkID(2), .unwanted)])
        _ = fixture.handle(
            .received(link, [Fixture.arrival(DeliveryFrame.acknowledgement(Fixture.id(1)).encoded)]))
        #expect(
            fixture.handle(.stored(.settled(link, [Fixture.id(1)], .delivered))) == [
                .notify(.changed([Fixture.id(1)], .delivered)), .sayGoodbye(link),
            ])
        #expect(fixture.handle(.left(link, .closedByUs)) == [.conclude(.closedByUs)])
    }

    @Test("what is owed is acknowledged before the goodbye, without waiting for more")
    func closingAcknowledges() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))]))
        #expect(fixture.handle(.closeRequested) == [])
        #expect(
            fixture.handle(.stored(.kept(link, new: 1, bytes: 1)))
                == [.send(link, [DeliveryFrame.acknowledgement(Fixture.id(1)).encoded])])
        #expect(fixture.handle(.sent(link, count: 1)) == [.sayGoodbye(link)])
    }

    @Test("a peer that acknowledges nothing, and a store that answers nothing, hold closing up for so long")
    func closingIsBounded() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.write(1...1)
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))]))
        _ = fixture.handle(.closeRequested)
        fixture.now = .seconds(2)
        #expect(fixture.handle(.timeElapsed) == [.sayGoodbye(link)])
        #expect(fixture.handle(.left(link, .closedByUs)) == [])
        fixture.now = .seconds(6)
        #expect(fixture.handle(.timeElapsed) == [.conclude(.closedByUs)])
    }

    @Test("closing without a connection ends it at once, and stops dialing")
    func closingApart() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.left(link, .lost(mayPass: true)))
        fixture.now = .seconds(1)
        _ = fixture.handle(.timeElapsed)
        #expect(fixture.handle(.closeRequested) == [.stopDialing, .conclude(.closedByUs)])
        #expect(fixture.machine.nextDeadline == nil)
    }

    @Test("what the peer sent before its goodbye is stored before the end")
    func goodbye() {
        var fixture = Fixture()
        fixture.connect()
        _ = fixture.handle(.received(link, [Fixture.arrival(Fixture.payload(1))]))
        #expect(fixture.handle(.left(link, .closedByPeer)) == [])
        #expect(
            fixture.handle(.stored(.kept(link, new: 1, bytes: 1))) == [.conclude(.closedByPeer)])
    }
}
