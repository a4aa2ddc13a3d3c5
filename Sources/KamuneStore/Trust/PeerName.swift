import Foundation

/// A name as it counts when two are compared: what people would take for the same is the same.
///
/// Stores find peers by what comes of it (``PeerAlias``), so it must be the same on every system and after each of its
/// updates. Of characters that Unicode has, no later version changes what is used here (Unicode Character Encoding
/// Stability Policies: normalization, case folding). One that this system does not know yet may have any properties on
/// the next, so whatever came after ``version`` counts as it stands.
struct PeerName: Hashable {
    /// The form that is compared, scalar by scalar.
    let folded: String

    /// The version of Unicode that every system knows.
    private static let version: Unicode.Version = (15, 0)

    init(_ name: String) {
        var folded = ""
        var known = String.UnicodeScalarView()
        func fold() {
            folded += String(known).precomposedStringWithCompatibilityMapping.lowercased()
            known = .init()
        }
        for scalar in name.unicodeScalars where !Self.isInvisible(scalar) {
            if Self.isKnown(scalar) {
                known.append(scalar)
            } else {
                fold()
                folded.unicodeScalars.append(scalar)
            }
        }
        fold()
        self.folded = folded.unicodeScalars.split { $0.properties.isWhitespace }.map { String($0) }
            .joined(separator: " ")
    }

    var isEmpty: Bool { folded.isEmpty }

    static func == (left: PeerName, right: PeerName) -> Bool { left.folded.utf8.elementsEqual(right.folded.utf8) }

    func hash(into hasher: inout Hasher) { for byte in folded.utf8 { hasher.combine(byte) } }

    /// Whether it cannot be seen, and so makes no difference to people. Where others of the kind will be put is known
    /// (Default_Ignorable_Code_Point holds there before there are any).
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x2065, 0xFFF0...0xFFF8, 0xE0000...0xE0FFF: true
        default: isKnown(scalar) && scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.age.map { $0 <= version } ?? false
    }
}
