import Kamune

/// What the identity commands read and print.
enum IdentityReport {
    /// Prints everything that others may know of an identity.
    static func print(_ identity: PublicIdentity, path: String) throws(Failure) {
        var rows = FingerprintCard.rows(identity)
        if identity.algorithm == .ed25519 { rows += FingerprintCard.row("public key", [identity.fingerprint.base64]) }
        rows += FingerprintCard.row("file", [DisplayText(path).description])
        try StandardStream(STDOUT_FILENO).print(rows.joined(separator: "\n"))
    }

    /// Reads the identity, and says how to make one when there is none.
    static func load(_ file: IdentityFile) throws -> Identity {
        do throws(FileFailure) {
            return try file.load()
        } catch .missing(let path, _) {
            throw Failure(
                .failure,
                "There is no identity at “\(DisplayText(path))” yet; make one with “kamune identity new”, or simply listen "
                    + "or dial.")
        }
    }

    /// The public key in a PEM file of either kind.
    static func publicKey(in path: String) throws(FileFailure) -> PublicIdentity {
        let pem = try PrivateFile.read(path, limit: IdentityFile.sizeLimit, secret: false, what: "file")
        let text = pem.withUnsafeBytes { pem in
            // A private key shall not become a string, which cannot be erased.
            pem.starts(with: "-----BEGIN PUBLIC KEY-----".utf8) ? String(decoding: pem, as: UTF8.self) : nil
        }
        guard let text else { return try IdentityFile.parse(pem, path: path).publicKey }
        do throws(CryptoError) {
            return try PublicIdentity(pem: text)
        } catch {
            throw .unusable(path: path, reason: DisplayText(error.description).description)
        }
    }
}
