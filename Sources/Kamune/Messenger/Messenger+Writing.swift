import Foundation
public import KamuneStore
import KamuneSystem

extension Messenger {
    /// Sends messages to a peer, whether or not they are there, in this order. They are stored when this returns, and go out in
    /// the conversation that is under way, or in the next one.
    ///
    /// - Parameters:
    ///   - bodies: Each as large as ``Conversation/send(_:kind:)-([UInt8],_)`` takes.
    ///   - kind: What they carry.
    /// - Throws: ``KamuneError/Code/messageTooLarge``; ``KamuneError/Code/misuse`` when the store knows no such peer;
    ///   ``KamuneError/Code/system`` when they cannot be stored.
    @discardableResult
    public func write(
        _ bodies: [[UInt8]], kind: MessageKind = .text, to peer: PeerID
    ) async throws(KamuneError) -> [StoredMessage] {
        try Conversation.checkSizes(of: bodies, endpoint.configuration)
        if let conversation = conversation(with: peer) {
            do throws(KamuneError) {
                return try await conversation.send(contentsOf: bodies, kind: kind)
            } catch {
                // It is over, and nothing was stored.
                guard error.code == .sessionEnded else { throw error }
            }
        }
        let now = endpoint.configuration.time.date
        let messages: [StoredMessage]
        do throws(StoreError) {
            messages = try await store.append(
                contentsOf: bodies.map { .outgoing(to: peer, body: $0, at: now, kind: kind) }
            ).map(\.message)
        } catch .noSuchRecord {
            throw KamuneError(.misuse, "The store knows no such peer, or knows them as another one's now.")
        } catch {
            throw KamuneError(error)
        }
        // One that has begun meanwhile may have looked into the store before.
        await conversation(with: peer)?.storeHasMore()
        return messages
    }

    /// Sends a text to a peer as UTF-8, whether or not they are there. See ``write(_:kind:to:)``.
    @discardableResult
    public func write(_ text: String, to peer: PeerID) async throws(KamuneError) -> StoredMessage {
        guard let message = try await write([Array(text.utf8)], to: peer).first else {
            throw KamuneError(.system, "The message was not stored.")
        }
        return message
    }
}
