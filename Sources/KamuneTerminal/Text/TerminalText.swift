/// Text from elsewhere, made fit to be drawn in a terminal: one line, without anything that could steer the terminal,
/// reorder or hide what is drawn, or climb over its neighbours. Whoever draws what a peer has said draws this.
///
/// It is for eyes only: what goes to a file or a program is what was sent.
package struct TerminalText: Hashable, Sendable {
    /// The text, for layout. To be drawn it has to be isolated, as ``description`` is.
    package let content: String

    /// Whether it has letters of a script that is written from right to left.
    package let hasRightToLeft: Bool

    /// Makes text fit to be drawn. Breaks of lines become spaces.
    package init(_ text: some StringProtocol) {
        self.init(scalars: text.unicodeScalars)
    }

    /// Makes text fit to be drawn where there is only so much room.
    ///
    /// - Parameter maximumColumns: Longer text is cut and ends in “…”. Everything that is kept is bounded by it, whatever
    ///   the text counts in characters: a single one may be of any length.
    package init(_ text: some StringProtocol, maximumColumns: Int) {
        var cleaner = TextCleaner(isRightToLeft: text.unicodeScalars.contains(where: \.isRightToLeft))
        // Enough to know that the text has to be cut: of joined emoji there are up to eleven times fewer columns than are
        // counted on the way.
        for scalar in text.unicodeScalars {
            cleaner.take(scalar)
            if cleaner.columns > 12 * (maximumColumns + 2) { break }
        }
        let whole = cleaner.finish()
        self.init(content: Self.cut(whole, maximumColumns), hasRightToLeft: cleaner.isRightToLeft)
    }

    /// The lines of a text, each made fit to be drawn. Tabs become spaces up to the next eighth column.
    package static func lines(of text: some StringProtocol) -> [TerminalText] {
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .map { TerminalText(scalars: $0.unicodeScalars, tabDistance: 8) }
    }

    private init(scalars: some Collection<Unicode.Scalar>, tabDistance: Int? = nil) {
        var cleaner = TextCleaner(
            isRightToLeft: scalars.contains(where: \.isRightToLeft), tabDistance: tabDistance)
        for scalar in scalars { cleaner.take(scalar) }
        self.init(content: cleaner.finish(), hasRightToLeft: cleaner.isRightToLeft)
    }

    init(content: String, hasRightToLeft: Bool) {
        self.content = content
        self.hasRightToLeft = hasRightToLeft
    }

    /// How many columns it takes.
    package var columns: Int { TextWidth.of(content) }

    /// Whether there is nothing to see.
    package var isBlank: Bool { content.allSatisfy(\.isWhitespace) }

    private static func cut(_ text: String, _ limit: Int) -> String {
        let pieces = TextPiece.pieces(of: text)
        var columns = 0
        // The end of those that fit, and of those that leave a column for the sign that there is more.
        var shortened = 0
        for (index, piece) in pieces.enumerated() {
            columns += piece.columns
            if columns > limit { return pieces[..<shortened].map(\.text).joined() + (limit > 0 ? "…" : "") }
            if columns < limit { shortened = index + 1 }
        }
        return text
    }
}

extension TerminalText: CustomStringConvertible {
    /// The text as it is drawn. What is written from right to left is isolated (UAX #9 §2.4), so that it reorders nothing
    /// around it.
    package var description: String { hasRightToLeft ? Self.isolated(content) : content }

    static func isolated(_ text: String) -> String { "\u{2068}\(text)\u{2069}" }
}

extension Unicode.Scalar {
    /// Whether a line ends with it: LF, VT, FF, CR, NEL, and Unicode's own two.
    var endsLine: Bool { (0xa...0xd).contains(value) || value == 0x85 || value == 0x2028 || value == 0x2029 }

    /// Whether it belongs to a script that is written from right to left (DerivedBidiClass.txt, by blocks).
    var isRightToLeft: Bool {
        switch value {
        // A mark of direction is no letter.
        case 0x61c: false
        case 0x590...0x8ff, 0xfb1d...0xfdff, 0xfe70...0xfefe, 0x10800...0x10fff, 0x1e800...0x1efff:
            // What is nothing yet is not drawn.
            WidthTable.kind(of: self) != .unassigned
        default: false
        }
    }
}
