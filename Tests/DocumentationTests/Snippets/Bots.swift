import Kamune
import KamuneService
import KamuneStore

func service(location: StoreLocation, passphrase: String) async throws {
    let messenger = try await Messenger.open(at: location, credential: .passphrase(passphrase), name: "Echo")
    let service = MessengerService(messenger, listeningOn: ["0.0.0.0:9000"]) { conversation, event in
        if case .message(let message) = event { try await conversation.send(message.body) }
    }
    try await service.runUntilSignalled()
}

func verifier(store: Store) -> StoreVerifier {
    let verifier = StoreVerifier(store) { peer, recognition in
        recognition.isNameConflict ? .refuse(reason: "Another \(peer.name) is known.") : .accept(.person)
    }
    return verifier
}

func reach(messenger: Messenger, peer: PeerID) async throws {
    let reach = Reach(messenger)
    await reach.start()
    try await messenger.write("hello", to: peer)
    await reach.noteWritten(to: peer)
}

func everything(messenger: Messenger) async throws {
    for try await event in await messenger.events {
        if case .message(let message) = event.event { print(event.conversation.peer.name, message.text) }
    }
}
