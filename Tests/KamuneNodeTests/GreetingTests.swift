import Foundation
import KamuneSocket
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

@Suite("Who is at the socket of a store", .timeLimit(.minutes(10)))
struct GreetingTests {
    /// Something else than a node, which says this to whoever connects.
    private func with(
        _ lines: [String], _ body: (StoreLocation) async throws -> Void
    ) async throws {
        let location = Household.place()
        let server = try await LineServer.start(
            atFirstOf: SocketLocation.candidates(for: location.resolved.path))
        let running = Task {
            await server.run { connection in
                for line in lines { connection.send(Array((line + "\n").utf8)) }
                await connection.receive { _ in }
            }
        }
        do {
            try await body(location)
        } catch {
            await server.close()
            running.cancel()
            throw error
        }
        await server.close()
        running.cancel()
        await running.value
    }

    @Test(
        "one of another version is not spoken to",
        arguments: [
            #"{"type":"evt","evt":"ready","data":{"version":"9","pid":"7","vocabulary":2}}"#,
            #"{"type":"evt","evt":"ready","data":{"version":"0.7.0","pid":"7"}}"#,
            #"{"type":"evt","evt":"ready","data":{}}"#, #"{"type":"evt","evt":"ready"}"#,
            #"{"type":"evt","evt":"hello","data":{"version":"9","pid":"7","vocabulary":1}}"#,
        ])
    func otherVersion(greeting: String) async throws {
        try await with([greeting]) { location in
            let error = await #expect(throws: NodeError.self) { try await RemoteNode.connect(to: location) }
            #expect(error?.code == .incompatibleNode)
        }
    }

    @Test("one that refuses is believed")
    func refusal() async throws {
        try await with([#"{"type":"evt","evt":"error","data":{"error":"No place.","code":"too_many_clients"}}"#]) {
            let (location, code) = ($0, NodeError.Code.tooManyClients)
            await #expect(throws: NodeError(code, "No place.")) { try await RemoteNode.connect(to: location) }
        }
    }

    @Test("one that says nothing is nobody", arguments: [[], ["no JSON", "", "[]"]])
    func silence(lines: [String]) async throws {
        try await with(lines) { location in
            let window = try await RemoteNode.connect(to: location, within: .milliseconds(50))
            #expect(window == nil)
        }
    }

    @Test("what cannot be understood in an answer is told, and what is no event is passed over")
    func nonsense() async throws {
        try await with([
            #"{"type":"evt","evt":"ready","data":{"version":"0.7.0","pid":"7","vocabulary":1}}"#,
            "no JSON", #"{"type":"evt","evt":"later.event","data":{}}"#, #"{"type":"evt","evt":"message","data":{}}"#,
            #"{"type":"evt","evt":"response","id":"99","data":{}}"#,
            #"{"type":"evt","evt":"error","data":{"error":"x","code":"a_later_code"}}"#,
            #"{"type":"evt","evt":"identity.changed","data":{}}"#,
        ]) { location in
            let window = try #require(try await RemoteNode.connect(to: location))
            #expect(window.process == 7 && !window.isLocked)
            #expect(await window.next { $0 } == .identityChanged)
            let asking = Task { await window.refusal(of: ListContacts()) }
            await window.close()
            #expect(await asking.value == .nodeGone)
        }
    }
}
