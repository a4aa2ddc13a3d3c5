import Kamune
import Synchronization

/// A person at a terminal.
struct ConsoleHost: Reception.Host {
    let console: Console

    var canAnswer: Bool { true }

    func tell(_ text: String, _ look: Style.Look) async { await console.show(status: text, look) }

    func ask(_ prompt: String, about subject: PublicIdentity) async -> String? {
        await console.ask(prompt, about: subject)
    }

    func withdrawQuestion() async { await console.withdrawQuestion() }
}

/// A script that somebody has started at a terminal, where they are asked; what else there is to tell is in the log.
final class TerminalHost: Reception.Host {
    private let terminal: ControllingTerminal
    private let log: StatusLog
    /// Whether the log is on a terminal.
    private let isLogSeen: Bool
    private let asking = Mutex<Task<String?, Never>?>(nil)

    init(terminal: ControllingTerminal, log: StatusLog, isLogSeen: Bool) {
        self.terminal = terminal
        self.log = log
        self.isLogSeen = isLogSeen
    }

    var canAnswer: Bool { true }

    func tell(_ text: String, _ look: Style.Look) async {
        // Who is asked must have seen what about.
        if !isLogSeen { log.show(text, look) }
        await terminal.show(text)
    }

    func ask(_ prompt: String, about subject: PublicIdentity) async -> String? {
        let task = Task { [terminal] in await terminal.ask(prompt) }
        asking.withLock { $0 = task }
        return await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }

    func withdrawQuestion() async { asking.withLock { $0 }?.cancel() }
}

/// Nobody: a script, whose log is told.
struct LogHost: Reception.Host {
    let log: StatusLog

    var canAnswer: Bool { false }

    func tell(_ text: String, _ look: Style.Look) async { log.show(text, look) }

    func ask(_ prompt: String, about subject: PublicIdentity) async -> String? { nil }

    func withdrawQuestion() async {}
}
