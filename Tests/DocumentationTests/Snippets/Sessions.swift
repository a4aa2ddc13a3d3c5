import Kamune

func talk() async throws {
    let me = Endpoint(identity: try .generate(.ed25519), name: "Ada", verifier: .anyone)
    let session = try await me.dial("example.org:9000")
    try await session.send("hello")
    for try await message in session.messages {
        print(message.text)
    }
}

func talk(_ endpoint: Endpoint) async throws {
    let session = try await endpoint.dial("example.org:9000")
    try await session.send("hello")
    for try await message in session.messages {
        print(message.text)
    }
}

func listen(_ listener: Listener, serve: @escaping @Sendable (Session) async -> Void) async throws {
    for try await session in listener {
        Task { await serve(session) }
    }
}

func verify(friends: [PublicIdentity], answer: @escaping @Sendable (Peer) async -> Bool) -> KnownPeers {
    @Sendable func askThePerson(about peer: Peer) async -> Bool { await answer(peer) }
    let verifier = KnownPeers(
        friends,
        others: AskingVerifier { peer in
            await askThePerson(about: peer) ? .accept(.person) : .refuse(reason: "The person did not accept the peer.")
        })
    return verifier
}
