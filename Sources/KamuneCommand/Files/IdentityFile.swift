import Kamune
import KamuneTerminal

/// A file that holds an identity: PKCS #8 in PEM, which OpenSSL and others read too.
struct IdentityFile: Sendable {
    let path: FilePath

    /// An ML-DSA key in its longest form has about 6 KiB; more is something else.
    static let sizeLimit = 64 * 1_024
    private static let what = "the identity that is there"

    init(path: FilePath) {
        self.path = path
    }

    /// Reads the identity.
    ///
    /// - Parameter secret: Whether to refuse a file that others can read.
    func load(secret: Bool = true) throws(FileFailure) -> Identity {
        let pem = try PrivateFile.read(path, limit: Self.sizeLimit, secret: secret, what: "identity")
        return try Self.parse(pem, path: path)
    }

    /// Reads the identity, or makes one when there is none.
    func loadOrCreate() throws(FileFailure) -> (identity: Identity, isNew: Bool) {
        do throws(FileFailure) {
            return (try load(), false)
        } catch .missing {
            let identity = try Self.generate(.ed25519, path: path)
            do throws(FileFailure) {
                try save(identity)
            } catch .exists {
                // Another kamune was faster; then its identity is ours.
                return (try load(), false)
            }
            return (identity, true)
        }
    }

    /// Writes the identity, with its directory if need be.
    func save(_ identity: Identity, _ existing: PrivateFile.Existing = .refuse) throws(FileFailure) {
        try DataDirectory.create(path.parent)
        try identity.pemBytes().withUnsafeBytes { pem throws(FileFailure) in
            try PrivateFile.write(pem, to: path, existing: existing, what: Self.what)
        }
    }

    /// Makes an identity; `path` is where it is meant for.
    static func generate(_ algorithm: IdentityAlgorithm, path: FilePath) throws(FileFailure) -> Identity {
        do {
            return try .generate(algorithm)
        } catch {
            throw .unusable(path: path, reason: error.description)
        }
    }

    /// Reads an identity that came from `path`.
    static func parse(_ pem: borrowing SecretBytes, path: FilePath) throws(FileFailure) -> Identity {
        do {
            return try Identity(pem: pem)
        } catch {
            throw .unusable(path: path, reason: advice(on: error))
        }
    }

    /// What to do about a file that is not an identity.
    private static func advice(on error: CryptoError) -> String {
        switch error {
        case .encryptedKey:
            "it is encrypted with a passphrase; remove that first, as by "
                + "“openssl pkey -in FILE -out PLAIN”, and import the result."
        case .unexpectedPEMLabel("PUBLIC KEY", _):
            "it holds a public key, and an identity is a private one; name the other file of the pair."
        case .unexpectedPEMLabel(let found, _):
            "it holds a “\(TerminalText(found))”; an identity is a PRIVATE KEY in PKCS #8, as by “openssl pkcs8 -topk8 "
                + "-nocrypt”."
        case .malformedPEM, .malformedKey:
            "\(TerminalText(error.description)) Restore it from a copy, or make a new identity with "
                + "“kamune identity new --force”."
        default:
            TerminalText(error.description).description
        }
    }
}
