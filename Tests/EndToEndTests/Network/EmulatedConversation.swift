import Foundation
import KamuneTestKit
import Testing

/// The command on two hosts with an emulated link between them: one listens, the other has dialed.
struct EmulatedConversation {
    let network: EmulatedNetwork
    let listener: Child
    let dialer: Child

    /// How long anything may take on the worst link: TCP waits longer and longer when packets get lost.
    static let patience = Duration.seconds(240)

    /// Why there is none on this machine, if so.
    static let obstacle: Comment = "\(EmulatedNetwork.obstacle ?? "")"
    static let isPossible = EmulatedNetwork.obstacle == nil
    /// Whether there is time for everything: every rung of the ladder, and what takes minutes.
    static let isThorough = ProcessInfo.processInfo.environment["KAMUNE_TEST_NETWORK"] == "full"

    /// How the two talk.
    enum Transport: String, CaseIterable, CustomTestStringConvertible {
        case tcp
        case udp

        var testDescription: String { rawValue }

        func address(of host: EmulatedNetwork.Host, isIPv6: Bool) -> String {
            "\(rawValue)://\(isIPv6 ? "[\(host.addressIPv6)]" : host.address):9000"
        }
    }

    /// - Parameter options: What the address says besides, such as `?turbo`.
    init(over transport: Transport, link: String, isIPv6: Bool = false, options: String = "") async throws {
        let address = transport.address(of: .second, isIPv6: isIPv6) + options
        network = try await EmulatedNetwork(program: Binary.networkLab(), link: link, timeLimit: 600)
        listener = try Self.start(["listen", address, "--handshake-timeout", "200"], on: .second, of: network)
        let isListening = await listener.errors.wait(within: Child.patience) { $0.contains("Listening on") }
        try #require(isListening, "\(listener.errors.text)")
        dialer = try Self.start(
            ["dial", address, "--handshake-timeout", "200", "--dial-timeout", "120"], on: .first, of: network)
        let (dialer, listener) = (dialer, listener)
        for child in [dialer, listener] {
            let isConnected = await child.errors.wait(within: Self.patience) { $0.contains("Connected with") }
            try #require(isConnected, "dialer: \(dialer.errors.text) listener: \(listener.errors.text)")
        }
    }

    private static func start(
        _ arguments: [String], on host: EmulatedNetwork.Host, of network: EmulatedNetwork
    ) throws -> Child {
        let home = try Home()
        let command = [try Binary.path()] + arguments + ["--verify", "all"] + home.storeArguments(for: arguments)
        return try Child(
            program: "/usr/bin/env", network.command(command, on: host), home: home,
            environment: [
                "XDG_DATA_HOME": home.path, "HOME": home.path, "PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
            ])
    }

    /// Says a line each way.
    func exchange(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async {
        await say("\(text), question", from: dialer, to: listener, sourceLocation)
        await say("\(text), answer", from: listener, to: dialer, sourceLocation)
    }

    private func say(_ text: String, from: Child, to: Child, _ sourceLocation: SourceLocation) async {
        from.write(text + "\n")
        let hasArrived = await to.output.wait(within: Self.patience) { $0.contains(text + "\n") }
        #expect(
            hasArrived, "“\(text)”; dialer: \(dialer.errors.text) listener: \(listener.errors.text)",
            sourceLocation: sourceLocation)
    }

    /// Ends the conversation from the dialer's side, and checks that both sides see a goodbye.
    func end(sourceLocation: SourceLocation = #_sourceLocation) async {
        dialer.closeInput()
        await dialer.expectExit(0, sourceLocation: sourceLocation)
        listener.closeInput()
        await listener.expectExit(0, sourceLocation: sourceLocation)
    }
}
