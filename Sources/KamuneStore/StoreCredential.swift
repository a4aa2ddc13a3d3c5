public import KamuneCrypto

/// What opens a store or a backup.
///
/// A passphrase is taken as the bytes that it is given in. Text should be brought to Unicode's form NFC first, so that one
/// passphrase gives the same bytes on every system.
public enum StoreCredential: ~Copyable, Sendable {
    /// A passphrase, at least one byte.
    case passphrase(SecretBytes)
    /// None: whoever has the file can read it. It must be chosen in so many words, when the store is made and each time
    /// that it is opened.
    case unprotected

    /// A passphrase from a text.
    public static func passphrase(_ text: String) -> StoreCredential {
        .passphrase(SecretBytes(copying: Array(text.utf8)))
    }
}
