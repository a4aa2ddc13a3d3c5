import SwiftASN1

/// The DER encoding of private keys: PKCS #8 in the form of RFC 5958 (RFC 8410 §7, RFC 9881 §6).
enum PrivateKeyInfo {
    /// Everything in front of the seed in the encoding that we write: version 0, no attributes, no public key, and for
    /// ML-DSA the seed alone.
    static func prefix(of algorithm: IdentityAlgorithm) -> [UInt8] {
        switch algorithm {
        case .ed25519:
            [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]
        case .mldsa65:
            [
                0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                0x12, 0x04, 0x22, 0x80, 0x20,
            ]
        }
    }

    /// The size of an expanded ML-DSA-65 key in bytes (FIPS 204 table 2).
    private static let expandedKeySize = 4_032

    /// The size of ρ in bytes.
    private static let publicSeedSize = 32

    /// What a file says: the seed, and whatever stands beside it and must fit it.
    struct Contents: ~Copyable {
        let algorithm: IdentityAlgorithm
        let seed: SecretBytes
        /// The raw public key.
        var publicKey: [UInt8]?
        /// How the expanded ML-DSA key begins: with ρ, as the public key does (FIPS 204 algorithms 22 and 24).
        var publicSeed: [UInt8]?
    }

    /// Reads a private key. Our own encodings are read in place; others are copied to be taken apart.
    static func parse(_ der: UnsafeRawBufferPointer) throws(CryptoError) -> Contents {
        for algorithm in IdentityAlgorithm.allCases {
            let prefix = prefix(of: algorithm)
            if der.count == prefix.count + IdentityAlgorithm.seedSize && der.starts(with: prefix) {
                let seed = UnsafeRawBufferPointer(rebasing: der[prefix.count...])
                return Contents(algorithm: algorithm, seed: SecretBytes(copying: seed))
            }
        }
        return try parseStructure([UInt8](der))
    }

    private static func parseStructure(_ der: [UInt8]) throws(CryptoError) -> Contents {
        let fields: Fields
        do {
            fields = try Fields(DER.parse(der))
        } catch let error as CryptoError {
            throw error
        } catch {
            throw .malformedKey(reason: "it is not the DER encoding of a private key")
        }
        guard let algorithm = fields.identifier.algorithm else {
            throw .unsupportedAlgorithm(oid: fields.identifier.dotted)
        }
        guard !fields.identifier.hasParameters else {
            throw .malformedKey(reason: "its algorithm takes no parameters, but there are some")
        }
        let seed: ArraySlice<UInt8>
        var publicSeed: [UInt8]?
        switch algorithm {
        case .ed25519: seed = try octets(fields.privateKey)
        case .mldsa65: (seed, publicSeed) = try mldsaSeed(fields.privateKey)
        }
        guard seed.count == IdentityAlgorithm.seedSize else {
            throw .malformedKey(reason: "its private key has \(seed.count) bytes instead of 32")
        }
        return Contents(
            algorithm: algorithm, seed: SecretBytes(copying: seed), publicKey: fields.publicKey,
            publicSeed: publicSeed)
    }

    /// The CurvePrivateKey of RFC 8410 §7: an octet string within the octet string.
    private static func octets(_ bytes: ArraySlice<UInt8>) throws(CryptoError) -> ArraySlice<UInt8> {
        do {
            return try ASN1OctetString(derEncoded: bytes).bytes
        } catch {
            throw .malformedKey(reason: "its private key is not an octet string")
        }
    }

    /// The ML-DSA-65-PrivateKey of RFC 9881 §6: `seed [0]`, `expandedKey` or `both`. The library makes keys from seeds
    /// only. Of the expanded key in `both` the public part ρ is handed on for comparison; the rest is not used.
    private static func mldsaSeed(
        _ bytes: ArraySlice<UInt8>
    ) throws(CryptoError) -> (seed: ArraySlice<UInt8>, publicSeed: [UInt8]?) {
        do {
            let node = try DER.parse(bytes)
            switch node.identifier {
            case ASN1Identifier(tagWithNumber: 0, tagClass: .contextSpecific):
                guard case .primitive(let seed) = node.content else { break }
                return (seed, nil)
            case .octetString:
                let expanded = try ASN1OctetString(derEncoded: node)
                guard expanded.bytes.count == expandedKeySize else { break }
                throw CryptoError.expandedKeyWithoutSeed
            case .sequence:
                return try DER.sequence(node, identifier: .sequence) { fields in
                    let seed = try ASN1OctetString(derEncoded: &fields).bytes
                    let expanded = try ASN1OctetString(derEncoded: &fields).bytes
                    guard expanded.count == expandedKeySize else {
                        throw CryptoError.malformedKey(reason: "its expanded key has \(expanded.count) bytes")
                    }
                    return (seed, [UInt8](expanded.prefix(publicSeedSize)))
                }
            default: break
            }
        } catch let error as CryptoError {
            throw error
        } catch {
            // Told below.
        }
        throw .malformedKey(reason: "its private key is in none of the three forms of RFC 9881")
    }

    /// OneAsymmetricKey (RFC 5958 §2).
    private struct Fields {
        let identifier: AlgorithmIdentifier
        let privateKey: ArraySlice<UInt8>
        let publicKey: [UInt8]?

        init(_ root: ASN1Node) throws {
            self = try DER.sequence(root, identifier: .sequence) { fields in
                guard let first = fields.next() else {
                    throw CryptoError.malformedKey(reason: "it is empty")
                }
                // EncryptedPrivateKeyInfo (RFC 5958 §3) begins with an algorithm instead of a version.
                guard first.identifier == .integer else {
                    throw first.identifier == .sequence
                        ? CryptoError.encryptedKey : CryptoError.malformedKey(reason: "it has no version")
                }
                let version = try Int(derEncoded: first)
                guard version == 0 || version == 1 else {
                    throw CryptoError.malformedKey(reason: "its version is unknown")
                }
                let identifier = try AlgorithmIdentifier(parsing: &fields)
                let privateKey = try ASN1OctetString(derEncoded: &fields).bytes
                // Attributes say nothing that we need, so only that they are a set is looked at.
                _ = try DER.optionalImplicitlyTagged(&fields, tagNumber: 0, tagClass: .contextSpecific) { node in
                    guard case .constructed = node.content else {
                        throw CryptoError.malformedKey(reason: "its attributes are not a set")
                    }
                }
                let publicKey = try DER.optionalImplicitlyTagged(
                    &fields, tagNumber: 1, tagClass: .contextSpecific, Self.publicKey)
                guard publicKey == nil || version == 1 else {
                    throw CryptoError.malformedKey(reason: "its version does not allow a public key")
                }
                return Fields(
                    identifier: identifier, privateKey: privateKey, publicKey: publicKey)
            }
        }

        /// The tag is implicit in RFC 5958; some programs write it explicitly, as the only element within.
        private static func publicKey(_ node: ASN1Node) throws -> [UInt8] {
            let tag = ASN1Identifier(tagWithNumber: 1, tagClass: .contextSpecific)
            switch node.content {
            case .primitive: return try [UInt8](ASN1BitString(derEncoded: node, withIdentifier: tag).bytes)
            case .constructed:
                return try DER.sequence(node, identifier: tag) { try [UInt8](ASN1BitString(derEncoded: &$0).bytes) }
            }
        }

        private init(identifier: AlgorithmIdentifier, privateKey: ArraySlice<UInt8>, publicKey: [UInt8]?) {
            self.identifier = identifier
            self.privateKey = privateKey
            self.publicKey = publicKey
        }
    }
}
