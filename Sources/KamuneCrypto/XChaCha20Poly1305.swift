import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2.3) under one key: HChaCha20 makes a subkey from the key and the
/// first 16 bytes of the nonce; ChaCha20-Poly1305 (RFC 8439) uses it with four zero bytes and the other 8.
///
/// A frame is `nonce || ciphertext || tag`, ``overhead`` bytes more than its plaintext.
public struct XChaCha20Poly1305: ~Copyable, Sendable {
    /// The size of a key in bytes.
    public static let keySize = 32

    /// The size of a nonce in bytes.
    public static let nonceSize = 24

    /// The size of a tag in bytes.
    public static let tagSize = 16

    /// How many bytes a frame is longer than its plaintext.
    public static let overhead = nonceSize + tagSize

    /// The size of the inner cipher's nonce in bytes (RFC 8439 §2.3).
    private static let shortNonceSize = 12

    private let key: SecretBytes

    /// Takes a copy of a key.
    ///
    /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has ``keySize`` bytes.
    public init(key: borrowing SecretBytes) throws(CryptoError) {
        guard key.count == Self.keySize else {
            throw .invalidLength(expected: Self.keySize, actual: key.count)
        }
        self.key = key.copy()
    }

    /// 24 bytes that must never be used twice with one key. There are so many that random ones will not be.
    public struct Nonce: Sendable, Equatable {
        fileprivate var words: (UInt64, UInt64, UInt64)

        /// Takes the bytes from an array.
        ///
        /// - Throws: ``CryptoError/invalidLength(expected:actual:)`` unless it has ``nonceSize`` bytes.
        public init(_ bytes: [UInt8]) throws(CryptoError) {
            guard bytes.count == nonceSize else {
                throw .invalidLength(expected: nonceSize, actual: bytes.count)
            }
            words = (0, 0, 0)
            Swift.withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
        }

        /// Draws a nonce.
        public static func random(using random: inout some RandomSource) -> Nonce {
            var nonce = Nonce()
            Swift.withUnsafeMutableBytes(of: &nonce.words) { random.fill($0) }
            return nonce
        }

        private init() {
            words = (0, 0, 0)
        }

        /// Compares the bytes.
        public static func == (a: Nonce, b: Nonce) -> Bool {
            a.words == b.words
        }

