import Foundation
import Kamune
import KamuneSocket
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

@Suite("What programs say at a node's socket", .timeLimit(.minutes(10)))
struct ServingTests {
    @Test("the greeting says who is there, and comes first")
    func greeting() async throws {
        try await Household.with { house in
            let client = try await RawClient.open(house.location)
            let said = try #require(try await client.hear())
            #expect(said.head.evt == "ready" && said.head.type == "evt")
            let greeting = try said.data(NodeLine.Greeting.self)
            #expect(greeting.pid == "\(getpid())" && greeting.vocabulary == NodeVocabulary.version)
            #expect(greeting.locked == false)
            await client.vanish()
        }
    }

    @Test("what is no request is told so, by the id where there is one, and the next is answered")
    func malformed() async throws {
        try await Household.with { house in
            let client = try await RawClient.open(house.location)
            _ = try await client.hear()
            let deep = String(repeating: "[", count: 100_000)
            for (line, id) in [
                ("", nil), ("{", nil), ("null", nil), ("[]", nil), ("\"x\"", nil), ("{}", nil), (deep, nil),
                (#"{"type":"cmd"}"#, nil), (#"{"type":"evt","evt":"ready","id":"1"}"#, "1"),
                (#"{"type":"cmd","id":"2"}"#, "2"), (#"{"type":"cmd","cmd":7,"id":"3"}"#, nil),
                (#"{"type":"cmd","cmd":"contacts.list","id":4}"#, nil),
                (#"{"type":"nothing","cmd":"x","id":"5"}"#, "5"),
            ] as [(String, String?)] {
                await client.say(line)
                let said = try #require(try await client.hear())
                #expect(said.code == .malformed && said.head.id == id, "\(line.prefix(80)): \(said.text)")
            }
            await client.say([0xFF, 0xFE, 0x00, 0x7B])
            #expect(try await client.hear()?.code == .malformed)
            #expect(try await client.answer(to: "contacts.list").head.evt == "response")
            await client.vanish()
        }
    }

    @Test("parameters that are missing, wrong or absurd are named, and nothing is done")
    func parameters() async throws {
        try await Household.with { house in
            let client = try await RawClient.open(house.location)
            _ = try await client.hear()
            let ada = try await house.contact("Ada")
            for (name, parameters, word) in [
                ("contacts.get", nil, "contact"), ("contacts.get", "{}", "contact"),
                ("contacts.get", #"{"contact":7}"#, "contact"), ("contacts.get", #"{"contact":"x"}"#, "contact"),
                ("contacts.get", #"{"contact":"00000000000000FF"}"#, "contact"),
                ("contacts.get", #"{"contact":null}"#, "contact"), ("contacts.get", "[]", "no JSON object"),
                ("contacts.get", "7", "no JSON object"),
                ("contacts.rename", #"{"contact":"\#(ada)","own_name":[]}"#, "own_name"),
                ("contacts.block", #"{"contact":"\#(ada)","is_blocked":"yes"}"#, "is_blocked"),
                ("contacts.block", #"{"contact":"\#(ada)"}"#, "is_blocked"),
                ("messages.list", #"{"limit":"x"}"#, "limit"), ("messages.list", #"{"limit":1e400}"#, "does not fit"),
                ("messages.list", #"{"limit":99999999999999999999}"#, "does not fit"),
                ("messages.list", #"{"limit":-1}"#, "limit"), ("messages.list", #"{"from":"yesterday"}"#, "from"),
                ("messages.list", #"{"before":"x"}"#, "before"),
                ("messages.send", #"{"contact":"\#(ada)","bodies":["%"]}"#, "bodies"),
                ("messages.send", #"{"contact":"\#(ada)","text":"x","kind":256}"#, "does not fit"),
                ("contacts.add", #"{"own_name":"x","key":"x"}"#, "key"),
                ("identities.create", #"{"algorithm":"rot13"}"#, "ed25519"),
                ("store.backup", #"{"path":"relative","backup_passphrase":"x"}"#, "absolute"),
                ("node.unlock", "{}", "passphrase"),
            ] as [(String, String?, String)] {
                let said = try await client.answer(to: name, parameters)
                #expect(said.code == .invalidParameter, "\(name) \(parameters ?? ""): \(said.text)")
                #expect(said.text.contains(word), "\(name) \(parameters ?? ""): \(said.text)")
            }
            #expect(try await house.node.store.messageCount(with: ada.peer) == 0)
            #expect(try await client.answer(to: "no.such_request", "{}").code == .unknownRequest)
            let long = String(repeating: "x", count: 10_000)
            let said = try await client.answer(to: long)
            #expect(said.code == .unknownRequest && said.bytes.count < 1_000)
            // What is not known besides is for later versions.
            let later = try await client.answer(to: "contacts.get", #"{"contact":"\#(ada)","later":{"x":[1]}}"#)
            #expect(later.head.evt == "response")
            await client.vanish()
        }
    }

    @Test("a line of more than 1 MiB is thrown away, and one of 1 MiB is not")
    func longLines() async throws {
        try await Household.with { house in
            let client = try await RawClient.open(house.location)
            _ = try await client.hear()
            let head = #"{"type":"cmd","cmd":"contacts.list","id":"long","x":""#
            let room = LineConnection.maximumLineSize - head.utf8.count - 2
            await client.say(head + String(repeating: "x", count: room) + "\"}")
            #expect(try await client.hear()?.head.evt == "response")
            await client.say(head + String(repeating: "x", count: room + 1) + "\"}")
            #expect(try await client.hear()?.code == .tooLarge)
            #expect(try await client.answer(to: "contacts.list").head.evt == "response")
            await client.vanish()
            // The same by a window, which does not even try.
            let (remote, ada) = (try await house.remote(), try await house.contact("Ada"))
            let text = String(repeating: "x", count: LineConnection.maximumLineSize)
            #expect(await remote.refusal(of: SendMessages(to: ada, text: text)) == .tooLarge)
            #expect(try await remote.ask(ListContacts()).contacts.count == 1)
            await remote.close()
        }
    }

    @Test("64 look through a node at once, the next is told so, and finds a place when one goes")
    func places() async throws {
        try await Household.with { house in
            var clients: [RawClient] = []
            for _ in 0..<NodeServer.maximumClients {
                let client = try await RawClient.open(house.location)
                #expect(try await client.hear()?.head.evt == "ready")
                clients.append(client)
            }
            var visitors: [RawClient] = []
            for _ in 0..<NodeServer.maximumVisitors {
                let visitor = try await RawClient.open(house.location)
                #expect(try await visitor.hear()?.data(NodeLine.Greeting.self).full == true)
                visitors.append(visitor)
            }
            for _ in 0..<3 {
                let refused = try await RawClient.open(house.location)
                #expect(try await refused.hear()?.code == .tooManyClients)
                #expect(try await refused.hear() == nil)
                let error = await #expect(throws: NodeError.self) { try await RemoteNode.connect(to: house.location) }
                #expect(error?.code == .tooManyClients)
            }
            for visitor in visitors { await visitor.vanish() }
            #expect(try await clients[63].answer(to: "contacts.list").head.evt == "response")
            await clients.removeLast().vanish()
            // That it has gone is seen a moment later.
            var isThere = false
            while !isThere {
                let client = try await RawClient.open(house.location)
                let said = try await client.hear()
                isThere = try said?.head.evt == "ready" && said?.data(NodeLine.Greeting.self).full == nil
                await client.vanish()
            }
            for client in clients { await client.vanish() }
            await house.server.waitUntilAlone()
        }
    }

    @Test("messages of one client are sent in the order in which it asked, though it waits for no answer")
    func order() async throws {
        try await Household.with { house in
            let client = try await RawClient.open(house.location)
            _ = try await client.hear()
            let ada = try await house.contact("Ada")
            // More than may be under way at once.
            let count = 200
            for index in 0..<count {
                await client.ask("messages.send", #"{"contact":"\#(ada)","text":"\#(index)"}"#, id: "\(index)")
            }
            for index in 0..<count { #expect(try await client.answer("\(index)").code == nil) }
            var (stored, after) = ([String](), Position?.none)
            repeat {
                let page = try await house.local().ask(GetMessagesForward(with: ada, after: after))
                stored += page.messages.map(\.text)
                after = page.next
            } while after != nil
            #expect(stored == (0..<count).map { "\($0)" })
            await client.vanish()
        }
    }

    @Test("what is stored is told to everybody else who wants to know, and what is not wanted to nobody")
    func events() async throws {
        try await Household.with { house in
            let (ada, bob) = (try await house.contact("Ada"), try await house.contact("Bob"))
            let (all, some, none) = (try await house.remote(), await house.local(), try await house.remote())
            _ = try await all.ask(Subscribe(to: .init()))
            _ = try await some.ask(Subscribe(to: .init(kinds: [.message, .lagged], contacts: [bob])))
            let writer = try await house.remote()
            _ = try await writer.ask(Subscribe(to: .init()))
            _ = try await writer.ask(SendMessages(to: ada, text: "1"))
            _ = try await writer.ask(SendMessages(to: bob, text: "2"))
            _ = try await writer.ask(RenameContact(bob, to: "Robert"))
            #expect(await all.next { $0.text } == "1")
            #expect(await all.next { $0.text } == "2")
            #expect(await all.next { $0.kind == .contactChanged ? $0.contact : nil } == bob)
            #expect(await some.next { $0 }?.text == "2")
            // Whoever has asked knows the answer.
            #expect(await writer.next { $0 }?.kind == .contactChanged)
            for window in [all, none, writer] { await window.close() }
            await some.close()
            #expect(await none.next { $0 } == nil)
        }
    }

    @Test("a node that is about to end lets nobody else in, and serves who is there to the end")
    func conclusion() async throws {
        try await Household.with { house in
            let window = try await house.remote()
            let concluding = Task { await house.server.conclude() }
            // The socket goes first.
            while let other = try await RemoteNode.connect(to: house.location) { await other.close() }
            #expect(try await window.ask(ListContacts()).contacts.isEmpty)
            await window.close()
            await concluding.value
            #expect(await house.server.clientCount == 0)
        }
    }

    @Test("the end of the node is the end of every window, and of what they wait for")
    func end() async throws {
        try await Household.with { house in
            let window = try await house.remote()
            let stranger = try await house.remote()
            try await stranger.shutDown()
            await house.server.close()
            #expect(await window.next { $0 } == nil)
            #expect(await window.refusal(of: ListContacts()) == .nodeGone)
            #expect(try await RemoteNode.connect(to: house.location) == nil)
        }
    }
}

extension NodeEvent {
    /// What a message says.
    var text: String? { if case .message(let message) = self { message.text } else { nil } }
}
