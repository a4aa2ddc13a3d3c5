import KamuneTestKit
import Testing

/// On a host of its own, whose addresses change.
@Suite("Changes of the network", .enabled(if: EmulatedConversation.isPossible, EmulatedConversation.obstacle))
struct NetworkChangeTests {
    @Test("are told of, several at once as one, and what changes nothing is not")
    func told() async throws {
        let network = try await EmulatedNetwork(program: Binary.networkLab(), link: "", timeLimit: 120)
        let home = try Home()
        let environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"]
        func run(_ script: String) async throws {
            let shell = try Child(
                program: "/usr/bin/env", network.command(["sh", "-ec", script], on: .first), home: home,
                environment: environment)
            await shell.expectExit(0)
        }
        let watch = try Child(
            program: "/usr/bin/env", network.command([Binary.networkLab(), "watch"], on: .first), home: home,
            environment: environment)
        let before = ["kamune0 10.77.0.1 privateUse", "kamune0 fd77::1 privateUse"]
        func expect(_ addresses: [String]) async {
            let line = addresses.isEmpty ? "none" : addresses.joined(separator: ", ")
            let isTold = await watch.output.wait(within: Child.patience) { $0.hasSuffix("\(line)\n") }
            #expect(isTold, "“\(line)” is not the last line of: \(watch.output.text)")
        }
        await expect(before)
        try await run("ip address add 10.78.0.1/24 dev kamune0; ip address add 198.51.100.7/32 dev kamune0")
        await expect(["kamune0 198.51.100.7 reserved", before[0], "kamune0 10.78.0.1 privateUse", before[1]])
        // Another lifetime, another length of queue, and an address that leads nobody here.
        try await run(
            """
            ip address change 10.78.0.1/24 dev kamune0 valid_lft 5000 preferred_lft 5000
            ip link set kamune0 txqueuelen 77
            ip address add 169.254.7.7/32 dev kamune0
            """)
        try await run("ip link set kamune0 down")
        await expect([])
        // The beginning, the two addresses, and the end of the link: nothing else.
        #expect(watch.output.text.split(separator: "\n").count == 3)
    }
}
