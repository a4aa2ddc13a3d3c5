extension Identity {
    /// Reads a private key in PKCS #8 (RFC 5958): Ed25519 by RFC 8410, ML-DSA-65 by RFC 9881 with its seed.
    ///
    /// - Throws: ``CryptoError/encryptedKey``, ``CryptoError/expandedKeyWithoutSeed``,
    ///   ``CryptoError/unsupportedAlgorithm(oid:)``, or ``CryptoError/malformedKey(reason:)``, also when a public key
    ///   that stands beside the private one does not belong to it.
    public init(pkcs8 der: borrowing SecretBytes) throws(CryptoError) {
        self = try der.withUnsafeBytes { der throws(CryptoError) in try Identity(pkcs8: der) }
    }

    /// Reads a private key in PKCS #8; see ``init(pkcs8:)-(SecretBytes)``. The array stays the caller's to erase.
    public init(pkcs8 der: [UInt8]) throws(CryptoError) {
        self = try withTypedUnsafeBytes(of: der) { der throws(CryptoError) in try Identity(pkcs8: der) }
    }

    /// Reads a private key in PKCS #8; see ``init(pkcs8:)-(SecretBytes)``.
    public init(pkcs8 der: UnsafeRawBufferPointer) throws(CryptoError) {
        let contents = try PrivateKeyInfo.parse(der)
        let identity = try Identity(algorithm: contents.algorithm, seed: contents.seed)
        let rawPublicKey = identity.publicKey.spki.suffix(contents.algorithm.publicKeySize)
        guard contents.publicKey.map(rawPublicKey.elementsEqual) ?? true else {
            throw .malformedKey(reason: "its public key does not belong to its private key")
        }
        guard contents.publicSeed.map(rawPublicKey.starts) ?? true else {
            throw .malformedKey(reason: "its expanded key does not belong to its seed")
        }
        self = identity
    }

    /// Reads a private key in PEM with the label `PRIVATE KEY`.
    ///
    /// - Throws: as ``init(pkcs8:)-(SecretBytes)``, ``CryptoError/malformedPEM(reason:)`` or
    ///   ``CryptoError/unexpectedPEMLabel(found:expected:)``.
    public init(pem: borrowing SecretBytes) throws(CryptoError) {
        self = try pem.withUnsafeBytes { pem throws(CryptoError) in try Identity(pem: pem) }
    }

    /// Reads a private key in PEM; see ``init(pem:)-(SecretBytes)``. The text itself cannot be erased, so where it is
    /// read from a file, prefer that one.
    public init(pem: String) throws(CryptoError) {
        self = try withTypedUnsafeBytes(of: Array(pem.utf8)) { pem throws(CryptoError) in try Identity(pem: pem) }
    }

    private init(pem: UnsafeRawBufferPointer) throws(CryptoError) {
        self = try Identity(pkcs8: PEM.decode(pem, label: PEM.privateKeyLabel))
    }

    /// The private key in PKCS #8: Ed25519 in 48 bytes as RFC 8410 and OpenSSL have it, ML-DSA-65 in 54 bytes with the
    /// seed alone (RFC 9881 §6).
    public func pkcs8DER() -> SecretBytes {
        let prefix = PrivateKeyInfo.prefix(of: algorithm)
        return withSeed { seed in
            SecretBytes(unsafeUninitializedCapacity: prefix.count + seed.count) { der in
                der.copyBytes(from: prefix)
                UnsafeMutableRawBufferPointer(rebasing: der[prefix.count...]).copyMemory(from: seed)
            }
        }
    }

    /// The private key in PEM, as bytes for a file.
    public func pemBytes() -> SecretBytes {
        pkcs8DER().withUnsafeBytes { PEM.encode($0, label: PEM.privateKeyLabel) }
    }

    /// The private key in PEM, as a text, which cannot be erased; see ``pemBytes()``.
    public func pemRepresentation() -> String {
        pemBytes().withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}

extension PublicIdentity {
    /// Reads a public key in PEM with the label `PUBLIC KEY` (RFC 7468 §13).
    ///
    /// - Throws: as ``init(spki:)``, ``CryptoError/malformedPEM(reason:)`` or
    ///   ``CryptoError/unexpectedPEMLabel(found:expected:)``.
    public init(pem: String) throws(CryptoError) {
        let spki = try withTypedUnsafeBytes(of: Array(pem.utf8)) { pem throws(CryptoError) in
            try PEM.decode(pem, label: PEM.publicKeyLabel).withUnsafeBytes { [UInt8]($0) }
        }
        try self.init(spki: spki)
    }

    /// The public key in PEM with the label `PUBLIC KEY`.
    public var pem: String {
        spki.withUnsafeBytes { spki in
            PEM.encode(spki, label: PEM.publicKeyLabel).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
    }
}
