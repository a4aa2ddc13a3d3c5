import Kamune

/// What a person is told about a passphrase that is easily guessed. It is taken all the same: they may know better.
///
/// Guessing costs an attacker about as much as opening costs here, some hundred milliseconds and 128 MiB each time
/// (scrypt): a million guesses are a day or two of one machine. Four words drawn from a list of a few thousand, or twelve random
/// letters and digits, are out of reach by far; what is shorter seldom is.
enum PassphraseAdvice {
    /// Fewer characters than these are few.
    static let length = 12
    /// Fewer different ones than these are a pattern.
    static let variety = 6

    /// What to say about a passphrase that was just chosen; nil when there is nothing to say.
    static func text(on passphrase: SecretBox) -> String? {
        passphrase.secret.withUnsafeBytes { bytes in
            // Characters begin with a byte that continues none; no string is made of it, which could not be erased.
            let count = bytes.count { $0 & 0xC0 != 0x80 }
            let what: String
            if count < length {
                what = "has only \(Count.of(count, "character", "characters"))"
            } else if Set(bytes).count < variety {
                what = "consists of few different characters"
            } else {
                return nil
            }
            return
                "This passphrase \(what), so whoever gets the file may guess it. It is taken all the same; four or five "
                + "words that have nothing to do with each other, or with you, are safer."
        }
    }
}
