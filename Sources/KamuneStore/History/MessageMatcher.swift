import Foundation

/// Decides whether a text holds all of some words, without regard to case. What people see as the same letter is the
/// same, whether it is written as one character or as a letter and its accent.
struct MessageMatcher: Sendable {
    private struct Word: Sendable {
        var scalars: [UInt32]
        /// The word in folded ASCII; `nil` when it is not.
        var ascii: [Letter]?
    }

    /// One byte of ASCII to look for: `(byte | mask) == value` in either case of a letter.
    private struct Letter: Sendable {
        var value: UInt8
        var mask: UInt8

        init(folded scalar: UInt32) {
            value = UInt8(truncatingIfNeeded: scalar)
            mask = value &- 0x61 < 26 ? 0x20 : 0
        }

        @inline(__always)
        func matches(_ byte: UInt8) -> Bool { byte | mask == value }
    }

    private let words: [Word]
    private let wholeWords: Bool

    /// - Parameters:
    ///   - text: words, separated by spaces. Without any, every text matches.
    ///   - wholeWords: whether "cat" is not found in "concatenate".
    init(_ text: String, wholeWords: Bool) {
        self.wholeWords = wholeWords
        words = text.precomposedStringWithCanonicalMapping.split(whereSeparator: \.isWhitespace).map { word in
            let scalars = word.unicodeScalars.map { CaseFolding.fold($0.value) }
            return Word(
                scalars: scalars, ascii: scalars.allSatisfy { $0 < 0x80 } ? scalars.map { Letter(folded: $0) } : nil)
        }
    }

    /// Whether there is nothing to look for.
    var matchesEverything: Bool { words.isEmpty }

    /// Whether a text in UTF-8 holds all words.
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        guard !words.isEmpty else { return true }
        if Self.isASCII(text) {
            return words.allSatisfy { word in
                guard let ascii = word.ascii else { return false }
                return Self.contains(text, ascii, wholeWords: wholeWords)
            }
        }
        var scalars = Self.foldedScalars(text)
        // Accents on their own: bring the text into the form that the words have.
        if scalars.contains(where: { (0x300...0x36F).contains($0) || $0 > 0x10FFFF }) {
            let composed = String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping
            scalars = composed.unicodeScalars.map { CaseFolding.fold($0.value) }
        }
        return words.allSatisfy { Self.contains(scalars, $0.scalars, wholeWords: wholeWords) }
    }

    private static func isASCII(_ text: UnsafeRawBufferPointer) -> Bool {
        var combined: UInt64 = 0
        var position = 0
        while position &+ 8 <= text.count {
            combined |= text.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            position &+= 8
        }
        while position < text.count {
            combined |= UInt64(text[position])
            position &+= 1
        }
        return combined & 0x8080_8080_8080_8080 == 0
    }

    private static func foldedScalars(_ text: UnsafeRawBufferPointer) -> [UInt32] {
        var decoder = UTF8()
        var bytes = text.makeIterator()
        var scalars: [UInt32] = []
        scalars.reserveCapacity(text.count)
        while true {
            switch decoder.decode(&bytes) {
            case .scalarValue(let scalar): scalars.append(CaseFolding.fold(scalar.value))
            case .emptyInput: return scalars
            case .error: scalars.append(0xFFFD)
            }
        }
    }

    private static func contains(_ text: UnsafeRawBufferPointer, _ word: [Letter], wholeWords: Bool) -> Bool {
        word.withUnsafeBufferPointer { word in
            guard let first = word.first, text.count >= word.count else { return false }
            candidates: for start in 0...(text.count - word.count) where first.matches(text[start]) {
                for offset in 1..<max(1, word.count) where !word[offset].matches(text[start + offset]) {
                    continue candidates
                }
                guard wholeWords else { return true }
                let end = start + word.count
                let isBounded =
                    (start == 0 || !CaseFolding.isWordCharacter(UInt32(text[start - 1])))
                    && (end == text.count || !CaseFolding.isWordCharacter(UInt32(text[end])))
                if isBounded { return true }
            }
            return false
        }
    }

    private static func contains(_ text: [UInt32], _ word: [UInt32], wholeWords: Bool) -> Bool {
        guard let first = word.first, text.count >= word.count else { return false }
        for start in 0...(text.count - word.count) where text[start] == first {
            let end = start + word.count
            guard text[start..<end].elementsEqual(word) else { continue }
            guard wholeWords else { return true }
            let isBounded =
                (start == 0 || !CaseFolding.isWordCharacter(text[start - 1]))
                && (end == text.count || !CaseFolding.isWordCharacter(text[end]))
            if isBounded { return true }
        }
        return false
    }
}
