/// A part of a text that is drawn as one and never torn: a grapheme cluster, as a rule.
package struct TextPiece: Hashable, Sendable {
    /// What is drawn.
    package let text: String
    /// The columns that it takes; see ``TextWidth``.
    package let columns: Int
    /// Whether terminals agree on its columns. If not, whoever draws says where the next piece stands.
    package let isCertain: Bool

    init(_ text: String) {
        self.text = text
        (columns, isCertain) = TextWidth.measure(text.unicodeScalars)
    }

    var isSpace: Bool { text == " " }

    /// The most columns of a cluster that is drawn as one. Longer ones are no emoji and no syllable that anybody writes,
    /// but runs of consonants that Unicode does not part, of any length.
    private static let maximumColumns = 4

    /// Appends the pieces of a cluster of cleaned text.
    static func append(_ character: Character, to pieces: inout [TextPiece]) {
        let whole = TextPiece(String(character))
        guard whole.columns > maximumColumns else {
            pieces.append(whole)
            return
        }
        var part = ""
        for scalar in character.unicodeScalars {
            if !part.isEmpty, !scalar.joinsAnything {
                pieces.append(TextPiece(part))
                part = ""
            }
            part.unicodeScalars.append(scalar)
        }
        pieces.append(TextPiece(part))
    }

    /// The pieces of cleaned text.
    static func pieces(of text: String) -> [TextPiece] {
        var pieces: [TextPiece] = []
        pieces.reserveCapacity(text.utf8.count)
        for character in text { append(character, to: &pieces) }
        return pieces
    }
}

extension Unicode.Scalar {
    /// Whether it becomes one cluster with whatever stands before it (UAX #29, GB9 and GB9a).
    fileprivate var joinsAnything: Bool { "a\(self)".count == 1 }
}
