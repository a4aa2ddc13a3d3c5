import SwiftASN1

/// The DER encoding of public keys (RFC 5280 §4.1.2.7), in the one form that each of our algorithms has: no parameters,
/// and the raw key in a bit string (RFC 8410 §4, RFC 9881 §4).
enum SubjectPublicKeyInfo {
    /// Everything in front of the raw key.
    static func prefix(of algorithm: IdentityAlgorithm) -> [UInt8] {
        switch algorithm {
        case .ed25519: [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
        case .mldsa65:
            [
                0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12,
                0x03, 0x82, 0x07, 0xa1, 0x00,
            ]
        }
    }

    /// Finds the algorithm and the raw key.
    ///
    /// Since DER gives each key exactly one encoding, a comparison with the prefix is the whole check. What fails it is
    /// taken apart only to say why.
    static func parse(_ spki: [UInt8]) throws(CryptoError) -> (IdentityAlgorithm, ArraySlice<UInt8>) {
        for algorithm in IdentityAlgorithm.allCases {
            let prefix = prefix(of: algorithm)
            if spki.count == prefix.count + algorithm.publicKeySize && spki.starts(with: prefix) {
                return (algorithm, spki[prefix.count...])
            }
        }
        throw diagnose(spki)
    }

    private static func diagnose(_ spki: [UInt8]) -> CryptoError {
        let identifier: AlgorithmIdentifier
        let key: ASN1BitString
        do {
            (identifier, key) = try DER.sequence(try DER.parse(spki), identifier: .sequence) { fields in
                (try AlgorithmIdentifier(parsing: &fields), try ASN1BitString(derEncoded: &fields))
            }
        } catch {
            return .malformedKey(reason: "it is not the DER encoding of a public key")
        }
        switch identifier.algorithm {
        case nil:
            return .unsupportedAlgorithm(oid: identifier.dotted)
        case .some where identifier.hasParameters:
            return .malformedKey(reason: "its algorithm takes no parameters, but there are some")
        case .some(let algorithm):
            return .malformedKey(
                reason: "it has \(key.bytes.count) bytes where \(algorithm.rawValue) has \(algorithm.publicKeySize)")
        }
    }
}

/// The AlgorithmIdentifier of RFC 5280 §4.1.1.2.
struct AlgorithmIdentifier {
    let dotted: String
    let hasParameters: Bool

    /// The algorithm, when it is one of ours.
    var algorithm: IdentityAlgorithm? {
        IdentityAlgorithm.allCases.first { $0.objectIdentifier == dotted }
    }

    init(parsing fields: inout ASN1NodeCollection.Iterator) throws {
        guard let node = fields.next() else { throw CryptoError.malformedKey(reason: "it names no algorithm") }
        (dotted, hasParameters) = try DER.sequence(node, identifier: .sequence) { fields in
            let identifier = try ASN1ObjectIdentifier(derEncoded: &fields)
            return (identifier.description, fields.next() != nil)
        }
    }
}
