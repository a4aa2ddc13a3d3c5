/// Something that came from a terminal.
package enum InputEvent: Hashable, Sendable {
    /// What was typed: letters, as many as came at once. Never a control.
    case text(String)
    /// A key that is no text.
    case key(Key)
    /// What was pasted, whole.
    case paste(Paste)
    case mouse(MouseEvent)
    /// Whether the window has come to the front, or has left it.
    case focus(Bool)
    /// What the terminal says when it is asked.
    case answer(TerminalAnswer)
}

/// What was pasted between the marks of bracketed paste.
package struct Paste: Hashable, Sendable {
    /// The text. Lines end in LF; of the controls there are only that and tabs.
    package var text: String
    /// How many bytes more there were than are taken.
    package var excess = 0

    package init(text: String, excess: Int = 0) {
        self.text = text
        self.excess = excess
    }
}

/// What a mouse did (xterm's SGR mode).
package struct MouseEvent: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// A button: 0 left, 1 middle, 2 right, and more on some.
        case press(button: Int)
        case release(button: Int)
        /// Moved, with this button held down; nil for none.
        case move(button: Int?)
        case wheelUp, wheelDown, wheelLeft, wheelRight
    }

    package var action: Action
    /// From 0, at the left.
    package var column: Int
    /// From 0, at the top.
    package var row: Int
    package var modifiers: Key.Modifiers

    package init(_ action: Action, column: Int, row: Int, modifiers: Key.Modifiers = []) {
        self.action = action
        self.column = column
        self.row = row
        self.modifiers = modifiers
    }
}

/// What a terminal says when it is asked.
package enum TerminalAnswer: Hashable, Sendable {
    /// Where the cursor stands, from 0.
    case cursor(column: Int, row: Int)
    /// What kind of terminal it is (DA1), by numbers.
    case attributes([Int])
    /// Which parts of kitty's keyboard protocol are on.
    case keyboard(flags: Int)
    /// Whether a private mode is on, by DECRPM: 0 unknown, 1 on, 2 off, 3 always on, 4 always off.
    case mode(Int, state: Int)
    /// An operating system command: its text, as “11;rgb:0000/0000/0000” for the background.
    case operatingSystem(String)
    /// A device control string, as “>|tmux 3.4” for the terminal's name.
    case device(String)
    /// Anything else.
    case other
}
