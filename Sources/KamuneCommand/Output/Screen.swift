import KamuneTerminal

/// A terminal as a place to write rows to.
struct Screen: Sendable {
    /// How wide it is.
    let columns: Int
    /// Whether it understands control sequences, so that a row that it takes for wider than we do ends at the edge. Where it
    /// does not, the last column stays free.
    let understandsControls: Bool

    /// How rows are laid out in it. Whatever a message holds, no row of it but the first begins where we write ours.
    var layout: TextLayout { TextLayout(columns: understandsControls ? columns : columns - 1) }

    /// Rows as they are written.
    func drawn(_ rows: [String]) -> String {
        let text = rows.map { $0 + "\n" }.joined()
        return understandsControls ? ControlSequence.autowrapOff + text + ControlSequence.autowrapOn : text
    }
}

extension CommandContext {
    /// The terminal that a stream goes to; nil when it goes elsewhere, where everything is written as it is.
    func screen(for stream: StandardStream) -> Screen? {
        guard stream.isTerminal else { return nil }
        return Screen(columns: stream.columns, understandsControls: !Style.isDumb(environment))
    }

    /// Writes a text of ours, which is fit to be shown, to standard error.
    func tell(_ text: String, _ look: Style.Look? = nil) {
        let style = style(for: errors)
        errors.write(rows(of: text, for: errors).map { row in (look.map { style($0, row) } ?? row) + "\n" }.joined())
    }

    /// The lines of a text of ours, which is fit to be shown, for a stream: broken between words where it is a terminal.
    func rows(of text: String, for stream: StandardStream) -> [String] {
        guard let layout = screen(for: stream)?.layout else {
            return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        }
        return TerminalText.lines(of: text).flatMap { layout.rows(of: $0) }
    }
}
