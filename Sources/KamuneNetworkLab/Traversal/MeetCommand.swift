import ArgumentParser
import Kamune
import KamuneBroker
import KamuneCrypto
import KamuneTransport

/// `meet`: a session with somebody who is met by a broker alone, of version 0.7 for example. Who waits answers each message
/// by the same; who dials sends one and waits for the answer.
struct MeetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meet", abstract: "Meet somebody by a broker, as version 0.7 does, and talk a little.")

    @Option(help: "The broker, as address:port.")
    var broker: String

    @Option(help: "The token: 32 hexadecimal digits, or 16 characters. Without one, the broker draws it, and we wait.")
    var token: String?

    @Flag(help: "Dial whoever waits with the token; otherwise wait.")
    var dial = false

    func run() async throws {
        guard let broker = IPEndpoint(parsing: broker) else { throw ValidationError("“\(broker)” is no endpoint.") }
        let token = token.map { parseHexadecimal($0) ?? Array($0.utf8) }
        let endpoint = try ProbeTransport.endpoint()
        var random = SystemRandomSource()
        let key = try X25519PrivateKey.generate(using: &random)
        if dial {
            guard let token else { throw ValidationError("Whoever dials needs the token.") }
            let connection = try await BrokerMeeting.dial(broker: broker, token: token, key: key)
            let session = try await endpoint.initiate(over: connection)
            try await session.send(Array("from afar".utf8))
            for try await message in session.messages {
                TraverseCommand.say("heard \(String(decoding: message.bytes, as: UTF8.self))")
                break
            }
            return await session.close()
        }
        let listener = try await BrokerMeeting.listen(broker: broker, token: token, key: key)
        TraverseCommand.say("token \(hexadecimal(listener.token))")
        while let connection = try await listener.accept() {
            do {
                let session = try await endpoint.respond(over: connection)
                TraverseCommand.say("met \(connection.info.remoteAddress)")
                for try await message in session.messages {
                    TraverseCommand.say("heard \(String(decoding: message.bytes, as: UTF8.self))")
                    try await session.send(message.bytes)
                }
            } catch {
                TraverseCommand.say("lost: \(error)")
            }
        }
    }
}
