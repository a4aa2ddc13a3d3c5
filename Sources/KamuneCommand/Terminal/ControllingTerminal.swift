import Dispatch
import Kamune

/// The terminal that the program was started from, whatever its standard streams are: questions are asked there, so that a
/// pipe can carry messages at the same time.
final class ControllingTerminal: Sendable {
    /// The longest answer to a question that is no secret, in bytes.
    private static let answerLimit = 256

    private let descriptor: Int32
    private let queue = BlockingQueue("kamune.terminal")

    /// The terminal; nil when there is none.
    init?() {
        descriptor = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
        if isatty(descriptor) != 1 {
            close(descriptor)
            return nil
        }
    }

    deinit {
        close(descriptor)
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
                let count = byte.withUnsafeMutableBytes { systemRead(descriptor, $0) }
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
        var original = termios()
        guard tcgetattr(descriptor, &original) == 0 else {
            throw Failure(.locked, "The terminal cannot be asked for the passphrase: \(SystemError()).")
        }
        var silent = original
        silent.c_lflag &= ~tcflag_t(ECHO)
        silent.c_lflag |= tcflag_t(ECHONL | ICANON | ISIG)
        let guardian = EchoGuardian(descriptor: descriptor, original: original)
        // What was typed ahead was shown, and is not taken for a secret.
        guard tcsetattr(descriptor, TCSAFLUSH, &silent) == 0 else {
            guardian.finish()
            throw Failure(.locked, "The terminal cannot be asked for the passphrase: \(SystemError()).")
        }
        defer { guardian.finish() }
        // Only now, so that whoever answers at once is not heard too early.
        StandardStream(descriptor).write(question)
        guard let secret = try Passphrase.readLine(descriptor) else { throw Failure(.interrupted, nil) }
        return secret
    }
}

/// Has the terminal show again what is typed, whichever way the asking ends: by an answer or by a signal.
private final class EchoGuardian {
    private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// How long the system may take to register for the signals; it takes no time to speak of.
    private static let registrationLimit = DispatchTimeInterval.seconds(5)

    private let descriptor: Int32
    private let original: termios
    private let sources: [any DispatchSourceSignal]

    init(descriptor: Int32, original: termios) {
        self.descriptor = descriptor
        self.original = original
        let queue = DispatchQueue(label: "kamune.echo")
        let registrations = DispatchGroup()
        sources = Self.signals.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                var original = original
                _ = tcsetattr(descriptor, TCSANOW, &original)
                StandardStream(descriptor).write("\n")
                _exit(128 + number)
            }
            registrations.enter()
            source.setRegistrationHandler { registrations.leave() }
            source.resume()
            return source
        }
        // A signal that came before would be ignored, and whoever sent it would wait in vain.
        _ = registrations.wait(timeout: .now() + Self.registrationLimit)
    }

    func finish() {
        var original = original
        _ = tcsetattr(descriptor, TCSANOW, &original)
        for source in sources { source.cancel() }
        for number in Self.signals { signal(number, SIG_DFL) }
    }
}