        fileprivate func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
            Swift.withUnsafeBytes(of: words, body)
        }
    }

    /// Seals a plaintext and appends the frame to an array.
    ///
    /// - Parameters:
    ///   - plaintext: at most 256 GiB.
    ///   - nonce: never used before with this key.
    ///   - associatedData: authenticated with the frame, not part of it.
    ///   - output: grows by the plaintext's size and ``overhead``.
    public borrowing func seal(
        _ plaintext: UnsafeRawBufferPointer,
        nonce: Nonce,
        associatedData: [UInt8] = [],
        appendingTo output: inout [UInt8]
    ) {
        nonce.withUnsafeBytes { nonce in
            let sealed: Data
            do {
                sealed = try ChaChaPoly.seal(
                    plaintext, using: subkey(for: nonce), nonce: Self.shortNonce(of: nonce),
                    authenticating: associatedData
                ).combined
            } catch {
                // Key and nonce have their sizes, so only a plaintext beyond the cipher's limit is left.
                preconditionFailure("ChaCha20-Poly1305 cannot seal \(plaintext.count) bytes")
            }
            output.reserveCapacity(output.count + plaintext.count + Self.overhead)
            output.append(contentsOf: nonce)
            sealed.withUnsafeBytes { output.append(contentsOf: $0[Self.shortNonceSize...]) }
        }
    }

    /// Seals a plaintext and returns the frame.
    public borrowing func seal(_ plaintext: [UInt8], nonce: Nonce, associatedData: [UInt8] = []) -> [UInt8] {
        var output: [UInt8] = []
        plaintext.withUnsafeBytes { seal($0, nonce: nonce, associatedData: associatedData, appendingTo: &output) }
        return output
    }

    /// Opens a frame.
    ///
    /// - Throws: ``CryptoError/malformedCiphertext`` when it is shorter than ``overhead``,
    ///   ``CryptoError/authenticationFailed`` when it was altered or made with another key.
    public borrowing func open(
        _ frame: UnsafeRawBufferPointer, associatedData: [UInt8] = []
    ) throws(CryptoError) -> [UInt8] {
        try [UInt8](openedData(frame, associatedData))
    }

    /// Opens a frame and lends the plaintext, for those who open very many: no array is made of it.
    ///
    /// - Throws: as ``open(_:associatedData:)-(UnsafeRawBufferPointer,_)``.
    package borrowing func withOpened<Result>(
        _ frame: UnsafeRawBufferPointer, associatedData: [UInt8], _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(CryptoError) -> Result {
        try openedData(frame, associatedData).withUnsafeBytes(body)
    }

    private borrowing func openedData(
        _ frame: UnsafeRawBufferPointer, _ associatedData: [UInt8]
    ) throws(CryptoError) -> Data {
        guard frame.count >= Self.overhead else { throw .malformedCiphertext }
        let nonce = UnsafeRawBufferPointer(rebasing: frame[..<Self.nonceSize])
        // The library wants its 12-byte nonce right in front of the ciphertext. Ours ends there, so the frame from its
        // 13th byte on has the right shape, once the four bytes that come first are zero.
        let rest = UnsafeRawBufferPointer(rebasing: frame[(Self.nonceSize - Self.shortNonceSize)...])
        do {
            let box = try withUnsafeTemporaryAllocation(byteCount: rest.count, alignment: 8) { combined in
                combined.copyMemory(from: rest)
                combined.storeBytes(of: 0, as: UInt32.self)
                return try ChaChaPoly.SealedBox(combined: UnsafeRawBufferPointer(combined))
            }
            return try ChaChaPoly.open(box, using: subkey(for: nonce), authenticating: associatedData)
        } catch {
            throw .authenticationFailed
        }
    }

    /// Opens a frame.
    ///
    /// - Throws: as ``open(_:associatedData:)-(UnsafeRawBufferPointer,_)``.
    public borrowing func open(_ frame: [UInt8], associatedData: [UInt8] = []) throws(CryptoError) -> [UInt8] {
        try open(frame[...], associatedData: associatedData)
    }

    /// Opens a frame.
    ///
    /// - Throws: as ``open(_:associatedData:)-(UnsafeRawBufferPointer,_)``.
    public borrowing func open(
        _ frame: ArraySlice<UInt8>, associatedData: [UInt8] = []
    ) throws(CryptoError) -> [UInt8] {
        let result: Result<[UInt8], CryptoError> = frame.withUnsafeBytes { frame in
            do throws(CryptoError) {
                return .success(try open(frame, associatedData: associatedData))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private borrowing func subkey(for nonce: UnsafeRawBufferPointer) -> SymmetricKey {
        withUnsafeTemporaryAllocation(byteCount: HChaCha20.keySize, alignment: 16) { subkey in
            defer { erase(subkey) }
            key.withUnsafeBytes { key in
                HChaCha20.derive(
                    key: key, nonce: UnsafeRawBufferPointer(rebasing: nonce[..<HChaCha20.nonceSize]), into: subkey)
            }
            return SymmetricKey(data: UnsafeRawBufferPointer(subkey))
        }
    }

    /// The nonce of the inner cipher: four zero bytes and the last eight of the long one.
    private static func shortNonce(of nonce: UnsafeRawBufferPointer) throws -> ChaChaPoly.Nonce {
        try withUnsafeTemporaryAllocation(byteCount: shortNonceSize, alignment: 8) { short in
            short.storeBytes(of: 0, as: UInt32.self)
            UnsafeMutableRawBufferPointer(rebasing: short[4...]).copyBytes(from: nonce[HChaCha20.nonceSize...])
            return try ChaChaPoly.Nonce(data: UnsafeRawBufferPointer(short))
        }
    }
}
