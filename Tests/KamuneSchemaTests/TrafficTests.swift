import Foundation
import Kamune
import KamuneDaemon
import KamuneNode
import KamuneSchema
import KamuneSocket
import KamuneStore
import Synchronization
import Testing

@testable import KamuneSchema

@Suite("What goes over a node's socket keeps to the schemas", .timeLimit(.minutes(1)))
struct TrafficTests {
    /// What an event that asks about somebody says.
    private struct Asked: Decodable {
        let verification: VerificationID
    }

    /// A client that keeps every line as it is.
    private final class RawClient: Sendable {
        private let connection: LineConnection
        private let lines: AsyncStream<[UInt8]>
        private let reading: Task<Void, Never>

        init(_ location: StoreLocation) async throws {
            var found: LineConnection?
            for place in SocketLocation.candidates(for: location.resolved.path) where found == nil {
                found = await LineClient.connect(to: place)
            }
            let connection = try #require(found)
            self.connection = connection
            let (lines, continuation) = AsyncStream.makeStream(of: [UInt8].self)
            self.lines = lines
            reading = Task {
                await connection.receive {
                    guard case .bytes(let line) = $0 else { return }
                    continuation.yield(line)
                    // Lets in whoever comes.
                    guard let asked = try? NodeLine.data(Asked.self, in: line),
                        NodeLine.head(line)?.evt == "verification.asked"
                    else { return }
                    connection.send(
                        NodeLine.request(AnswerVerification(asked.verification, accepting: .person), id: "let in"))
                }
                continuation.finish()
            }
        }

        func send(_ line: String) { connection.send(Array((line + "\n").utf8)) }
        func send(_ line: [UInt8]) { connection.send(line) }

        /// Lines until one is what is waited for; that one is the last.
        func lines(until isLast: (NodeLine.Head) -> Bool) async throws -> [[UInt8]] {
            var all: [[UInt8]] = []
            for await line in lines {
                all.append(line)
                if isLast(try #require(NodeLine.head(line))) { return all }
            }
            throw NodeError(.nodeGone, "The node went before it said what is waited for.")
        }

        func close() async {
            connection.close()
            await reading.value
        }
    }

    /// A store in a folder that is gone after the test, a node on it, and its socket.
    private struct Served {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kamune-schema-\(UUID().uuidString)")
        let node: Node
        let server: NodeServer
        let location: StoreLocation

        init() async throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            location = StoreLocation(path: folder.appending(path: "kamune.db").path)
            node = Node(store: try await Store.create(at: location, credential: .unprotected))
            server = try await NodeServer.start(node, at: location)
        }

        func close() async {
            await server.close()
            await node.close()
            try? FileManager.default.removeItem(at: folder)
        }
    }

    /// Which schema a line must keep to.
    private func path(of head: NodeLine.Head, _ asked: [String: String]) -> String {
        guard head.evt == "response" else { return "events/\(head.evt ?? "").json" }
        return "answers/\(head.id.flatMap { asked[$0] } ?? "").json"
    }

