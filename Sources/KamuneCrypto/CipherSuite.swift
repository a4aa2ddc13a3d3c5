/// The one cipher suite of the protocol.
public enum CipherSuite {
    /// Its name: identity signature, key encapsulation, key derivation and the session's cipher. The `X` at the end says
    /// that nonces are extended to 24 bytes.
    public static let name = "Ed25519_ML-KEM-768_HKDF-SHA512_ChaCha20-Poly1305X"
}
