import Foundation
import Kamune
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

@Suite("Conversations of nodes", .timeLimit(.minutes(10)))
struct ConversationTests {
    /// Lends two nodes that know each other.
    private func withTwo(_ body: (Household, Household) async throws -> Void) async throws {
        try await Household.with { ada in
            try await Household.with { bob in
                let stores = [ada.node.store, bob.node.store]
                let keys = try await [
                    stores[0].identity(name: "Ada").publicKey, stores[1].identity(name: "Bob").publicKey,
                ]
                _ = try await stores[0].accept(keys[1], name: "Bob", at: Date())
                _ = try await stores[1].accept(keys[0], name: "Ada", at: Date())
                try await body(ada, bob)
            }
        }
    }

    private func event(_ kind: NodeEvent.Kind, at window: any NodeAccess) async -> NodeEvent? {
        await window.next { $0.kind == kind ? $0 : nil }
    }

    /// The next attempt that a window is asked about; nil when none comes before it is closed.
    private func asked(at window: any NodeAccess) async -> VerificationID? {
        await window.next { event -> VerificationID? in
            if case .verify(let id, _, _, _) = event { id } else { nil }
        }
    }

    private func verification(at window: any NodeAccess) async throws -> VerificationID {
        try #require(await asked(at: window))
    }

