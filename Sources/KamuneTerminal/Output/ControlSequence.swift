/// What a terminal is told beside text (ECMA-48, and xterm's control sequences).
package enum ControlSequence {
    /// A row that is wider than it was taken for ends at the edge, and does not run on into the next (DECAWM).
    package static let autowrapOff = "\u{1B}[?7l"
    /// As terminals are found.
    package static let autowrapOn = "\u{1B}[?7h"

    /// What is pasted comes between marks, so that it is not taken for keys.
    package static let bracketedPasteOn = "\u{1B}[?2004h"
    /// As terminals are found.
    package static let bracketedPasteOff = "\u{1B}[?2004l"

    /// From the cursor to the end of its row nothing is left.
    package static let eraseToEndOfRow = "\u{1B}[K"
    /// From the cursor to the end of the screen nothing is left.
    package static let eraseToEndOfScreen = "\u{1B}[J"
    /// Nothing is left on the screen, and the cursor stands at its beginning.
    package static let eraseScreen = "\u{1B}[H\u{1B}[2J"

    /// The cursor goes to a column of its row, counted from 0. That does not depend on how wide the terminal takes what
    /// stands before it.
    package static func column(_ column: Int) -> String { "\u{1B}[\(max(column, 0) + 1)G" }

    /// The cursor goes up so many rows.
    package static func up(_ rows: Int) -> String { rows > 0 ? "\u{1B}[\(rows)A" : "" }
}
