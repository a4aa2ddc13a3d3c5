import Dispatch
import KamuneSystem
import KamuneTerminal
import Synchronization

/// How a terminal treats what is typed, while this program needs it otherwise than it was found. Whatever happens, it is
/// given back: at the end, when the program is stopped, and when a signal ends it. There is one for the process, since its
/// terminal is one.
final class TerminalMode: Sendable {
    /// What the terminal is needed for.
    enum Use: Sendable {
        /// Every key at once, and not echoed; what is pasted comes between marks. Ctrl-C and Ctrl-Z go on to be signals, so
        /// they work even when nobody reads. The screen is the descriptor that is written to.
        case keys(screen: Int32)
        /// A line that is not echoed.
        case secret
    }

    private struct Taken {
        let descriptor: Int32
        let use: Use
        let original: termios
        /// Shows again what stood there, after the program was stopped and goes on.
        let redraw: @Sendable () -> Void
    }

    private let taken = Mutex<Taken?>(nil)

    /// Takes the terminal; in the background, waits for it as programs do.
    ///
    /// - Parameter redraw: Called on another thread whenever the terminal has been somebody else's in between.
    func take(_ descriptor: Int32, for use: Use, redraw: @escaping @Sendable () -> Void) throws(SystemError) {
        try Job.waitForForeground(descriptor)
        try taken.withLock { taken throws(SystemError) in
            var original = termios()
            guard tcgetattr(descriptor, &original) == 0 else { throw SystemError() }
            try Self.set(descriptor, for: use, original)
            taken = Taken(descriptor: descriptor, use: use, original: original, redraw: redraw)
        }
    }

    /// Gives the terminal back as it was. What was typed and not read is dropped, so that whoever reads next, such as a
    /// shell, does not take it for theirs. Does nothing when the terminal is not taken.
    func giveBack() {
        taken.withLock { taken in
            if let taken { Self.restore(taken) }
            taken = nil
        }
    }

    /// Gives the terminal back for as long as the program is stopped.
    func suspend() {
        taken.withLock { if let taken = $0 { Self.restore(taken) } }
    }

    /// Takes the terminal again, after the program was stopped. If it goes on in the background, it is stopped again.
    func resume() {
        let redraw = taken.withLock { taken in
            guard let taken else { return nil as (@Sendable () -> Void)? }
            do throws(SystemError) {
                try Job.waitForForeground(taken.descriptor)
                try Self.set(taken.descriptor, for: taken.use, taken.original)
            } catch {
                // The terminal is gone; whoever reads from it finds out.
                return nil
            }
            return taken.redraw
        }
        // Not on this thread, which brings the signals: writing may have to wait.
        if let redraw { DispatchQueue.global().async(execute: redraw) }
    }

    private static func set(_ descriptor: Int32, for use: Use, _ original: termios) throws(SystemError) {
        var settings = original
        switch use {
        case .keys:
            settings.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
            settings.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN)
        case .secret:
            settings.c_lflag &= ~tcflag_t(ECHO)
            settings.c_lflag |= tcflag_t(ECHONL | ICANON | ISIG)
            // What was typed ahead was shown, and is not taken for a secret.
            _ = tcflush(descriptor, TCIFLUSH)
        }
        // Without waiting for what is still to be written: a terminal that is stuck must not keep signals from ending us.
        _ = try retrying { Job.usingTerminal { tcsetattr(descriptor, TCSANOW, &settings) } }
        if case .keys(let screen) = use { tell(screen, ControlSequence.bracketedPasteOn) }
    }

    /// Tells the terminal something, unless that would have to wait.
    private static func tell(_ screen: Int32, _ sequence: String) {
        var waiting = pollfd(fd: screen, events: Int16(POLLOUT), revents: 0)
        guard poll(&waiting, 1, 0) == 1 else { return }
        _ = Array(sequence.utf8).withUnsafeBytes { systemWrite(screen, $0) }
    }

    /// Only if the terminal is ours: in the background, the shell has it, and knows how it wants it.
    private static func restore(_ taken: Taken) {
        guard Job.isInForeground(taken.descriptor) else { return }
        if case .keys(let screen) = taken.use {
            tell(screen, ControlSequence.bracketedPasteOff + ControlSequence.autowrapOn)
        }
        var original = taken.original
        _ = tcflush(taken.descriptor, TCIFLUSH)
        _ = tcsetattr(taken.descriptor, TCSANOW, &original)
    }
}