    @Test("two talk, and everybody who looks at either node sees it", arguments: Way.allCases, ["", "udp://"])
    func talk(way: Way, transport: String) async throws {
        try await withTwo { ada, bob in
            let (here, there, onlooker) = (try await way.open(ada), try await way.open(bob), try await way.open(bob))
            for window in [here, there, onlooker] { _ = try await window.ask(Subscribe(to: .init())) }
            let listening = try await there.ask(Listen(on: transport + "127.0.0.1:0"))
            #expect(listening.reachable.map(\.scope) == [.thisMachine])
            let begun = try await here.ask(Dial(address: listening.address))
            #expect(begun.link?.isInitiator == true && begun.link?.isAcknowledged == true)
            for window in [there, onlooker] {
                guard case .began(let info, listener: listening.listener)? = await event(.conversationBegan, at: window)
                else {
                    Issue.record("not told")
                    return
                }
                #expect(info.link?.session == begun.link?.session && info.peer.name == "Ada")
            }
            let sent = try await here.ask(SendMessages(to: begun.contact, text: "hello"))
            #expect(sent.isConnected)
            for window in [there, onlooker] {
                guard case .message(let message)? = await event(.message, at: window) else {
                    Issue.record("not told")
                    return
                }
                #expect(message.text == "hello" && message.direction == .incoming)
                #expect(message.id == sent.messages[0].id)
            }
            #expect(
                await here.next { event -> Bool? in
                    if case .stateChanged(_, sent.messages[0].id, .delivered) = event { true } else { nil }
                } == true)
            let delivery = try await here.ask(AwaitDelivery(with: begun.contact, seconds: 60))
            #expect(delivery == AwaitDelivery.Answer(undelivered: 0, isConnected: true, isOver: false))
            #expect(try await here.ask(PingContact(begun.contact)).seconds >= 0)
            #expect(try await onlooker.ask(ListConversations()).conversations.count == 1)
            #expect(try await here.ask(HangUp(begun.contact)).isOver)
            for window in [here, there, onlooker] {
                guard case .ended(_, let end)? = await event(.conversationEnded, at: window) else {
                    Issue.record("not told")
                    return
                }
                #expect(end.error == nil && end.by != .failure)
            }
            #expect(await here.refusal(of: GetConversation(with: begun.contact)) == .notConnected)
            #expect(try await onlooker.ask(ListConversations()).conversations.isEmpty)
            let sessions = try await there.ask(ListSessions()).sessions
            #expect(sessions.count == 1 && sessions[0].ended != nil && !sessions[0].dialed)
            for window in [here, there, onlooker] { await window.close() }
        }
    }

    @Test("a conversation goes on while one who holds it open is there, and what a window waits at ends with it")
    func holders() async throws {
        try await withTwo { ada, bob in
            let (here, joined, there) = (try await ada.remote(), try await ada.remote(), try await bob.remote())
            _ = try await there.ask(Subscribe(to: .init()))
            let listening = try await there.ask(Listen(on: "127.0.0.1:0"))
            let contact = try await here.ask(Dial(address: listening.address)).contact
            #expect(try await joined.ask(JoinConversation(with: contact)).link != nil)
            #expect(try await here.ask(HangUp(contact)).isOver == false)
            await here.close()
            _ = try await joined.ask(SendMessages(to: contact, text: "still there"))
            #expect(await there.next { $0.text } == "still there")
            await joined.close()
            guard case .ended(_, let end)? = await event(.conversationEnded, at: there) else {
                Issue.record("not told")
                return
            }
            #expect(end == ConversationEnd(by: .peer, error: nil))
            await there.close()
            // Nobody waits at the address any more as soon as the window's end was seen.
            await bob.server.waitUntilAlone()
            let last = await ada.local()
            #expect(await last.refusal(of: Dial(address: listening.address)) == .unreachable)
            await last.close()
        }
    }

    @Test("only the window that somebody comes to decides about them, and only while it is asked")
    func verification() async throws {
        try await Household.with { ada in
            try await Household.with { bob in
                let (here, there, other) = (await ada.local(), try await bob.remote(), try await bob.remote())
                for window in [there, other] { _ = try await window.ask(Subscribe(to: .init(), decides: true)) }
                _ = try await here.ask(Subscribe(to: .init(), decides: true))
                let listening = try await there.ask(Listen(on: "127.0.0.1:0"))
                let dial = Task { await here.refusal(of: Dial(address: listening.address)) }
                // Whichever side is asked first.
                let answering = Task {
                    guard let id = await asked(at: here) else { return }
                    _ = try await here.ask(AnswerVerification(id, accepting: .policy))
                }
                let id = try await verification(at: there)
                // The wrong window, and one that was never asked.
                let person = AnswerVerification(id, accepting: .person)
                #expect(await other.refusal(of: person) == .noSuchRecord)
                let another = AnswerVerification(VerificationID(id.number + 1), accepting: .person)
                #expect(await there.refusal(of: another) == .noSuchRecord)
                _ = try await there.ask(AnswerVerification(id, refusing: "No.", telling: .refused))
                // Too late.
                #expect(await there.refusal(of: person) == .noSuchRecord)
                #expect(await dial.value == .refusedByPeer)
                #expect(try await other.ask(ListConversations()).conversations.isEmpty)
                #expect(try await other.ask(ListContacts()).contacts.isEmpty)
                for window in [there, other] { await window.close() }
                await here.close()
                _ = await answering.result
            }
        }
    }

    @Test("who is asked and goes has let nobody in")
    func whoIsAskedGoes() async throws {
        try await Household.with { ada in
            try await Household.with { bob in
                let (here, there) = (await ada.local(), try await bob.remote())
                _ = try await there.ask(Subscribe(to: .init(), decides: true))
                _ = try await here.ask(Subscribe(to: .init(), decides: true))
                let listening = try await there.ask(Listen(on: "127.0.0.1:0"))
                let dial = Task { await here.refusal(of: Dial(address: listening.address)) }
                let answering = Task {
                    guard let id = await asked(at: here) else { return }
                    _ = try await here.ask(AnswerVerification(id, accepting: .policy))
                }
                _ = try await verification(at: there)
                await there.close()
                #expect(await dial.value != nil)
                await here.close()
                _ = await answering.result
                #expect(try await bob.node.store.peers().isEmpty)
            }
        }
    }

    @Test("nobody decides: who is known comes in, and nobody else", arguments: [true, false])
    func nobodyDecides(isKnown: Bool) async throws {
        try await withTwo { ada, bob in
            let (here, there) = (await ada.local(), await bob.local())
            if !isKnown {
                for contact in try await there.ask(ListContacts()).contacts {
                    _ = try await there.ask(ForgetContact(contact.id))
                }
            }
            let listening = try await there.ask(Listen(on: "127.0.0.1:0"))
            let refusal = await here.refusal(of: Dial(address: listening.address))
            #expect((refusal == nil) == isKnown, "\(String(describing: refusal))")
            #expect(try await there.ask(ListContacts()).contacts.count == (isKnown ? 1 : 0))
            await here.close()
            await there.close()
        }
    }

    @Test("whoever has another key than is expected is refused, and who has it is not asked about")
    func expectation() async throws {
        try await Household.with { ada in
            try await Household.with { bob in
                let (here, there) = (await ada.local(), await bob.local())
                let keys = (try await here.ask(GetSelf()).publicKey.key, try await there.ask(GetSelf()).publicKey.key)
                let stranger = KeyFingerprint(try Identity.generate().publicKey)
                let closed = try await there.ask(Listen(on: "127.0.0.1:0", expecting: stranger))
                let expected = KeyFingerprint(keys.1)
                #expect(await here.refusal(of: Dial(address: closed.address, expecting: expected)) != nil)
                let sum = try #require(KeyFingerprint(keys.0.fingerprint.sum))
                let open = try await there.ask(Listen(on: "127.0.0.1:0", expecting: sum))
                #expect(await here.refusal(of: Dial(address: open.address, expecting: stranger)) != nil)
                let begun = try await here.ask(Dial(address: open.address, expecting: expected))
                #expect(begun.peer.publicKey.key == keys.1)
                #expect(try await here.ask(ListContacts()).contacts.map(\.key) == [keys.1])
                await here.close()
                await there.close()
            }
        }
    }

    @Test("with a new identity listeners go on at their addresses, and the next session has it")
    func rotation() async throws {
        try await withTwo { ada, bob in
            let (here, there) = (await ada.local(), try await bob.remote())
            for window in [here as any NodeAccess, there] { _ = try await window.ask(Subscribe(to: .init())) }
            let listening = try await there.ask(Listen(on: "127.0.0.1:0"))
            let before = try await there.ask(GetSelf()).publicKey
            _ = try await here.ask(Dial(address: listening.address))
            let after = try await there.ask(RotateIdentity(to: .ed25519, from: before)).publicKey
            #expect(after != before)
            #expect(await event(.identityChanged, at: there) != nil)
            guard case .ended(_, let end)? = await event(.conversationEnded, at: here) else {
                Issue.record("not told")
                return
            }
            #expect(end.by == .peer)
            let status = try await there.ask(GetNodeStatus())
            #expect(status.listeners.map(\.address) == [listening.address])
            let again = try await here.ask(Dial(address: listening.address))
            #expect(again.peer.publicKey == after && again.peer.formerKeys == [before])
            #expect(try await here.ask(ListContacts()).contacts.map(\.publicKey) == [after])
            await here.close()
            await there.close()
        }
    }
}
