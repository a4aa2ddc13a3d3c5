import ArgumentParser
import Foundation
import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// `kamune start`
struct StartCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Be there in the background: for whom you know, and for what waits.",
        discussion: """
            Asks for the passphrase once, and goes on by itself when the terminal is closed. Peers whom you have accepted can \
            reach you, messages that wait go out as soon as somebody is there, and every other command looks through it, \
            without asking for the passphrase again. “kamune status” says how it stands, “kamune stop” ends it.

            Where it listens is remembered for the next time. With --foreground it stays where it was started, as a service \
            manager wants it; if nobody gives the passphrase there, it waits until the first command that needs it asks you.

            EXAMPLES:
              kamune start
              kamune start --listen :9000 --listen udp://:9000
              kamune start --listen none            reachable by nobody, but sending what waits
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where to listen, or none; may be said several times.",
            discussion: "Without it, where it did the last time, else port 9000.", valueName: "address"))
    var listen: [String] = []

    @Flag(name: .long, help: "Stay in the foreground, until a signal ends it.")
    var foreground = false

    @OptionGroup var store: StoreOptions

    func validate() throws {
        guard !listen.contains("none") || listen.count == 1 else {
            throw ValidationError("--listen none and other addresses exclude each other.")
        }
        for address in listen where address != "none" {
            do throws(KamuneError) {
                try Endpoint.checkAddress(AddressText.completed(address), isForListening: true)
            } catch {
                throw ValidationError(error.message)
            }
        }
    }

    func run(in context: CommandContext) async throws {
        if foreground { return try await BackgroundNode(self, context).run() }
        let opener = try StoreOpener(store, context)
        if let running = try await RemoteNode.connect(to: opener.location) {
            let process = running.process
            if running.isLocked {
                do {
                    try await opener.unlock(running)
                } catch {
                    await running.close()
                    throw error
                }
            }
            let status: GetNodeStatus.Answer
            do {
                status = try await running.ask(GetNodeStatus())
            } catch {
                await running.close()
                throw error
            }
            await running.close()
            if !status.isBackground { return try await startAfter(process, opener, context) }
            try context.output.print("Kamune runs already (process \(process)).")
            for row in StatusReport.addresses(status) { try context.output.print(row) }
            if !listen.isEmpty {
                context.tell(
                    "What --listen says counts when it is started anew: “kamune stop”, and then this again.", .warning)
            }
            return
        }
        try await open(opener, context)
    }

    /// Waits for a command that has the store to end, such as a send that is under way.
    private func startAfter(_ process: Int, _ opener: StoreOpener, _ context: CommandContext) async throws {
        let deadline = context.time.monotonic + Self.patience
        while let running = try await RemoteNode.connect(to: opener.location) {
            let isBackground = try? await running.ask(GetNodeStatus()).isBackground
            await running.close()
            guard isBackground == false, context.time.monotonic < deadline else {
                throw Failure(.runsAlready(process: running.process))
            }
            try await context.time.sleep(for: .milliseconds(200))
        }
        try await open(opener, context)
    }

    private func open(_ opener: StoreOpener, _ context: CommandContext) async throws {
        // So that a wrong passphrase is told to whoever types it.
        let opened: Store
        do {
            opened = try await opener.open(.creating)
        } catch StoreError.inUse(let process) {
            throw Failure(NodeWindow.whyNotFound(process, at: opener.location))
        }
        opener.tell()
        try await opened.close()
        try await start(opener, context)
    }

    /// How long the new process may take until it answers.
    private static let patience = Duration.seconds(20)
    private static let interval = Duration.milliseconds(20)

    private func start(_ opener: StoreOpener, _ context: CommandContext) async throws {
        guard let program = context.programPath else { throw Failure(.programUnknown) }
        var arguments = ["start", "--foreground"].map { Array($0.utf8) }
        arguments += [Array("--db".utf8), FilePath(opener.location.path).absolute.bytes]
        for address in listen { arguments += [Array("--listen".utf8), Array(address.utf8)] }
        let (process, errors): (pid_t, Int32)
        do throws(SystemError) {
            (process, errors) = try BackgroundProcess.start(program, arguments)
        } catch {
            throw Failure(error)
        }
        defer { systemClose(errors) }
        let node = try await connect(opener, process, errors, context)
        do {
            if node.isLocked, case .passphrase(let box)? = opener.credential {
                try await node.unlock(box.secret.copy())
            }
            let status = try await node.ask(GetNodeStatus())
            try context.output.print("Kamune runs in the background (process \(node.process)).")
            for row in StatusReport.addresses(status) { try context.output.print(row) }
            // It is there for what waits; but whoever wanted to be reached must know that they are not.
            if let problem = status.unavailable.first { throw Failure(problem.error) }
        } catch {
            await node.close()
            throw error
        }
        await node.close()
    }

    private func connect(
        _ opener: StoreOpener, _ process: pid_t, _ errors: Int32, _ context: CommandContext
    ) async throws -> RemoteNode {
        let deadline = context.time.monotonic + Self.patience
        while context.time.monotonic < deadline {
            if let node = try await RemoteNode.connect(to: opener.location) {
                // Another start was quicker; ours must not take over when that one ends.
                if node.process != Int(process) { kill(process, SIGTERM) }
                return node
            }
            var status: Int32 = 0
            if waitpid(process, &status, WNOHANG) == process {
                throw Failure(.backgroundFailed(Self.lastLine(errors)))
            }
            try await context.time.sleep(for: Self.interval)
        }
        throw Failure(.backgroundFailed(TerminalText("it does not answer")))
    }

    /// What it said last, without the program's name.
    private static func lastLine(_ descriptor: Int32) -> TerminalText {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = buffer.withUnsafeMutableBytes { systemRead(descriptor, $0) }
        let text = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        let mark = "kamune: "
        let shown = line.range(of: mark).map { String(line[$0.upperBound...]) } ?? line
        return TerminalText(shown.isEmpty ? "it has ended" : shown, maximumColumns: TextLimit.sentence)
    }
}

/// `kamune stop`
struct StopCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "End the Kamune that runs, with a goodbye in every conversation.",
        discussion:
            "Whatever holds what is kept is ended: the one in the background, or one that listens in a terminal.")

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        let location = try store.location(context.environment)
        guard let node = try await RemoteNode.connect(to: location, isVisit: true) else {
            if location.exists, let process = Store.holder(of: location) {
                throw Failure(NodeWindow.whyNotFound(process, at: location))
            }
            return try context.output.print("No Kamune runs.")
        }
        let process = node.process
        try await node.shutDown()
        let deadline = context.time.monotonic + Self.patience
        var isGone = await node.waitUntilGone(for: Self.patience, by: context.time)
        // It lets go of its windows first, and of the store when all goodbyes are said.
        while isGone, case let holder?? = Store.holder(of: location), Int(holder) == process {
            isGone = context.time.monotonic < deadline
            if isGone { try await context.time.sleep(for: Self.interval) }
        }
        guard isGone else {
            throw Failure(.stopsSlowly(process: process, seconds: Self.patience.components.seconds))
        }
        try context.output.print("Kamune has ended (process \(process)).")
    }

    private static let interval = Duration.milliseconds(20)

    /// How long it may take to say goodbye to everybody, and to close the store: less than the service manager waits
    /// (packaging/systemd, `TimeoutStopSec`).
    private static let patience = Duration.seconds(12)
}

/// `kamune status`
struct StatusCommand: ContextualCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say who you are, where you can be reached, who is connected, and what waits.")

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var store: StoreOptions

    func run(in context: CommandContext) async throws {
        let window = try await NodeWindow.open(store, .reading, in: context, isVisit: true)
        do {
            let status = try await window.access.ask(GetNodeStatus())
            let contacts = try await PeerList(window.access)
            if json {
                try context.output.print(try JSONText.encoding(status))
            } else {
                let report = StatusReport(status: status, peers: contacts, isOurs: window.own != nil)
                try context.output.print(report.rows(at: context.time.date).joined(separator: "\n"))
            }
        } catch {
            await window.close(in: context)
            throw error
        }
        await window.close(in: context)
    }
}
