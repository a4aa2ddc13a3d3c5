import Kamune
import KamuneNode
import KamuneStore

/// The node's own vocabulary, for a program that knows more than the Go daemon's protocol: a window of its own, so that what the
/// program subscribes to, and decides about, does not touch what the protocol does through another.
struct NodeVocabularyWindow: DaemonVocabulary {
    private let window: any NodeAccess

    init(_ window: any NodeAccess) { self.window = window }

    func isOrdered(_ name: String) -> Bool { NodeVocabulary.request(named: name)?.isOrdered ?? false }

    func answer(_ name: String, id: String, line: [UInt8]) async -> [UInt8] {
        guard let type = NodeVocabulary.request(named: name) else {
            return NodeLine.error(NodeError(.unknownRequest, "There is no such request."), id: id).withoutEnd
        }
        func answer<Request: NodeRequest>(_ type: Request.Type) async -> [UInt8] {
            do throws(NodeError) {
                return NodeLine.answer(try await window.ask(try NodeLine.parameters(type, in: line)), id: id)
            } catch {
                return NodeLine.error(error, id: id)
            }
        }
        return await answer(type).withoutEnd
    }

    func nextEvents() async -> [[UInt8]] {
        await window.events.next(atMost: Self.batchSize).map { NodeLine.event($0).withoutEnd }
    }

    func close() async { await window.close() }

    /// How many events are taken at once.
    private static let batchSize = 64
}

extension [UInt8] {
    /// A line without the end that it has.
    fileprivate var withoutEnd: [UInt8] { last == UInt8(ascii: "\n") ? Array(dropLast()) : self }
}
