import Foundation

/// Decides whether a text holds all of some words, without regard to case. What people see as the same letter is the
/// same, whether it is written as one character or as a letter and its accent.
struct MessageMatcher: Sendable {
    private struct Word: Sendable {
        var scalars: [UInt32]
        /// The word in folded ASCII; `nil` when it is not.
        var ascii: [UInt8]?
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
                scalars: scalars, ascii: scalars.allSatisfy { $0 < 0x80 } ? scalars.map { UInt8($0) } : nil)
        }
    }

    /// Whether there is nothing to look for.
    var matchesEverything: Bool { words.isEmpty }

    /// Whether a text in UTF-8 holds all words.
    func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !words.isEmpty else { return true }
        var combined: UInt8 = 0
        for byte in text { combined |= byte }
        if combined < 0x80 {
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

    private static func foldedScalars(_ text: UnsafeBufferPointer<UInt8>) -> [UInt32] {
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

    private static func contains(
        _ text: UnsafeBufferPointer<UInt8>, _ word: [UInt8], wholeWords: Bool
    ) -> Bool {
        word.withUnsafeBufferPointer { word in
            guard let first = word.first, text.count >= word.count else { return false }
            let last = text.count - word.count
            var start = 0
            candidates: while start <= last {
                defer { start += 1 }
                guard CaseFolding.fold(text[start]) == first else { continue }
                for offset in 1..<max(1, word.count) where CaseFolding.fold(text[start + offset]) != word[offset] {
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
