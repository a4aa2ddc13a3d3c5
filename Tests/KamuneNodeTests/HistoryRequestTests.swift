import Foundation
import Kamune
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

@Suite("Sessions, strangers and conversations without a trace, in a node's process and through its socket")
struct HistoryRequestTests {
    /// Has somebody talk with a house once, and gives the session and the contact.
    private func talk(_ house: Household, _ other: Household, _ text: String) async throws -> (String, ContactID) {
        let (here, there) = (await house.local(), await other.local())
        _ = try await here.ask(Subscribe(to: .init()))
        let own = try await other.node.store.identity(name: "Bob").publicKey
        let key = try await house.node.store.identity(name: "Ada").publicKey
        _ = try await house.node.store.accept(own, name: "Bob", at: Date())
        _ = try await other.node.store.accept(key, name: "Ada", at: Date())
        let listening = try await here.ask(Listen(on: "127.0.0.1:0"))
        let begun = try await there.ask(Dial(address: listening.address))
        _ = try await there.ask(SendMessages(to: begun.contact, text: text))
        _ = await here.next { event -> Bool? in
            if case .message = event { true } else { nil }
        }
        _ = try await there.ask(HangUp(begun.contact))
        _ = await here.next { event -> Bool? in
            if case .ended = event { true } else { nil }
        }
        await here.close()
        await there.close()
        return (try #require(begun.link?.session), ContactID(try #require(try await house.node.store.peers().first).id))
    }

    @Test("a session is renamed and deleted, and one that is not there is told so", arguments: Way.allCases)
    func sessions(way: Way) async throws {
        try await Household.with { house in
            let (session, contact) = try await Household.with { try await talk(house, $0, "hello") }
            let window = try await way.open(house)
            #expect(try await window.ask(ListSessions(counted: true)).sessions.map(\.messages?.count) == [1])
            _ = try await window.ask(RenameSession(session, to: "A plan"))
            #expect(try await window.ask(ListSessions(with: contact)).sessions.map(\.name) == ["A plan"])
            _ = try await window.ask(RenameSession(session, to: nil))
            #expect(try await window.ask(ListSessions()).sessions.map(\.name) == [nil])
            #expect(await window.refusal(of: RenameSession("nowhere", to: "x")) == .noSuchRecord)
            #expect(await window.refusal(of: DeleteSession("nowhere")) == .noSuchRecord)
            _ = try await window.ask(DeleteSession(session))
            #expect(try await window.ask(ListSessions()).sessions.isEmpty)
            #expect(try await window.ask(GetMessages(with: contact)).messages.isEmpty)
            #expect(await window.refusal(of: DeleteSession(session)) == .noSuchRecord)
            await window.close()
        }
    }

    @Test("a stranger's request is listed, accepted, refused or blocked, once", arguments: Way.allCases)
    func requests(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            _ = try await window.ask(Subscribe(to: .init(kinds: [.requestsChanged])))
            let keys = try (0..<3).map { _ in try Identity.generate().publicKey }
            for (number, key) in keys.enumerated() {
                let request = NewRequest(
                    key: key, name: "Stranger \(number)", network: "192.0.2.0", isProven: number == 0,
                    note: "hi\u{1B}[2J")
                _ = try await house.node.store.noteRequest(request, at: Date())
            }
            let list = try await window.ask(ListRequests()).requests
            #expect(list.count == 3 && list[0].isProven && list.map(\.number) == [1, 2, 3])
            #expect(list.allSatisfy { $0.note == "hi\u{1B}[2J" && $0.network == "192.0.2.0" && $0.id.count == 16 })
            func request(_ index: Int) throws -> String {
                try #require(list.first { $0.publicKey.key == keys[index] }).id
            }
            let accepted = try await window.ask(DecideRequest(try request(0), .accept, named: "Ada")).contact
            #expect(accepted?.ownName == "Ada" && accepted?.accepted != nil && accepted?.key == keys[0])
            #expect(try await window.ask(DecideRequest(try request(1), .refuse)).contact == nil)
            #expect(try await window.ask(DecideRequest(try request(2), .block)).contact?.blocked == true)
            // Whoever looks through the node is told each time.
            for _ in 0..<3 { #expect(await window.next { $0 == .requestsChanged ? true : nil } == true) }
            #expect(try await window.ask(ListRequests()).requests.isEmpty)
            for index in 0..<3 {
                #expect(await window.refusal(of: DecideRequest(try request(index), .accept)) == .noSuchRecord)
            }
            #expect(try await window.ask(ListContacts()).contacts.map(\.blocked).count == 2)
            await window.close()
        }
    }

    @Test("whoever goes incognito knows whom the person knows, and leaves nothing behind", arguments: Way.allCases)
    func incognito(way: Way) async throws {
        try await Household.with { house in
            let ada = try await house.contact("Ada")
            let own = try await house.node.store.identity(name: "Bob").publicKey
            let window: any NodeAccess
            var secret: Node?
            switch way {
            case .throughSocket:
                let remote = try await house.remote()
                try await remote.goIncognito(name: "Nobody")
                // Once, and before anything else.
                let error = await #expect(throws: NodeError.self) { try await remote.goIncognito(name: nil) }
                #expect(error?.code == .misuse)
                window = remote
            case .inProcess:
                let node = try await house.node.incognito(name: "Nobody")
                secret = node
                window = await LocalNode.open(node)
            }
            let me = try await window.ask(GetSelf())
            #expect(me.publicKey.key == own && me.name == "Nobody" && !me.isNew)
            let known = try #require(try await window.ask(ListContacts()).contacts.first)
            #expect(known.name == "Ada")
            _ = try await window.ask(RenameContact(known.id, to: "Countess"))
            _ = try await window.ask(SendMessages(to: known.id, text: "of this nothing stays"))
            #expect(try await window.ask(GetMessages()).messages.count == 1)
            await window.close()
            await secret?.close()

            let after = try await way.open(house)
            #expect(try await after.ask(GetMessages()).messages.isEmpty)
            #expect(try await after.ask(GetContact(ada)).contact.ownName == nil)
            await after.close()
        }
    }

    @Test("an answer that nobody waits for is an error", arguments: Way.allCases)
    func unasked(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            for answer in [
                AnswerVerification(VerificationID(7), accepting: .person),
                AnswerVerification(VerificationID(7), refusing: "no"),
            ] {
                #expect(await window.refusal(of: answer) == .noSuchRecord)
            }
            await window.close()
        }
    }

