import Foundation
import KamuneSystem

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

    private static let prompt = "> "
    /// Lines that were typed ahead of being taken. Beyond it, typing waits.
    private static let maximumWaitingLines = 64

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

    private var decoder = KeyDecoder()
    private var splitter: LineSplitter
    private var editor: LineEditor
    private var question: Question?
    private var isPromptShown = false
    private var isPromptWanted = false
    /// What stands at the right of the line that is being typed.
    private var note = ""

    private var lines: [String] = []
    private var isEnded = false
    private var lineWaiter: CheckedContinuation<String?, Never>?
    private var roomWaiter: CheckedContinuation<Void, Never>?
    private var pump: Task<Void, Never>?

    private struct Question {
        let id: UInt64
        let prompt: String
        let draft: LineEditor
        let answer: CheckedContinuation<String?, Never>
    }

    private var questionCount: UInt64 = 0

    /// A console on standard input and output.
    ///
    /// - Parameter maximumLineSize: The longest line, in bytes.
    init(kind: Kind, maximumLineSize: Int, context: CommandContext) {
        self.kind = kind
        self.context = context
        reader = InputReader(context.input)
        output = context.output
        errors = context.errors
        editor = LineEditor(maximumSize: maximumLineSize)
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
            try? context.terminalMode.take(context.input, for: .keys) { [weak self] in
                Task { await self?.refresh() }
            }
            context.signals.whenResized { [weak self] in Task { await self?.refresh() } }
        }
        pump = Task { [weak self, reader] in
            while let bytes = await reader.read() {
                guard let self else { return }
                await self.typed(bytes)
            }
            await self?.inputEnded()
        }
    }

    /// Shows where to type.
    func showPrompt() async {
        isPromptWanted = true
        await draw(above: [])
    }

    /// Takes no more input, and gives the terminal back.
    func finish() async {
        pump?.cancel()
        inputEnded()
        isPromptWanted = false
        await draw(above: [])
        context.terminalMode.giveBack()
    }

    /// Draws everything anew after the terminal was somebody else's, or has another size.
    private func refresh() async {
        guard pump?.isCancelled == false else { return }
        await draw(above: [])
    }

    // MARK: Showing

    /// Shows a message. The name and the text are fit to be shown.
    func show(message text: DisplayText, from name: DisplayText, at time: Date, isOwn: Bool) async {
        let time = Times.ofDay(time)
        let head = "\(time) \(name): "
        guard kind == .editor else {
            await write(output, "\(head)\(text)\n")
            return
        }
        let rows = LineWrapper.rows(
            of: text.description, firstColumn: TextWidth.of(head), columns: output.columns)
        let colored = style(.faint, time) + " " + style(isOwn ? .own : .other, name) + ": "
        await draw(above: [colored + (rows.first ?? "")] + rows.dropFirst())
    }

    /// Shows something that is not a message. The text is fit to be shown.
    func show(status text: String, _ look: Style.Look = .faint) async {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { statusStyle(look, $0) }
        if drawsStatus {
            await draw(above: lines)
        } else {
            await write(errors, lines.joined(separator: "\n") + "\n")
        }
    }

    /// Shows a few words at the right of the line that is being typed, where there is room. Where the terminal can only print,
    /// they are not shown.
    func setNote(_ text: String) async {
        guard note != text else { return }
        note = text
        await draw(above: [])
    }

    private func draw(above lines: [String]) async {
        guard kind == .editor else { return }
        var text = isPromptShown ? "\r\u{1B}[J" : ""
        for line in lines { text += line + "\r\n" }
        isPromptShown = isPromptWanted || question != nil
        if isPromptShown {
            let view = PromptView(
                prompt: question?.prompt ?? Self.prompt, editor: editor, note: question == nil ? note : "",
                columns: output.columns)
            text += "\r" + view.text + "\u{1B}[K"
            if let column = view.noteColumn { text += "\r\u{1B}[\(column)C" + style(.faint, note) }
            text += "\r"
            if view.cursorColumn > 0 { text += "\u{1B}[\(view.cursorColumn)C" }
        }
        if !text.isEmpty { await write(output, text) }
    }

    private func write(_ stream: StandardStream, _ text: String) async {
        await writing.run { _ = stream.write(text) }
    }

    // MARK: Typing

    /// The next line that was typed; nil at the end of the input, and when the task is cancelled. One task may wait.
    func nextLine() async -> String? {
        if let roomWaiter {
            self.roomWaiter = nil
            roomWaiter.resume()
        }
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

    private func typed(_ bytes: [UInt8]) async {
        switch kind {
        case .editor:
            for key in decoder.decode(bytes) { await handle(key) }
        case .plain:
            do throws(LineSplitter.LineTooLong) {
                for line in try splitter.split(bytes) { await entered(String(decoding: line, as: UTF8.self)) }
            } catch {
                await show(status: "The line is longer than \(error.limit) bytes and was dropped.", .warning)
                splitter = LineSplitter(limit: error.limit)
            }
        }
    }

    private func handle(_ key: Key) async {
        switch editor.handle(key) {
        case .none: break
        case .changed: await draw(above: [])
        case .redraw: await write(output, "\u{1B}[H\u{1B}[2J"); await draw(above: [])
        case .refused: await write(output, "\u{07}")
        case .submit(let line): await entered(line)
        case .endOfInput: inputEnded()
        }
    }

    private func entered(_ line: String) async {
        if let question {
            await settle(question.id, line)
            return
        }
        await draw(above: [])
        if let lineWaiter {
            self.lineWaiter = nil
            lineWaiter.resume(returning: line)
            return
        }
        lines.append(line)
        if lines.count >= Self.maximumWaitingLines {
            await withCheckedContinuation { roomWaiter = $0 }
        }
    }

    private func inputEnded() {
        isEnded = true
        stopWaiting()
        roomWaiter.take()?.resume()
        question.take()?.answer.resume(returning: nil)
    }

    // MARK: Asking

    /// Asks a question in the place of the line that is being typed.
    ///
    /// - Returns: What was typed; nil when the task is cancelled or the input ends. Only one question at a time is asked.
    func ask(_ prompt: String) async -> String? {
        if isEnded || Task.isCancelled || question != nil { return nil }
        questionCount += 1
        let id = questionCount
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { answer in
                question = Question(id: id, prompt: prompt, draft: editor, answer: answer)
                editor = LineEditor(maximumSize: editor.maximumSize)
                Task { await self.drawQuestion(id) }
            }
        } onCancel: {
            Task { await self.settle(id, nil) }
        }
        return answer
    }

    /// Takes back the question that is being asked, if there is one.
    func withdrawQuestion() async {
        if let question { await settle(question.id, nil) }
    }

    private func drawQuestion(_ id: UInt64) async {
        guard let question, question.id == id else { return }
        if kind == .editor {
            await draw(above: [])
        } else {
            await write(errors, question.prompt)
        }
    }

    private func settle(_ id: UInt64, _ answer: String?) async {
        guard let asked = question, asked.id == id else { return }
        question = nil
        editor = asked.draft
        // What was asked and answered stays to be read.
        await draw(above: answer.map { [asked.prompt + DisplayText($0).description] } ?? [])
        asked.answer.resume(returning: answer)
    }
}
