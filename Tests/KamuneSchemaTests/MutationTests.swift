import Foundation
import KamuneNode
import KamuneTestSupport
import Testing

@testable import KamuneSchema

/// What the fuzzer does with parsers that need no store, in small: Foundation's JSON is below this one, and the node above.
@Suite("Lines whose bytes were changed at random")
struct MutationTests {
    private static let rounds = 150

    private static func mutated(_ line: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var line = line
        for _ in 0...(random.next() % 3) {
            guard !line.isEmpty else { break }
            let place = Int(random.next() % UInt64(line.count))
            switch random.next() % 6 {
            case 0: line[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: line[place] ^= 1 << (random.next() % 8)
            case 2: line.remove(at: place)
            case 3: line.insert(contentsOf: line[place...].prefix(Int(random.next() % 32)), at: place)
            case 4: line.removeSubrange(place..<min(line.count, place + Int(random.next() % 16)))
            default: line.insert(Array("[]{}\",:\\0-e".utf8)[Int(random.next() % 11)], at: place)
            }
        }
        return line
    }

    @Test("a request is read or refused, and what was read is written so that it reads as the same")
    func requests() throws {
        let schemas = try NodeSchemas()
        var random = SeededRandom(3)
        var count = 0
        for request in schemas.requests {
            guard let type = NodeVocabulary.request(named: request.name) else { continue }
            for _ in 0..<Self.rounds where Self.isStable(type, Self.mutated(request.sample, &random)) { count += 1 }
        }
        #expect(count > 0)
    }

    /// Whether a line was read.
    private static func isStable<Request: NodeRequest>(_ type: Request.Type, _ line: [UInt8]) -> Bool {
        _ = NodeLine.head(line)
        guard let request = try? NodeLine.parameters(type, in: line) else { return false }
        let written = NodeLine.request(request, id: "1")
        guard let again = try? NodeLine.parameters(type, in: written) else {
            Issue.record("\(String(decoding: line, as: UTF8.self)) is written as what cannot be read")
            return true
        }
        // Sets have no order.
        if type != Subscribe.self { #expect(NodeLine.request(again, id: "1").count == written.count) }
        return true
    }

    @Test("an event or an answer is read or refused")
    func answers() throws {
        let schemas = try NodeSchemas()
        var random = SeededRandom(4)
        for event in schemas.events {
            for _ in 0..<Self.rounds {
                let line = Self.mutated(event.sample, &random)
                _ = NodeLine.head(line)
                guard let data = try? NodeLine.data(EventData.self, in: line),
                    let kind = NodeEvent.Kind(rawValue: event.name), let read = NodeEvent(kind, data)
                else { continue }
                let again = try NodeLine.data(EventData.self, in: NodeLine.event(read))
                #expect(NodeEvent(kind, again) != nil)
            }
        }
    }
}
