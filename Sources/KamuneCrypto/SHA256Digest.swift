import Crypto

/// SHA-256 (FIPS 180-4), for the hashes of transcripts.
public enum SHA256Digest {
    /// The size of a hash in bytes.
    public static let size = SHA256.byteCount

    /// The hash of some bytes.
    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: bytes))
    }
}
