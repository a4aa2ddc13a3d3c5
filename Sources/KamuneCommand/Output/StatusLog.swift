/// Lines on standard error about what happens, for people who watch a script.
struct StatusLog: Sendable {
    private let stream: StandardStream
    private let queue = BlockingQueue("kamune.status")
    private let style: Style

    init(_ context: CommandContext) {
        stream = context.errors
        style = context.style(for: context.errors)
    }

    /// Writes lines that are fit to be shown.
    func show(_ text: String, _ look: Style.Look = .faint) async {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { style(look, $0) + "\n" }
        await queue.run { [stream] in _ = stream.write(lines.joined()) }
    }
}
