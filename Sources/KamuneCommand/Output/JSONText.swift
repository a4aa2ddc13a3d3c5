import Foundation
import KamuneNode

/// Values in JSON (RFC 8259), written on one line and so that a terminal may show it: what could steer one, reorder or hide
/// text is escaped, and reads back as it was.
enum JSONText {
    /// A value of the node's vocabulary, as its JSON, in which what could steer a terminal is escaped.
    static func encoding(_ value: some Encodable) throws -> String {
        var scalars = String.UnicodeScalarView()
        let encoder = JSONCoding.encoder()
        // The same every time, so that lines can be compared.
        encoder.outputFormatting.insert(.sortedKeys)
        let text = String(decoding: try encoder.encode(value), as: UTF8.self)
        for scalar in text.unicodeScalars {
            // Outside of texts there is nothing but plain ASCII.
            if isPlain(scalar) { scalars.append(scalar) } else { scalars.append(contentsOf: escape(scalar)) }
        }
        return String(scalars)
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        var scalars = String.UnicodeScalarView()
        for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            scalars.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".unicodeScalars)
        }
        return scalars
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return (0x20...0x7e).contains(scalar.value) }
        if scalar.properties.isDefaultIgnorableCodePoint { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
        default: return true
        }
    }
}
