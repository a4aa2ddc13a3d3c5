import Foundation

/// What a name looks like: two names with the same skeleton are easily taken for one another (after UTS #39, "Confusable
/// Detection": compatibility forms, case, marks, spaces and a selection of letters that look alike in usual typefaces).
struct NameSkeleton: Hashable {
    private let text: String

    init(_ name: String) {
        // Case goes first, since some letters look alike in one of them only, and is folded again after compatibility.
        let plain = name.decomposedStringWithCompatibilityMapping.lowercased().decomposedStringWithCompatibilityMapping
        var scalars = String.UnicodeScalarView()
        for scalar in plain.unicodeScalars where Self.isSeen(scalar) {
            scalars.append(Self.alike[scalar] ?? scalar)
        }
        var text = String(scalars)
        for (pair, letter) in Self.pairs { text = text.replacingOccurrences(of: pair, with: letter) }
        self.text = text
    }

    /// Whether there is nothing in it by which anybody could be told from another.
    var isEmpty: Bool { text.isEmpty }

    /// Whether a scalar makes a difference to the eye: no mark, space, punctuation or control.
    private static func isSeen(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isDefaultIgnorableCodePoint { return false }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .spaceSeparator, .lineSeparator, .paragraphSeparator, .control, .format,
            .dashPunctuation, .connectorPunctuation, .otherPunctuation, .modifierLetter, .modifierSymbol:
            return false
        default: return true
        }
    }

    /// Letters, in lower case, and the Latin ones that they look like.
    private static let alike: [Unicode.Scalar: Unicode.Scalar] = {
        var alike: [Unicode.Scalar: Unicode.Scalar] = [:]
        let rows: [(Unicode.Scalar, String)] = [
            ("a", "аɑα"), ("b", "вβƅ"), ("c", "сϲ"), ("d", "ԁ"), ("e", "еєε"), ("g", "ɡ"), ("h", "һн"),
            ("j", "јϳ"), ("k", "кκ"), ("l", "iıіιӏ1|ł"), ("m", "м"), ("n", "η"), ("o", "оοσօ0øө"), ("p", "рρ"),
            ("q", "ԛ"),
            ("r", "г"), ("s", "ѕ"), ("t", "тτ"), ("u", "υս"), ("v", "ѵν"), ("w", "ԝω"), ("x", "хχ"), ("y", "уγү"),
            ("d", "đ"),
        ]
        for (letter, others) in rows {
            for other in others.unicodeScalars { alike[other] = letter }
        }
        return alike
    }()

    /// Letters that look like another one together.
    private static let pairs = [("rn", "m"), ("vv", "w")]
}

extension ContactInfo {
    /// Whether somebody may take this contact for one of the given name.
    func looksLike(_ name: String) -> Bool {
        let skeleton = NameSkeleton(name)
        guard !skeleton.isEmpty else { return false }
        return NameSkeleton(self.name) == skeleton || NameSkeleton(givenName) == skeleton
    }
}
