import Foundation

/// The data of an event in JSON: for each kind the members that it has.
package struct EventData: Codable, Sendable {
    var contact: ContactID?
    var conversation: ConversationInfo?
    var listener: ListenerID?
    var link: LinkInfo?
    var error: NodeError?
    var attempt: Int?
    var seconds: Double?
    var message: MessageInfo?
    var id: MessageName?
    var state: MessageInfo.State?
    var end: ConversationEnd?
    var address: String?
    var verification: VerificationID?
    var peer: PeerInfo?
    var recognition: Recognition?
}

extension NodeEvent {
    /// The members of the event's data.
    var data: EventData {
        switch self {
        case .began(let info, let listener): EventData(conversation: info, listener: listener)
        case .connected(let contact, let link): EventData(contact: contact, link: link)
        case .disconnected(let contact, let error), .reconnectionFailed(let contact, let error):
            EventData(contact: contact, error: error)
        case .reconnecting(let contact, let attempt, let seconds):
            EventData(contact: contact, attempt: attempt, seconds: seconds)
        case .message(let message): EventData(message: message)
        case .stateChanged(let contact, let id, let state): EventData(contact: contact, id: id, state: state)
        case .ended(let info, let end): EventData(conversation: info, end: end)
        case .handshakeFailed(let listener, let address, let error):
            EventData(listener: listener, error: error, address: address)
        case .listenerFailed(let listener, let error): EventData(listener: listener, error: error)
        case .verify(let id, let peer, let recognition, let listener):
            EventData(listener: listener, verification: id, peer: peer, recognition: recognition)
        case .verificationOver(let id): EventData(verification: id)
        case .contactChanged(let contact), .contactForgotten(let contact): EventData(contact: contact)
        case .identityChanged, .requestsChanged, .lagged: EventData()
        }
    }

    /// The event of a kind with these members; nil when one is missing.
    package init?(_ kind: Kind, _ data: EventData) {
        switch kind {
        case .conversationBegan:
            guard let info = data.conversation else { return nil }
            self = .began(info, listener: data.listener)
        case .connected:
            guard let contact = data.contact, let link = data.link else { return nil }
            self = .connected(contact, link)
        case .disconnected:
            guard let contact = data.contact, let error = data.error else { return nil }
            self = .disconnected(contact, error)
        case .reconnecting:
            guard let contact = data.contact, let attempt = data.attempt, let seconds = data.seconds else { return nil }
            self = .reconnecting(contact, attempt: attempt, seconds: seconds)
        case .reconnectionFailed:
            guard let contact = data.contact, let error = data.error else { return nil }
            self = .reconnectionFailed(contact, error)
        case .message:
            guard let message = data.message else { return nil }
            self = .message(message)
        case .stateChanged:
            guard let contact = data.contact, let id = data.id, let state = data.state else { return nil }
            self = .stateChanged(contact, id, state)
        case .conversationEnded:
            guard let info = data.conversation, let end = data.end else { return nil }
            self = .ended(info, end)
        case .handshakeFailed:
            guard let listener = data.listener, let address = data.address, let error = data.error else { return nil }
            self = .handshakeFailed(listener, address: address, error)
        case .listenerFailed:
            guard let listener = data.listener, let error = data.error else { return nil }
            self = .listenerFailed(listener, error)
        case .verify:
            guard let id = data.verification, let peer = data.peer, let recognition = data.recognition else {
                return nil
            }
            self = .verify(id, peer, recognition, listener: data.listener)
        case .verificationOver:
            guard let id = data.verification else { return nil }
            self = .verificationOver(id)
        case .contactChanged:
            guard let contact = data.contact else { return nil }
            self = .contactChanged(contact)
        case .contactForgotten:
            guard let contact = data.contact else { return nil }
            self = .contactForgotten(contact)
        case .identityChanged: self = .identityChanged
        case .requestsChanged: self = .requestsChanged
        case .lagged: self = .lagged
        }
    }
}
