import KamuneTestKit
import Testing

/// A listener on a host with several addresses, all of which are to work, whichever of them the system would answer from.
@Suite("Several addresses", .enabled(if: EmulatedConversation.isPossible, EmulatedConversation.obstacle))
struct SeveralAddressesTests {
    /// What runs on the two hosts.
    private struct Hosts {
        let network: EmulatedNetwork
        let home: Home

        init() async throws {
            network = try await EmulatedNetwork(program: Binary.networkLab(), link: "delay=5ms", timeLimit: 300)
            home = try Home()
        }

        private static let environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"]

        /// Adds addresses to the second host, or takes them away, and sees to it that the first can reach them.
        func change(_ addresses: [String], _ verb: String) async throws {
            let script = addresses.map { address in
                let isIPv6 = address.contains(":")
                // Without an address for all, which the system then shows the address itself as.
                return isIPv6
                    ? "ip -6 address \(verb) \(address)/64 dev kamune1 nodad"
                    : "ip address \(verb) \(address)/24 dev kamune1"
            }
            try await run(script.joined(separator: "\n"), on: .second)
            guard verb == "add" else { return }
            let routes = addresses.filter { !$0.contains(":") }.map { "ip route replace \($0) dev kamune0" }
            if !routes.isEmpty { try await run(routes.joined(separator: "\n"), on: .first) }
        }

        private func run(_ script: String, on host: EmulatedNetwork.Host) async throws {
            let shell = try Child(
                program: "/usr/bin/env", network.command(["sh", "-ec", script], on: host), home: home,
                environment: Self.environment)
            await shell.expectExit(0)
        }

        func start(_ arguments: [String], on host: EmulatedNetwork.Host) throws -> Child {
            let home = try Home()
            let command = [try Binary.path()] + arguments + ["--verify", "all"] + home.storeArguments(for: arguments)
            return try Child(
                program: "/usr/bin/env", network.command(command, on: host), home: home,
                environment: Self.environment.merging(["XDG_DATA_HOME": home.path, "HOME": home.path]) { first, _ in
                    first
                })
        }

        /// Says a line to an address of the listener, which is to confirm it.
        func say(_ text: String, to address: String, over transport: EmulatedConversation.Transport) async throws {
            let host = address.contains(":") ? "[\(address)]" : address
            let dialer = try start(["dial", "\(transport.rawValue)://\(host):9000", "--reconnect", "0"], on: .first)
            dialer.write(text + "\n")
            dialer.closeInput()
            await dialer.expectExit(0)
        }
    }

    @Test("each of them answers, those too that come later", arguments: EmulatedConversation.Transport.allCases)
    func all(transport: EmulatedConversation.Transport) async throws {
        let hosts = try await Hosts()
        let early = ["10.77.0.2", "fd77::2", "10.88.0.1", "fd77::22"]
        let late = ["10.88.0.2", "fd77::33"]
        try await hosts.change(Array(early.suffix(2)), "add")
        let listener = try hosts.start(
            ["listen", "\(transport.rawValue)://:9000", "--keep-listening"], on: .second)
        let isListening = await listener.errors.wait(within: Child.patience) { $0.contains("Listening on") }
        try #require(isListening, "\(listener.errors.text)")
        listener.closeInput()
        for (number, address) in early.enumerated() {
            try await hosts.say("early \(number)", to: address, over: transport)
        }
        try await hosts.change(late, "add")
        for (number, address) in (late + early).enumerated() {
            try await hosts.say("late \(number)", to: address, over: transport)
        }
        try await hosts.change(["fd77::22"], "delete")
        try await hosts.say("last", to: "fd77::33", over: transport)
        try await hosts.change(["fd77::22"], "add")
        try await hosts.say("again", to: "fd77::22", over: transport)
        let expected =
            early.indices.map { "early \($0)" } + (late + early).indices.map { "late \($0)" } + ["last", "again"]
        #expect(listener.output.raw == expected.map { $0 + "\n" }.joined())
    }

    /// The listener has something to say while there is no way to anywhere, for which the system takes its socket away.
    @Test("an interface that is down for a moment ends no conversation and no listener")
    func interfaceGoesDown() async throws {
        let conversation = try await EmulatedConversation(over: .udp, link: "delay=5ms")
        await conversation.exchange("before")
        let home = try Home()
        func run(_ script: String) async throws {
            let shell = try Child(
                program: "/usr/bin/env", conversation.network.command(["sh", "-ec", script], on: .second), home: home,
                environment: ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"])
            await shell.expectExit(0)
        }
        try await run("ip link set kamune1 down")
        conversation.listener.write("during\n")
        try await run("sleep 2; ip link set kamune1 up")
        let hasArrived = await conversation.dialer.output.wait(within: Child.patience) { $0.contains("during\n") }
        #expect(hasArrived, "\(conversation.listener.errors.text)")
        await conversation.exchange("after")
        await conversation.end()
        #expect(conversation.dialer.output.raw == "before, answer\nduring\nafter, answer\n")
    }
}
