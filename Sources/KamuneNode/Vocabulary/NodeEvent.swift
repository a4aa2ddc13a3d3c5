/// Something that a node tells.
public enum NodeEvent: Sendable, Equatable {
    /// A conversation has begun.
    case began(ConversationInfo, listener: ListenerID?)
    /// The two are connected, for the first time or again.
    case connected(ContactID, LinkInfo)
    /// The connection is lost. Nothing is lost with it that was stored.
    case disconnected(ContactID, NodeError)
    /// The contact will be dialed again after so many seconds.
    case reconnecting(ContactID, attempt: Int, seconds: Double)
    /// Dialing came to nothing and will be tried again. What it says may come from anybody on the path.
    case reconnectionFailed(ContactID, NodeError)
    /// A message came in, or was written here; it is stored.
    case message(MessageInfo)
    /// A message of ours has come further.
    case stateChanged(ContactID, MessageName, MessageInfo.State)
    /// A conversation is over.
    case ended(ConversationInfo, ConversationEnd)
    /// A handshake with somebody who came to one of our addresses came to nothing.
    case handshakeFailed(ListenerID, address: String, NodeError)
    /// Waiting at an address has come to an end by itself.
    case listenerFailed(ListenerID, NodeError)
    /// Somebody has introduced themselves to a listener, or at an address, of this client, which decides. Answer with
    /// `verification.answer`.
    case verify(VerificationID, PeerInfo, Recognition, listener: ListenerID?)
    /// The answer is not wanted any more: they have gone, or the time is over.
    case verificationOver(VerificationID)
    /// Something about a contact has changed: its name, trust, addresses, or that it is there.
    case contactChanged(ContactID)
    /// A contact was forgotten.
    case contactForgotten(ContactID)
    /// Who we are has changed.
    case identityChanged
    /// The requests of strangers have changed.
    case requestsChanged
    /// This client has read too slowly, so that events were left out. The store has the messages.
    case lagged
}

/// Names an address that a node listens at.
public struct ListenerID: Codable, Sendable, Hashable {
    /// The number.
    public let number: Int

    /// A number.
    public init(_ number: Int) { self.number = number }

    /// Reads the number.
    public init(from decoder: any Decoder) throws {
        number = try decoder.singleValueContainer().decode(Int.self)
    }

    /// Writes the number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }
}

/// Names one attempt of somebody to be let in.
public struct VerificationID: Codable, Sendable, Hashable {
    /// The number.
    public let number: Int

    /// A number.
    public init(_ number: Int) { self.number = number }

    /// Reads the number.
    public init(from decoder: any Decoder) throws {
        number = try decoder.singleValueContainer().decode(Int.self)
    }

    /// Writes the number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }
}

extension NodeEvent {
    /// Which kind of event it is: its name in JSON.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case conversationBegan = "conversation.began"
        case connected = "conversation.connected"
        case disconnected = "conversation.disconnected"
        case reconnecting = "conversation.reconnecting"
        case reconnectionFailed = "conversation.reconnection_failed"
        case message = "message"
        case stateChanged = "message.state"
        case conversationEnded = "conversation.ended"
        case handshakeFailed = "listener.handshake_failed"
        case listenerFailed = "listener.failed"
        case verify = "verification.asked"
        case verificationOver = "verification.over"
        case contactChanged = "contact.changed"
        case contactForgotten = "contact.forgotten"
        case identityChanged = "identity.changed"
        case requestsChanged = "requests.changed"
        case lagged = "lagged"
    }

    /// Which kind of event it is.
    public var kind: Kind {
        switch self {
        case .began: .conversationBegan
        case .connected: .connected
        case .disconnected: .disconnected
        case .reconnecting: .reconnecting
        case .reconnectionFailed: .reconnectionFailed
        case .message: .message
        case .stateChanged: .stateChanged
        case .ended: .conversationEnded
        case .handshakeFailed: .handshakeFailed
        case .listenerFailed: .listenerFailed
        case .verify: .verify
        case .verificationOver: .verificationOver
        case .contactChanged: .contactChanged
        case .contactForgotten: .contactForgotten
        case .identityChanged: .identityChanged
        case .requestsChanged: .requestsChanged
        case .lagged: .lagged
        }
    }

    /// Whom it is about.
    public var contact: ContactID? {
        switch self {
        case .began(let info, _), .ended(let info, _): info.contact
        case .connected(let id, _), .disconnected(let id, _), .reconnecting(let id, _, _),
            .reconnectionFailed(let id, _), .stateChanged(let id, _, _), .contactChanged(let id),
            .contactForgotten(let id):
            id
        case .message(let message): message.contact
        case .handshakeFailed, .listenerFailed, .verify, .verificationOver, .identityChanged, .requestsChanged,
            .lagged:
            nil
        }
    }

    /// What the event takes in memory, and about what its JSON takes, in bytes.
    var size: Int {
        if case .message(let message) = self { message.size } else { 512 }
    }
}
