import Kamune
import KamuneStore

func converse() async throws {
    let location = StoreLocation(path: "ada.db")
    let store = try await Store.openOrCreate(at: location, credential: .passphrase("…"))
    let me = Messenger(identity: try await store.identity(name: "Ada"), name: "Ada", verifier: .anyone, store: store)
    let conversation = try await me.dial("example.org:9000")
    try await conversation.send("hello")
    for try await event in conversation.events {
        if case .message(let message) = event { print(message.text) }
    }
}

func converse(at location: StoreLocation, verifier: some PeerVerifier) async throws {
    let store = try await Store.openOrCreate(at: location, credential: .passphrase("…"))
    let identity = try await store.identity(name: "Ada")
    let me = Messenger(identity: identity, name: "Ada", verifier: verifier, store: store)
    let conversation = try await me.dial("example.org:9000")
    try await conversation.send("hello")
    for try await event in conversation.events {
        if case .message(let message) = event { print(message.text) }
    }
}

func talk(to address: String, as identity: Identity, in store: Store) async throws {
    let me = Messenger(identity: identity, name: "Ada", verifier: .anyone, store: store)
    let conversation = try await me.dial(address)
    try await conversation.send("hello")
    for try await event in conversation.events {
        switch event {
        case .message(let message): print(message.text)
        case .stateChanged(_, let state): print("It is now \(state).")
        case .disconnected: print("Reconnecting.")
        case .connected(let session): print(session.isResumed ? "Back." : "Connected.")
        case .reconnecting, .reconnectionFailed, .ended: break
        }
    }
}
