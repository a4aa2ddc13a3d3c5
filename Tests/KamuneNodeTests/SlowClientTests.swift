import Foundation
import Kamune
import KamuneSocket
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

@Suite("Clients that do not read, or vanish", .timeLimit(.minutes(10)))
struct SlowClientTests {
    /// More than the system and the node keep for somebody who does not read.
    private static let flood = 320
    private static let large = String(repeating: "x", count: 48 << 10)

    @Test("others notice nothing of a client who never reads, and it is told that it has missed something")
    func slowReader() async throws {
        try await Household.with { house in
            let ada = try await house.contact("Ada")
            let slow = try await RawClient.open(house.location)
            #expect(try await slow.answer(to: "node.subscribe", #"{"events":{}}"#).code == nil)
            await slow.stopReading()
            let (other, writer) = (try await house.remote(), try await house.remote())
            _ = try await other.ask(Subscribe(to: .init()))
            for index in 0..<Self.flood {
                _ = try await writer.ask(SendMessages(to: ada, text: "\(index) " + Self.large))
                #expect(await other.next { $0.text }?.hasPrefix("\(index) ") == true)
            }
            // It has not cost the node more than is allowed, nor the other a message.
            await slow.read()
            var last = -1
            let lagged = try await {
                while let said = try await slow.hear() {
                    if said.head.evt == "lagged" { return true }
                    guard said.head.evt == "message" else { continue }
                    let text = try said.data(EventData.self).message?.text ?? ""
                    let index = Int(text.prefix { $0.isNumber }) ?? -1
                    #expect(index == last + 1)
                    last = index
                }
                return false
            }()
            #expect(lagged && last < Self.flood - 1)
            // The store has the rest, and what comes from now on is told again.
            let answer = try await slow.answer(to: "messages.list", #"{"contact":"\#(ada)","limit":1}"#)
            #expect(try answer.data(GetMessages.Answer.self).messages[0].text.hasPrefix("\(Self.flood - 1) "))
            _ = try await writer.ask(SendMessages(to: ada, text: "after"))
            let after = try await slow.hear { $0.head.evt == "message" }
            #expect(try after.data(EventData.self).message?.text == "after")
            for window in [other, writer] { await window.close() }
            await slow.vanish()
        }
    }

    @Test("a window in the same process that does not read is told so too, and after what came before")
    func slowLocal() async throws {
        try await Household.with { house in
            let ada = try await house.contact("Ada")
            let (slow, writer) = (await house.local(), await house.local())
            _ = try await slow.ask(Subscribe(to: .init()))
            for index in 0..<Self.flood {
                _ = try await writer.ask(SendMessages(to: ada, text: "\(index) " + Self.large))
            }
            var last = -1
            while let text = await slow.next({ $0 == .lagged ? "" : $0.text }), !text.isEmpty {
                let index = Int(text.prefix { $0.isNumber }) ?? -1
                #expect(index == last + 1)
                last = index
            }
            #expect(last >= 1 && last < Self.flood - 1)
            _ = try await writer.ask(SendMessages(to: ada, text: "after"))
            #expect(await slow.next { $0.text } == "after")
            for window in [slow, writer] { await window.close() }
        }
    }

    @Test("answers that nobody takes keep neither the others nor the end of the node")
    func answersNobodyTakes() async throws {
        try await Household.with { house in
            let ada = try await house.contact("Ada")
            let writer = try await house.remote()
            for _ in 0..<8 { _ = try await writer.ask(SendMessages(to: ada, text: Self.large)) }
            let slow = try await RawClient.open(house.location)
            await slow.stopReading()
            for index in 0..<200 { await slow.ask("messages.list", "{}", id: "\(index)") }
            for _ in 0..<10 { #expect(try await writer.ask(GetMessages(limit: 1)).messages.count == 1) }
            await house.server.close()
            #expect(await writer.refusal(of: ListContacts()) == .nodeGone)
            await slow.vanish()
        }
    }

    @Test("who vanishes in the middle of a request, or of very many, leaves nothing behind")
    func vanishing() async throws {
        var configuration = NodeConfiguration()
        configuration.conversations.handshakeTimeout = .seconds(86_400)
        try await Household.with(configuration) { house in
            let ada = try await house.contact("Ada")
            let partial = try await RawClient.open(house.location)
            _ = try await partial.hear()
            await partial.sayUnended(#"{"type":"cmd","cmd":"messages.send","params":{"contact":"\#(ada)","text":"x"}}"#)
            await partial.vanish()
            // As many as may be under way, none of which ends by itself, and more that wait to be read.
            let silence = try Silence()
            let busy = try await RawClient.open(house.location)
            _ = try await busy.hear()
            for index in 0..<200 {
                await busy.ask("conversations.dial", #"{"address":"\#(silence.address)"}"#, id: "\(index)")
            }
            await busy.vanish()
            await house.server.waitUntilAlone()
            #expect(try await house.node.store.messageCount(with: ada.peer) == 0)
        }
    }

    @Test("a request that is not waited for any more is over, in whatever way one looks", arguments: Way.allCases)
    func cancellation(way: Way) async throws {
        var configuration = NodeConfiguration()
        configuration.conversations.handshakeTimeout = .seconds(86_400)
        try await Household.with(configuration) { house in
            let window = try await way.open(house)
            let silence = try Silence()
            let request = Task { await window.refusal(of: Dial(address: silence.address)) }
            request.cancel()
            #expect(await request.value == .cancelled)
            #expect(try await window.ask(ListContacts()).contacts.isEmpty)
            await window.close()
        }
    }
}

/// An address at which one is connected, and hears nothing.
private final class Silence: Sendable {
    let address: String
    private let descriptor: Int32

    init() throws {
        let descriptor = try retrying { socket(AF_INET, Self.streamType, 0) }
        self.descriptor = descriptor
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = try withUnsafeMutablePointer(to: &place) { place in
            try place.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = try retrying { bind(descriptor, address, size) }
                _ = try retrying { listen(descriptor, 128) }
                _ = try retrying { getsockname(descriptor, address, &size) }
            }
            return UInt16(bigEndian: place.pointee.sin_port)
        }
        address = "127.0.0.1:\(port)"
    }

    deinit { systemClose(descriptor) }

    #if canImport(Darwin)
    private static let streamType = SOCK_STREAM
    #else
    private static let streamType = Int32(SOCK_STREAM.rawValue)
    #endif
}
