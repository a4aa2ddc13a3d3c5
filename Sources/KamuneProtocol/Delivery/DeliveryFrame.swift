/// What travels as payload of route `exchange messages` once both sides announced `delivery/1` (§10.5): one byte that says
/// what it is, and the rest.
package enum DeliveryFrame: Equatable, Sendable {
    /// The first frame of either side: the last of the receiver's messages that is stored here, if any.
    case stored(DeliveryID?)
    /// A message.
    case message(DeliveryMessage)
    /// This message, and all that came before it in this session, is stored.
    case acknowledgement(DeliveryID)
    /// Where the sender wants to be found (§10.7); only where both sides announced `routes/1` too.
    case routes(ToldRoutes)

    private enum Tag: UInt8 {
        case stored = 0
        case message = 1
        case acknowledgement = 2
        case routes = 3
    }

    /// Reads a payload.
    ///
    /// - Throws: ``ProtocolError/PeerMisbehavior``: `malformedMessage`.
    package init(_ payload: [UInt8]) throws(ProtocolError) {
        guard let first = payload.first, let tag = Tag(rawValue: first) else {
            throw .peerMisbehaved(.malformedMessage(.exchangeMessages))
        }
        let rest = payload.dropFirst()
        switch tag {
        case .stored where rest.isEmpty:
            self = .stored(nil)
        case .stored:
            guard let id = DeliveryID(rest) else { throw .peerMisbehaved(.malformedMessage(.exchangeMessages)) }
            self = .stored(id)
        case .acknowledgement:
            guard let id = DeliveryID(rest) else { throw .peerMisbehaved(.malformedMessage(.exchangeMessages)) }
            self = .acknowledgement(id)
        case .routes:
            guard let routes = ToldRoutes(decoding: rest) else {
                throw .peerMisbehaved(.malformedMessage(.exchangeMessages))
            }
            self = .routes(routes)
        case .message:
            guard rest.count >= DeliveryMessage.overhead - 1, let id = DeliveryID(rest.prefix(DeliveryID.size)) else {
                throw .peerMisbehaved(.malformedMessage(.exchangeMessages))
            }
            let fields = rest.dropFirst(DeliveryID.size)
            let written = fields.dropFirst().prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            self = .message(
                DeliveryMessage(
                    id: id, kind: fields[fields.startIndex], written: Int64(bitPattern: written),
                    body: Array(fields.dropFirst(9))))
        }
    }

    /// The payload.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .stored(let id):
            bytes.append(Tag.stored.rawValue)
            id?.append(to: &bytes)
        case .acknowledgement(let id):
            bytes.append(Tag.acknowledgement.rawValue)
            id.append(to: &bytes)
        case .routes(let routes):
            bytes.append(Tag.routes.rawValue)
            routes.append(to: &bytes)
        case .message(let message):
            bytes.reserveCapacity(DeliveryMessage.overhead + message.body.count)
            bytes.append(Tag.message.rawValue)
            message.id.append(to: &bytes)
            bytes.append(message.kind)
            withUnsafeBytes(of: message.written.bigEndian) { bytes.append(contentsOf: $0) }
            bytes += message.body
        }
        return bytes
    }
}
