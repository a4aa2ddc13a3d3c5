internal import Foundation

/// A host name with other letters than those of ASCII, as the network knows it (RFC 5890): each part that has such letters
/// is written in those of ASCII, with “xn--” before it.
enum InternationalName {
    /// What is wrong with a name.
    struct Problem: Error {
        let reason: String
    }

    /// What a part begins with that was written in other letters (RFC 5890, section 2.3.2.1).
    private static let prefix = "xn--"
    /// What separates parts besides the full stop (UTS #46).
    private static let fullStops: Set<Unicode.Scalar> = ["\u{3002}", "\u{FF0E}", "\u{FF61}"]
    /// The longest name, in bytes (RFC 1035, section 2.3.4). No letter takes less than one in the end, and to encode absurdly
    /// many takes time by their square.
    private static let limit = 253

    /// The form in ASCII. A name that is in ASCII already stays as it is.
    ///
    /// Letters become small, and composed where they can be (UTS #46, section 4, with letters, marks and digits as what a
    /// name may consist of).
    static func ascii(_ name: Substring) throws(Problem) -> String {
        guard !name.utf8.allSatisfy({ $0 < 0x80 }) else { return String(name) }
        guard name.unicodeScalars.count <= limit else {
            throw Problem(reason: "the host name is longer than \(limit) bytes")
        }
        var mapped = ""
        for scalar in name.unicodeScalars { mapped.unicodeScalars.append(fullStops.contains(scalar) ? "." : scalar) }
        mapped = mapped.lowercased().precomposedStringWithCompatibilityMapping
        var labels: [String] = []
        for label in mapped.split(separator: ".", omittingEmptySubsequences: false) {
            labels.append(try asciiLabel(label))
        }
        return labels.joined(separator: ".")
    }

    private static func asciiLabel(_ label: Substring) throws(Problem) -> String {
        let scalars = Array(label.unicodeScalars)
        guard !scalars.allSatisfy(\.isASCII) else { return String(label) }
        for (index, scalar) in scalars.enumerated() where !isAllowed(scalar, isFirst: index == 0) {
            throw Problem(reason: "the host name has a “\(Character(scalar))” where none may be")
        }
        let isHyphenated = scalars.first == "-" || scalars.last == "-" || scalars.dropFirst(2).starts(with: ["-", "-"])
        guard !isHyphenated, let encoded = Punycode.encode(scalars) else {
            throw Problem(reason: "“\(label)” is no part of a host name")
        }
        return prefix + encoded
    }

    private static func isAllowed(_ scalar: Unicode.Scalar, isFirst: Bool) -> Bool {
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .otherLetter, .modifierLetter, .decimalNumber: true
        case .nonspacingMark, .spacingMark: !isFirst
        default: scalar == "-"
        }
    }
}

/// Unicode text in the letters, digits and hyphens of ASCII (RFC 3492).
enum Punycode {
    // The parameters of section 5.
    private static let base = 36
    private static let leastThreshold = 1
    private static let greatestThreshold = 26
    private static let skew = 38
    private static let damp = 700
    private static let initialBias = 72
    private static let initialNumber = 128

    /// Encodes text (section 6.3); `nil` if numbers become too large, which takes absurdly long text.
    static func encode(_ text: [Unicode.Scalar]) -> String? {
        var output = text.filter(\.isASCII).map { UInt8(ascii: $0) }
        let basicCount = output.count
        if basicCount > 0 { output.append(UInt8(ascii: "-")) }
        var number = initialNumber
        var delta = 0
        var bias = initialBias
        var handled = basicCount
        while handled < text.count {
            guard let next = text.lazy.map({ Int($0.value) }).filter({ $0 >= number }).min() else { return nil }
            let (step, isTooLarge) = (next - number).multipliedReportingOverflow(by: handled + 1)
            guard !isTooLarge, delta <= Int(Int32.max) - min(step, Int(Int32.max)) else { return nil }
            delta += step
            number = next
            for scalar in text {
                if Int(scalar.value) < number { delta += 1 }
                guard Int(scalar.value) == number else { continue }
                appendVariableLength(delta, bias: bias, to: &output)
                bias = adapt(delta, count: handled + 1, isFirst: handled == basicCount)
                delta = 0
                handled += 1
            }
            delta += 1
            number += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func appendVariableLength(_ value: Int, bias: Int, to output: inout [UInt8]) {
        var rest = value
        var position = base
        while true {
            let threshold = min(max(position - bias, leastThreshold), greatestThreshold)
            guard rest >= threshold else { break }
            output.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            position += base
        }
        output.append(digit(rest))
    }

    private static func digit(_ value: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: value < 26 ? Int(UInt8(ascii: "a")) + value : Int(UInt8(ascii: "0")) + value - 26)
    }

    /// Section 6.1.
    private static func adapt(_ delta: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / damp : delta / 2
        delta += delta / count
        var position = 0
        while delta > (base - leastThreshold) * greatestThreshold / 2 {
            delta /= base - leastThreshold
            position += base
        }
        return position + (base - leastThreshold + 1) * delta / (delta + skew)
    }
}
