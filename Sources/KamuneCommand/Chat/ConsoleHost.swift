/// A person at a terminal.
struct ConsoleHost: Reception.Host {
    let console: Console

    var canAnswer: Bool { true }

    func tell(_ text: String, _ look: Style.Look) async { await console.show(status: text, look) }

    func ask(_ prompt: String) async -> String? { await console.ask(prompt) }

    func withdrawQuestion() async { await console.withdrawQuestion() }
}

/// Nobody: a script, whose log is told.
struct LogHost: Reception.Host {
    let log: StatusLog

    var canAnswer: Bool { false }

    func tell(_ text: String, _ look: Style.Look) async { await log.show(text, look) }

    func ask(_ prompt: String) async -> String? { nil }

    func withdrawQuestion() async {}
}
