import Synchronization

/// How the terminal treats what is typed. A line editor needs every key at once; whatever happens, the terminal is given
/// back as it was found.
enum TerminalMode {
    private struct Saved {
        let descriptor: Int32
        let original: termios
    }

    private static let saved = Mutex<Saved?>(nil)

    /// Whether the descriptor is a terminal.
    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Has every key delivered at once and not echoed. Ctrl-C and Ctrl-Z go on to be signals, so they work even when
    /// nobody reads.
    static func enterRaw(_ descriptor: Int32) throws(SystemError) {
        var settings = termios()
        guard tcgetattr(descriptor, &settings) == 0 else { throw SystemError() }
        let isFirst = saved.withLock { saved in
            if saved != nil { return false }
            saved = Saved(descriptor: descriptor, original: settings)
            return true
        }
        if isFirst { atexit { TerminalMode.restore() } }
        settings.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN)
        guard tcsetattr(descriptor, TCSADRAIN, &settings) == 0 else { throw SystemError() }
    }

    /// Enters raw mode again, after the shell had the terminal.
    static func enterRawAgain() {
        guard let descriptor = saved.withLock({ $0?.descriptor }) else { return }
        try? enterRaw(descriptor)
    }

    /// Gives the terminal back as it was. Does nothing when it was not changed.
    static func restore() {
        saved.withLock { saved in
            guard var original = saved?.original, let descriptor = saved?.descriptor else { return }
            _ = tcsetattr(descriptor, TCSANOW, &original)
            saved = nil
        }
    }

    /// How many columns the terminal has; 80 where it does not say.
    static func columns(_ descriptor: Int32) -> Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
