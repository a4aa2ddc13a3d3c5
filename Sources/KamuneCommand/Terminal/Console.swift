import Foundation
import Kamune
import KamuneSystem
import KamuneTerminal

/// The terminal as a place for a conversation: lines appear above the one that is being typed, and questions take its
/// place for a while. Where the terminal can only print, the same without an editor.
actor Console {
    /// What a terminal can do.
    enum Kind: Sendable, Equatable {
        /// Move the cursor: lines are edited here.
        case editor
        /// Print: lines are edited by the system.
        case plain
    }

    /// Lines that were typed ahead of being taken. Beyond it, typing waits.
    private static let maximumWaitingLines = 64
    /// How long the bytes of one key may take to come, over the slowest way.
    private static let settlingTime = Duration.milliseconds(50)

    private let kind: Kind
    private let reader: InputReader
    private let output: StandardStream
    private let errors: StandardStream
    private let context: CommandContext
    private let writing = BlockingQueue("kamune.console")
    private let style: Style
    private let statusStyle: Style
    /// Whether status lines may be drawn on the terminal that messages are on.
    private let drawsStatus: Bool

    private var decoder = InputDecoder()
    /// How often something was read: what is undecided is settled when nothing follows.
    private var readCount: UInt64 = 0
    private var splitter: LineSplitter
    private var machine: PromptMachine
    private var isPromptShown = false
    private var isPromptWanted = false
    /// What stands at the right of the line that is being typed.
    private var note = ""

    private var lines: [PromptMachine.Line] = []
    private var isEnded = false
    private var lineWaiter: CheckedContinuation<PromptMachine.Line?, Never>?
    private var roomWaiter: CheckedContinuation<Void, Never>?
    private var answerWaiter: CheckedContinuation<String?, Never>?
    private var pump: Task<Void, Never>?

    /// A console on standard input and output.
    ///
    /// - Parameter maximumLineSize: The longest line, in bytes.
    init(kind: Kind, maximumLineSize: Int, context: CommandContext) {
        self.kind = kind
        self.context = context
        reader = InputReader(context.input)
        output = context.output
        errors = context.errors
        machine = PromptMachine(maximumSize: maximumLineSize)
        splitter = LineSplitter(limit: maximumLineSize)
        style = context.style(for: context.output)
        statusStyle = context.style(for: context.errors)
        drawsStatus = kind == .editor && context.errors.isTerminal
    }

    /// Which kind of console the standard streams allow; nil when nobody sits there.
    static func availableKind(_ context: CommandContext) -> Kind? {
        guard isatty(context.input) == 1 else { return nil }
        let canEdit = context.output.isTerminal && !Style.isDumb(context.environment)
        return canEdit ? .editor : .plain
    }

    // MARK: Beginning and end

    /// Begins to take what is typed.
    func start() {
        if kind == .editor {
            try? context.terminalMode.take(context.input, for: .keys(screen: output.descriptor)) { [weak self] in
                Task { await self?.refresh() }
            }
            context.signals.whenResized { [weak self] in Task { await self?.refresh() } }
        }
        pump = Task { [weak self, reader, time = context.time] in
            while let bytes = await reader.read() {
                let read = time.monotonic
                guard let self else { return }
                await self.typed(bytes, at: read)
            }
            await self?.inputEnded()
        }
    }

    /// Shows where to type.
    func showPrompt() async {
        isPromptWanted = true
        await draw(above: [])
    }

    /// Takes no more input, and gives the terminal back. What was typed ahead is dropped.
    func finish() async {
        pump?.cancel()
        inputEnded()
        isPromptWanted = false
        await draw(above: [])
        Job.discardInput(context.input)
        context.terminalMode.giveBack()
    }

    /// Draws everything anew after the terminal was somebody else's, or has another size.
    private func refresh() async {
        guard pump?.isCancelled == false else { return }
        await draw(above: [])
    }

    // MARK: Whom to write to

    /// Has what is typed from now on go to somebody, or to nobody. A line that was begun for somebody else waits until they
    /// are in view again.
    func address(_ addressee: PromptMachine.Addressee?) async {
        guard addressee != machine.addressee else { return }
        let former = machine.addressee
        // What is typed and not read was for the one before.
        Job.discardInput(context.input)
        let begun = machine.address(addressee, at: context.time.monotonic)
        if let begun, let former {
            await show(
                status: "What you had begun to write to \(former.name) was not sent: "
                    + TerminalText(begun, maximumColumns: TextLimit.line).description)
        } else {
            await draw(above: [])
        }
    }

    /// Shows whether the one whom the line is for is there to get it at once.
    func setAway(_ isAway: Bool) async {
        machine.setAway(isAway)
        await draw(above: [])
    }

    // MARK: Showing

    /// Shows a message, in whose rows nothing can pass itself off as another one. To a file it is written as it came.
    func show(message text: String, from name: TerminalText, at times: MessageTimes, isOwn: Bool) async {
        let time = times.inBrief
        let name = PeerName.speaker(name.description)
        let direction = PeerName.direction(isOwn: isOwn)
        let head = "\(time) \(direction) \(name): "
        guard let screen = context.screen(for: output) else {
            await write(output, head + text + "\n")
            return
        }
        var rows = screen.layout.rows(of: TerminalText.lines(of: text), firstColumn: TextWidth.of(head))
        rows[0] =
            style(.faint, time) + " " + direction + " " + style(isOwn ? .own : .other, name) + ": " + rows[0]
        if kind == .editor { await draw(above: rows) } else { await write(output, screen.drawn(rows)) }
    }

    /// Shows something that is not a message. The text is fit to be shown.
    func show(status text: String, _ look: Style.Look = .faint) async {
        if drawsStatus {
            let layout = TextLayout(columns: output.columns, mark: "  ")
            let rows = TerminalText.lines(of: text).flatMap { layout.rows(of: $0) }
            await draw(above: rows.map { statusStyle(look, $0) })
        } else {
            await write(errors, context.rows(of: text, for: errors).map { statusStyle(look, $0) + "\n" }.joined())
        }
    }

    /// Shows a few words at the right of the line that is being typed, where there is room. Where the terminal can only print,
    /// they are not shown.
    func setNote(_ text: String) async {
        guard note != text else { return }
        note = text
        await draw(above: [])
    }

    private func draw(above rows: [String]) async {
        guard kind == .editor else { return }
        // A row that the terminal takes for wider than it is taken for here is cut, and draws over nothing.
        var text = ControlSequence.autowrapOff
        if isPromptShown { text += "\r" + ControlSequence.eraseToEndOfScreen }
        for row in rows { text += row + "\r\n" }
        isPromptShown = isPromptWanted || machine.askedQuestion != nil
        if isPromptShown {
            let row = EditorRow(
                prompt: machine.prompt, editor: machine.editor, note: machine.askedQuestion == nil ? note : "",
                columns: output.columns)
            text += "\r" + row.text + ControlSequence.eraseToEndOfRow
            if let column = row.noteColumn { text += ControlSequence.column(column) + style(.faint, note) }
            text += ControlSequence.column(row.cursorColumn)
        }
        await write(output, text + ControlSequence.autowrapOn)
    }

    private func write(_ stream: StandardStream, _ text: String) async {
        await writing.run { _ = stream.write(text) }
    }

    // MARK: Typing

    /// The next line that was typed; nil at the end of the input, and when the task is cancelled. One task may wait.
    func nextLine() async -> PromptMachine.Line? {
        roomWaiter.take()?.resume()
        if !lines.isEmpty { return lines.removeFirst() }
        if isEnded || Task.isCancelled { return nil }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { lineWaiter = $0 }
        } onCancel: {
            Task { await self.stopWaiting() }
        }
    }

    private func stopWaiting() {
        lineWaiter.take()?.resume(returning: nil)
    }

    private func typed(_ bytes: [UInt8], at time: Duration) async {
        switch kind {
        case .editor:
            readCount += 1
            for event in decoder.decode(bytes) { await perform(machine.typed(event, at: time)) }
            if decoder.isUndecided { settleSoon(readCount) }
        case .plain:
            do throws(LineSplitter.LineTooLong) {
                for line in try splitter.split(bytes) {
                    await perform(machine.typed(line: String(decoding: line, as: UTF8.self), at: time))
                }
            } catch {
                await show(status: "The line is longer than \(error.limit) bytes and was dropped.", .warning)
                splitter = LineSplitter(limit: error.limit)
            }
        }
    }

    /// Takes what looks like the beginning of a sequence for a key, when nothing follows it.
    private func settleSoon(_ count: UInt64) {
        Task { [weak self, time = context.time] in
            try await time.sleep(for: Self.settlingTime)
            await self?.settle(count)
        }
    }

    private func settle(_ count: UInt64) async {
        guard count == readCount else { return }
        for event in decoder.settle() { await perform(machine.typed(event, at: context.time.monotonic)) }
    }

    private func perform(_ action: PromptMachine.Action) async {
        switch action {
        case .none: break
        case .draw: await draw(above: [])
        case .redraw:
            await write(output, ControlSequence.eraseScreen)
            await draw(above: [])
        case .ring:
            await write(output, "\u{07}")
            if machine.tellsOfPause() {
                await show(
                    status: "What you are typing was for what stood here before, and does nothing until you pause.",
                    .warning)
            }
        case .answer(let id, let text): await settle(id, text)
        case .endOfInput: inputEnded()
        case .submit(let line):
            await draw(above: [])
            if let lineWaiter = lineWaiter.take() {
                lineWaiter.resume(returning: line)
                return
            }
            lines.append(line)
            if lines.count >= Self.maximumWaitingLines {
                await withCheckedContinuation { roomWaiter = $0 }
            }
        }
    }

    private func inputEnded() {
        isEnded = true
        stopWaiting()
        roomWaiter.take()?.resume()
        if let id = machine.askedQuestion {
            _ = machine.settle(id, isAnswered: false, at: context.time.monotonic)
            answerWaiter.take()?.resume(returning: nil)
        }
    }

    // MARK: Asking

    /// Asks a question in the place of the line that is being typed.
    ///
    /// - Parameter subject: Whom it is about.
    /// - Returns: What was typed; nil when the task is cancelled or the input ends. Only one question at a time is asked.
    func ask(_ prompt: String, about subject: PublicIdentity) async -> String? {
        if isEnded || Task.isCancelled { return nil }
        // What is typed and not read was for something else.
        Job.discardInput(context.input)
        guard let id = machine.ask(prompt, about: subject, at: context.time.monotonic) else { return nil }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { answer in
                answerWaiter = answer
                Task { await self.drawQuestion(id) }
            }
        } onCancel: {
            Task { await self.settle(id, nil) }
        }
    }

    /// Takes back the question that is being asked, if there is one.
    func withdrawQuestion() async {
        if let id = machine.askedQuestion { await settle(id, nil) }
    }

    private func drawQuestion(_ id: UInt64) async {
        guard machine.askedQuestion == id else { return }
        if kind == .editor {
            await draw(above: [])
        } else {
            await write(errors, machine.prompt)
        }
    }

    private func settle(_ id: UInt64, _ answer: String?) async {
        let prompt = machine.settle(id, isAnswered: answer != nil, at: context.time.monotonic)
        guard let prompt, let waiter = answerWaiter.take() else { return }
        // What was asked and answered stays to be read.
        await draw(above: answer.map { [prompt + TerminalText($0, maximumColumns: TextLimit.line).description] } ?? [])
        waiter.resume(returning: answer)
    }
}
