import Dispatch
import Kamune
import KamuneSystem
import KamuneTerminal

/// The terminal that the program was started from, whatever its standard streams are: questions are asked there, so that a
/// pipe can carry messages at the same time.
final class ControllingTerminal: Sendable {
    /// The longest answer to a question that is no secret, in bytes.
    private static let answerLimit = 256

    private let descriptor: Int32
    private let mode: TerminalMode
    private let queue = BlockingQueue("kamune.terminal")

    /// The terminal; nil when there is none.
    init?(_ path: FilePath, mode: TerminalMode) {
        self.mode = mode
        descriptor = path.withCString { open($0, O_RDWR | O_CLOEXEC | O_NOCTTY) }
        guard descriptor >= 0 else { return nil }
        if isatty(descriptor) != 1 {
            systemClose(descriptor)
            return nil
        }
    }

    deinit {
        systemClose(descriptor)
    }

    /// Writes a text that is fit to be shown, broken between words.
    func tell(_ text: String) {
        let stream = StandardStream(descriptor)
        // Whatever terminal it is: where the last column is used, some begin a row of their own.
        let layout = TextLayout(columns: stream.columns - 1)
        let rows = TerminalText.lines(of: text).flatMap { layout.rows(of: $0) }
        stream.write(rows.map { $0 + "\n" }.joined())
    }

    /// Writes a line that is fit to be shown, without holding up other tasks.
    func show(_ text: String) async {
        await queue.run { [self] in tell(text) }
    }

    /// Asks a question and returns the answer without surrounding spaces; nil at the end of the input, and when the task is
    /// cancelled. What was typed before it stood there is no answer.
    func ask(_ question: String) async -> String? {
        let reader = InputReader(descriptor)
        let isAsked = await queue.run { [self] in
            guard (try? Job.waitForForeground(descriptor)) != nil else { return false }
            Job.discardInput(descriptor)
            return StandardStream(descriptor).write(question) == nil
        }
        guard isAsked else { return nil }
        var splitter = LineSplitter(limit: Self.answerLimit)
        while let bytes = await reader.read() {
            let lines = try? splitter.split(bytes)
            guard let lines else { return "" }
            if let line = lines.first {
                return String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined(
                    separator: " ")
            }
        }
        // The question stays to be read, and what follows stands below it.
        await show("")
        return nil
    }

    /// Asks for a secret, which is not shown while it is typed.
    ///
    /// - Throws: A ``Failure`` with the status ``ExitStatus/interrupted`` when nothing is typed but the end of the input.
    func askSecret(_ question: String) async throws(Failure) -> SecretBox {
        let result = await queue.run { [self] () -> Result<SecretBox, Failure> in
            do throws(Failure) {
                return .success(try readSecret(question))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func readSecret(_ question: String) throws(Failure) -> SecretBox {
        let stream = StandardStream(descriptor)
        do throws(SystemError) {
            // After the program was stopped, what is asked stands there again, and what is typed is as hidden as before.
            try mode.take(descriptor, for: .secret) { stream.write("\n" + question) }
        } catch {
            throw Failure(.terminalSilent(error))
        }
        defer { mode.giveBack() }
        // Only now, so that whoever answers at once is not heard too early.
        stream.write(question)
        guard let secret = try Passphrase.readLine(descriptor) else { throw Failure.interrupted }
        return secret
    }
}
