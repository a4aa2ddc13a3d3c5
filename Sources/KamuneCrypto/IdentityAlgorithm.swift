/// The signature algorithm of an identity.
public enum IdentityAlgorithm: String, Sendable, CaseIterable, Codable {
    /// Ed25519 (RFC 8032): the only one that kamune 0.7 knows.
    case ed25519 = "ed25519"

    /// ML-DSA-65 (FIPS 204), safe against a quantum computer.
    case mldsa65 = "ml-dsa-65"

    /// The size of a private key's seed in bytes, the same for both.
    public static let seedSize = 32

    /// The size of a raw public key in bytes.
    public var publicKeySize: Int {
        switch self {
        case .ed25519: 32
        case .mldsa65: 1_952
        }
    }

    /// The size of a signature in bytes.
    public var signatureSize: Int {
        switch self {
        case .ed25519: 64
        case .mldsa65: 3_309
        }
    }

    /// The object identifier in dotted form: id-Ed25519 (RFC 8410 §3), id-ml-dsa-65 (RFC 9881 §2).
    public var objectIdentifier: String {
        switch self {
        case .ed25519: "1.3.101.112"
        case .mldsa65: "2.16.840.1.101.3.4.3.18"
        }
    }
}
