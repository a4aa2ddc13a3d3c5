import ArgumentParser
import Foundation
import KamuneTransport
import KamuneTraversal

/// `map`: has the gateway let others reach a port, until its standard input ends.
struct MapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Ask the default gateway for a port of UDP, and give it back.")

    @Option(help: "The port.")
    var port: UInt16

    func run() async throws {
        guard let gateway = DefaultGateway.find() else { throw ValidationError("There is no gateway.") }
        let mapping = try await GatewayMapping.start(PortMapping(.udp, port: port), gateway: gateway)
        Thread.detachNewThread {
            while !FileHandle.standardInput.availableData.isEmpty {}
            Task { await mapping.withdraw() }
        }
        for await event in mapping.events {
            switch event {
            case .mapped(let external): TraverseCommand.say("mapped \(external)")
            case .lost: TraverseCommand.say("lost")
            case .unavailable(let reason): TraverseCommand.say("unavailable \(reason)")
            }
        }
    }
}
