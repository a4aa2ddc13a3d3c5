import ArgumentParser
import Foundation
import KamuneBroker
import KamuneRelay

/// `broker`: the relay's UDP broker by itself.
struct BrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker", abstract: "Run a UDP broker; it ends with its standard input.")

    @Option(help: "An IP address of this machine's; by default all of them.")
    var host = ""

    @Option(help: "The port; 0 lets the system choose.")
    var port: UInt16 = 0

    func run() async throws {
        let server = try await BrokerServer.start(host: host, port: port)
        TraverseCommand.say("ready \(server.endpoints.map(\.description).joined(separator: " "))")
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                while !FileHandle.standardInput.availableData.isEmpty {}
                continuation.resume()
            }
        }
        TraverseCommand.say("\(await server.counters())")
        await server.stop()
    }
}