    @Test("who is called alike is named to whoever adds a contact", arguments: Way.allCases)
    func lookalikes(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let ada = try Identity.generate().publicKey
            #expect(try await window.ask(AddContact("Ada", key: KeyFingerprint(ada))).similar == nil)
            for name in ["ada", "ＡＤＡ", "Àda", "A da", "Аdа", "A\u{200B}da"] {
                let answer = try await window.ask(
                    AddContact(name, key: KeyFingerprint(try Identity.generate().publicKey)))
                #expect(answer.similar?.contains { $0.key == ada } == true, "\(name)")
            }
            #expect(
                try await window.ask(AddContact("Bob", key: KeyFingerprint(try Identity.generate().publicKey))).similar
                    == nil)
            // The same person once more is nobody else.
            #expect(
                try await window.ask(AddContact("Ada", key: KeyFingerprint(ada))).similar?.contains { $0.key == ada }
                    != true)
            await window.close()
        }
    }

    @Test("a dial, and a listener, may have settings of their own", arguments: Way.allCases)
    func options(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            for options in [
                LinkOptions(dialTimeout: 0), LinkOptions(dialTimeout: .infinity), LinkOptions(handshakeTimeout: -1),
                LinkOptions(handshakeTimeout: 86_401),
            ] where options.dialTimeout != .infinity || way == .inProcess {
                #expect(await window.refusal(of: Dial(address: "127.0.0.1:1", options: options)) == .invalidParameter)
                #expect(await window.refusal(of: Listen(on: "127.0.0.1:0", options: options)) == .invalidParameter)
            }
            var wrong = LinkOptions()
            wrong.congestion = "none"
            #expect(await window.refusal(of: Listen(on: "127.0.0.1:0", options: wrong)) == .invalidParameter)
            let listening = try await window.ask(
                Listen(
                    on: "udp://127.0.0.1:0", options: LinkOptions(handshakeTimeout: 5, turbo: true, congestion: .cubic))
            )
            #expect(listening.address.hasPrefix("udp://127.0.0.1:"))
            await window.close()
            // Somebody listens, and says nothing: this dial waits less long than others would.
            try await Household.with { silent in
                let (there, here) = (await silent.local(), try await way.open(house))
                _ = try await there.ask(Subscribe(to: .init(), decides: true))
                let address = try await there.ask(Listen(on: "127.0.0.1:0")).address
                _ = try await house.node.store.identity(name: "Ada")
                let other = try await silent.node.store.identity(name: "Bob").publicKey
                _ = try await house.node.store.accept(other, name: "Bob", at: Date())
                let dial = Dial(address: address, options: LinkOptions(handshakeTimeout: 0.3))
                #expect(await here.refusal(of: dial) == .timedOut)
                await here.close()
                await there.close()
            }
        }
    }
}