    @Test("a conversation from the first hello to the goodbye, as two clients see it")
    func conversation() async throws {
        let validator = try SchemaValidator(NodeSchemas().files)
        let (ours, theirs) = (try await Served(), try await Served())
        let (ada, bob) = (try await RawClient(ours.location), try await RawClient(theirs.location))
        var seen: Set<String> = []
        var asked: [String: String] = [:]

        func check(_ lines: [[UInt8]]) throws {
            for line in lines {
                let head = try #require(NodeLine.head(line))
                let path = path(of: head, asked)
                seen.insert(path)
                #expect(try validator.problems(in: line, by: path) == [], "\(String(decoding: line, as: UTF8.self))")
            }
        }
        func ask<Request: NodeRequest>(_ client: RawClient, _ request: Request) async throws -> Request.Answer {
            let id = String(asked.count)
            asked[id] = Request.name
            let line = NodeLine.request(request, id: id)
            #expect(try validator.problems(in: Array(line.dropLast()), by: "requests/\(Request.name).json") == [])
            client.send(line)
            let lines = try await client.lines { $0.id == id }
            try check(lines)
            let last = try #require(lines.last)
            return try NodeLine.data(Request.Answer.self, in: last)
        }
        func wait(_ client: RawClient, for event: String) async throws -> [UInt8] {
            let lines = try await client.lines { $0.evt == event }
            try check(lines)
            return try #require(lines.last)
        }
        for client in [ada, bob] { _ = try await ask(client, Subscribe(to: .init(), decides: true)) }
        let listening = try await ask(bob, Listen(on: "127.0.0.1:0"))
        ada.send(NodeLine.request(Dial(address: listening.address), id: "dial"))
        asked["dial"] = Dial.name
        asked["let in"] = AnswerVerification.name
        let answer = try await ada.lines { $0.id == "dial" }
        try check(answer)
        let info = try NodeLine.data(ConversationInfo.self, in: try #require(answer.last))
        let bobby = info.contact
        _ = try await ask(ada, SendMessages(to: bobby, text: "Hello \u{1F44B}\n\u{1B}[2J"))
        _ = try await wait(bob, for: "message")
        _ = try await ask(ada, SendMessages(to: bobby, bodies: [[0xff, 0x00]]))
        _ = try await ask(ada, AwaitDelivery(with: bobby, seconds: 30))
        _ = try await ask(ada, GetMessages(with: bobby))
        _ = try await ask(ada, RenameContact(bobby, to: "Bob"))
        _ = try await ask(ada, GetNodeStatus())
        _ = try await ask(ada, ListContacts())
        _ = try await ask(ada, ListAddresses(of: bobby))
        _ = try await ask(ada, ListSessions())
        _ = try await ask(ada, ListIdentities())
        _ = try await ask(ada, GetSelf())
        _ = try await ask(ada, GetTerms())
        _ = try await ask(ada, GetSettings())
        _ = try await ask(ada, ListRequests())
        _ = try await ask(ada, HangUp(bobby, forAll: true))
        _ = try await wait(bob, for: "conversation.ended")
        for event in ["ready", "verification.asked", "conversation.began", "message", "conversation.ended"] {
            #expect(seen.contains("events/\(event).json"), "\(event)")
        }
        await ada.close()
        await bob.close()
        await ours.close()
        await theirs.close()
    }

    @Test("bad lines are answered with an error that keeps to its schema, and the next one is read")
    func hostile() async throws {
        let validator = try SchemaValidator(NodeSchemas().files)
        let served = try await Served()
        let client = try await RawClient(served.location)
        let deep = String(repeating: "[", count: 100_000)
        let cases: [(line: String, code: NodeError.Code)] = [
            ("", .malformed), ("nonsense", .malformed), ("[]", .malformed), ("{}", .malformed), ("null", .malformed),
            ("5", .malformed), ("\u{0}", .malformed), (deep, .malformed),
            (#"{"type":"cmd","cmd":5}"#, .malformed), (#"{"type":"evt","evt":"ready"}"#, .malformed),
            (#"{"type":"cmd","cmd":"contacts.list","id":7}"#, .malformed),
            (#"{"type":"cmd","cmd":"nothing.at.all"}"#, .unknownRequest),
            (#"{"type":"cmd","cmd":"\#(String(repeating: "x", count: 100_000))"}"#, .unknownRequest),
            (#"{"type":"cmd","cmd":"contacts.get"}"#, .invalidParameter),
            (#"{"type":"cmd","cmd":"contacts.get","params":[]}"#, .invalidParameter),
            (#"{"type":"cmd","cmd":"contacts.get","params":{"contact":"00000000000000zz"}}"#, .invalidParameter),
            (#"{"type":"cmd","cmd":"contacts.get","params":{"contact":"00000000000000ff"}}"#, .noSuchContact),
            (#"{"type":"cmd","cmd":"messages.list","params":{"limit":0}}"#, .invalidParameter),
            (#"{"type":"cmd","cmd":"messages.list","params":{"limit":1e30}}"#, .invalidParameter),
            (#"{"type":"cmd","cmd":"messages.list","params":{"from":"9999-99-99T99:99:99Z"}}"#, .invalidParameter),
            (
                #"{"type":"cmd","cmd":"conversations.await_delivery","params":{"contact":"00000000000000ff","seconds":-1}}"#,
                .invalidParameter
            ),
            (String(repeating: "x", count: LineConnection.maximumLineSize + 1), .tooLarge),
        ]
        for (line, code) in cases {
            client.send(line)
            let lines = try await client.lines { $0.evt == "error" }
            let error = try #require(lines.last)
            #expect(try validator.problems(in: error, by: "events/error.json") == [])
            let data = try NodeLine.data(NodeLine.ErrorData.self, in: error)
            #expect(data.code == code && !data.error.isEmpty, "\(line.prefix(80)): \(data)")
        }
        client.send(NodeLine.request(ListContacts(), id: "last"))
        let answer = try await client.lines { $0.id == "last" }
        #expect(try validator.problems(in: try #require(answer.last), by: "answers/contacts.list.json") == [])
        await client.close()
        await served.close()
    }

    /// The extremes of every number, time and text that a request takes.
    private static let extremes: [JSONValue] = [
        .integer(.min), .integer(.max), .integer(0), .number(1e308), .number(-1e308), .text("0000-01-01T00:00:00Z"),
        .text("9999-12-31T23:59:60.999999999+23:59"), .text(""), .text(String(repeating: "\u{0}", count: 1_000)),
        .list([]),
    ]

    @Test("extreme values are taken or refused, and end nothing", arguments: NodeVocabulary.requests.map { $0.name })
    func extremes(name: String) async throws {
        let schemas = try NodeSchemas()
        let request = try #require(schemas.requests.first { $0.name == name })
        guard case .object(let envelope) = try JSONParser.parse(request.sample),
            case .object(let parameters) = envelope.first(where: { $0.name == "params" })?.value
        else { return }
        let served = try await Served()
        let client = try await RawClient(served.location)
        var count = 0
        for (index, parameter) in parameters.enumerated() {
            for extreme in Self.extremes {
                var changed = parameters
                changed[index] = JSONMember(parameter.name, extreme)
                count += 1
                client.send(
                    JSONWriter.line(
                        .members([
                            "type": .text("cmd"), "cmd": .text(name), "id": .text("\(count)"),
                            "params": .object(changed),
                        ])) + [UInt8(ascii: "\n")])
                let id = "\(count)"
                _ = try await client.lines { $0.id == id }
            }
        }
        client.send(NodeLine.request(ListContacts(), id: "last"))
        _ = try await client.lines { $0.id == "last" }
        await client.close()
        await served.close()
    }
}
