import Kamune

/// Listens for anybody, and says back what it is told.
@main
struct EchoBot {
    static func main() async throws {
        let address = CommandLine.arguments.dropFirst().first ?? "127.0.0.1:9000"
        let bot = Endpoint(identity: try .generate(.ed25519), name: "Echo", verifier: .anyone)
        let listener = try await bot.listen(on: address)
        print("Listening on \(listener.address)")
        print("Fingerprint \(bot.identity.publicKey.fingerprint.emoji.joined(separator: " "))")

        try await withThrowingDiscardingTaskGroup { group in
            for try await session in listener {
                group.addTask { await echo(session) }
            }
        }
    }

    static func echo(_ session: Session) async {
        do {
            for try await message in session.messages {
                try await session.send(message.bytes)
            }
        } catch {
            print("\(session.remoteAddress): \(error)")
        }
    }
}
