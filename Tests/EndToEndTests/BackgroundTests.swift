import Foundation
import KamuneNode
import KamuneStore
import KamuneSystem
import Testing

@Suite("A Kamune in the background")
struct BackgroundTests {
    /// One that runs; it is killed when the test is over, however that ends.
    private final class Background: Sendable {
        let process: pid_t

        /// Starts one, by a shell that has something else open.
        init(_ home: Home, listen: String, holding held: String = "/dev/null") async throws {
            let script = #"exec 7<"$1" 8>>"$1"; exec "$0" start --listen "$2""#
            let child = try Child(
                program: "/bin/sh", ["-c", script, Binary.path(), held, listen], home: home,
                environment: ["XDG_DATA_HOME": home.path, "HOME": home.path])
            child.closeInput()
            let code = await child.exitCode()
            let (output, errors) = (child.output.text, child.errors.text)
            let match = output.firstMatch(of: /runs in the background \(process (\d+)\)/)
            process = try #require(match.flatMap { pid_t($0.1) }, "\(output) \(errors)")
            #expect(code == 0, "\(output) \(errors)")
        }

        deinit { kill(process, SIGKILL) }
    }

    /// Runs a command to its end, with nothing to read.
    @discardableResult
    private func run(_ arguments: [String], home: Home, exit: Int32 = 0) async throws -> String {
        let child = try Child(arguments, home: home)
        child.closeInput()
        await child.expectExit(exit)
        return child.output.text
    }

    @Test("it has nothing open that was its starter's, says how it stands, and ends when it is told to")
    func life() async throws {
        let home = try Home()
        try await run(["identity", "new"], home: home)
        let held = try home.write("held", to: "held")
        let node = try await Background(home, listen: "127.0.0.1:0", holding: held)
        #if os(Linux)
        let files = "/proc/\(node.process)/fd"
        let open = try FileManager.default.contentsOfDirectory(atPath: files).compactMap { name in
            try? FileManager.default.destinationOfSymbolicLink(atPath: "\(files)/\(name)")
        }
        #expect(open.count > 3 && !open.contains { $0.hasSuffix("/held") }, "\(open)")
        #endif
        let status = try await run(["status"], home: home)
        #expect(status.contains("process \(node.process)") && status.contains("127.0.0.1:"))
        #expect(try await run(["status", "--json"], home: home).contains(#""is_background":true"#))
        try await run(["send", "Nobody", "hello"], home: home, exit: 4)
        #expect(try await run(["stop"], home: home).contains("Kamune has ended (process \(node.process))."))
        #expect(try await run(["stop"], home: home).contains("No Kamune runs."))
    }

    @Test("what was written to somebody away is delivered when both have been restarted", .timeLimit(.minutes(3)))
    func away() async throws {
        let (ada, bob) = (try Home(), try Home())
        let place = try Server.listen()
        let address = "127.0.0.1:\(Server.port(of: place))"
        for home in [ada, bob] {
            try await run(["identity", "new"], home: home)
            try await run(["identity", "export", "--public", "--output", home.file("public.pem")], home: home)
        }
        try await run(["peers", "add", "Bob", bob.file("public.pem"), "--address", address], home: ada)
        try await run(["peers", "add", "Ada", ada.file("public.pem")], home: bob)
        // Bob's machine is off: nobody takes connections there.
        systemClose(place)
        do {
            let first = try await Background(ada, listen: "none")
            try await run(["send", "Bob", "I am on the train", "--wait", "0"], home: ada, exit: 12)
            #expect(try await run(["stop"], home: ada).contains("\(first.process)"))
        }
        let there = try await Background(bob, listen: address)
        let window = try #require(try await RemoteNode.connect(to: StoreLocation(path: bob.storeFile)))
        _ = try await window.ask(Subscribe(to: .init(kinds: [.message])))
        let here = try await Background(ada, listen: "none")
        var received: MessageInfo?
        for await event in window.events {
            guard case .message(let message) = event else { continue }
            received = message
            break
        }
        #expect(received?.text == "I am on the train" && received?.direction == .incoming)
        await window.close()
        // A third terminal, meanwhile.
        #expect(try await run(["history", "search", "train"], home: bob).contains("Ada: I am on the train"))
        for (home, node) in [(ada, here), (bob, there)] {
            #expect(try await run(["stop"], home: home).contains("\(node.process)"))
        }
    }
}
