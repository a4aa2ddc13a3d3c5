import Dispatch
import Kamune
import KamuneSystem

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

    /// Writes a line that is fit to be shown.
    func tell(_ text: String) {
        StandardStream(descriptor).write(text + "\n")
    }

    /// Asks a question and returns the answer without surrounding spaces; nil at the end of the input.
    func ask(_ question: String) async throws(Failure) -> String? {
        let result = await queue.run { [self] () -> Result<String?, Failure> in
            StandardStream(descriptor).write(question)
            var bytes: [UInt8] = []
            var byte = [UInt8](repeating: 0, count: 1)
            while bytes.count < Self.answerLimit {
                let count = byte.withUnsafeMutableBytes { bytes in
                    Job.usingTerminal { systemRead(descriptor, bytes) }
                }
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return .success(nil) }
                if byte[0] == UInt8(ascii: "\n") { break }
                bytes += byte
            }
            let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            return .success(words.joined(separator: " "))
        }
        return try result.get()
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
            throw Failure(.locked, "The terminal cannot be asked for the passphrase: \(error).")
        }
        defer { mode.giveBack() }
        // Only now, so that whoever answers at once is not heard too early.
        stream.write(question)
        guard let secret = try Passphrase.readLine(descriptor) else { throw Failure(.interrupted, nil) }
        return secret
    }
}
