/// Lines on standard error about what happens, for people who watch a script. Whoever tells something does not wait for
/// them: a reader who does not read must not hold up messages.
final class StatusLog: Sendable {
    private let queue: LineQueue
    private let writing: Task<Void, Never>
    private let context: CommandContext
    private let style: Style

    /// How much waits for its reader at the most, in bytes.
    private static let limit = 256 * 1_024

    init(_ context: CommandContext) {
        let queue = LineQueue(limit: Self.limit)
        let style = context.style(for: context.errors)
        let thread = BlockingQueue("kamune.status")
        let stream = context.errors
        self.queue = queue
        self.context = context
        self.style = style
        writing = Task {
            while let entry = await queue.next() {
                let missed = entry.missed > 0 ? style(.faint, StatusLog.notice(entry.missed)) + "\n" : ""
                await thread.run { _ = stream.write(missed + entry.text) }
            }
        }
    }

    /// Writes lines that are fit to be shown.
    func show(_ text: String, _ look: Style.Look = .faint) {
        queue.add(context.rows(of: text, for: context.errors).map { style(look, $0) + "\n" }.joined())
    }

    /// Waits until everything is written. What is shown afterwards is lost.
    func finish() async {
        queue.finish()
        await writing.value
    }

    private static func notice(_ count: Int) -> String {
        "… \(Count.of(count, "notice was", "notices were")) left out, since nobody was reading them."
    }
}
