/// HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2): derives a subkey from a key and 16 bytes of nonce.
///
/// Additions, exclusive ors and rotations by fixed amounts only: no branch and no index depends on a secret.
package enum HChaCha20 {
    /// The sizes in bytes.
    package static let keySize = 32
    package static let nonceSize = 16

    /// "expand 32-byte k" as four little-endian words.
    private static let constants = SIMD4<UInt32>(0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574)

    /// Derives the subkey.
    ///
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - nonce: 16 bytes.
    ///   - output: 32 bytes; the caller's to erase. None of the sizes comes from outside; a wrong one is a bug.
    @inline(__always)
    package static func derive(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(key.count == keySize && nonce.count == nonceSize && output.count == keySize)
        // The state is the matrix of RFC 8439 §2.3, one vector for each row.
        var a = constants
        var b = row(key, 0)
        var c = row(key, 16)
        var d = row(nonce, 0)
        for _ in 0..<10 {
            quarterRounds(&a, &b, &c, &d)
            // Rotating the rows turns diagonals into columns and back.
            b = SIMD4(b.y, b.z, b.w, b.x)
            c = SIMD4(c.z, c.w, c.x, c.y)
            d = SIMD4(d.w, d.x, d.y, d.z)
            quarterRounds(&a, &b, &c, &d)
            b = SIMD4(b.w, b.x, b.y, b.z)
            c = SIMD4(c.z, c.w, c.x, c.y)
            d = SIMD4(d.y, d.z, d.w, d.x)
        }
        store(a, output, 0)
        store(d, output, 16)
        // The rows are derived from the key: leave nothing of them behind.
        withUnsafeMutableBytes(of: &a) { erase($0) }
        withUnsafeMutableBytes(of: &b) { erase($0) }
        withUnsafeMutableBytes(of: &c) { erase($0) }
        withUnsafeMutableBytes(of: &d) { erase($0) }
    }

    @inline(__always)
    private static func quarterRounds(
        _ a: inout SIMD4<UInt32>, _ b: inout SIMD4<UInt32>, _ c: inout SIMD4<UInt32>, _ d: inout SIMD4<UInt32>
    ) {
        a &+= b
        d = rotate(d ^ a, 16)
        c &+= d
        b = rotate(b ^ c, 12)
        a &+= b
        d = rotate(d ^ a, 8)
        c &+= d
        b = rotate(b ^ c, 7)
    }

    @inline(__always)
    private static func rotate(_ value: SIMD4<UInt32>, _ count: UInt32) -> SIMD4<UInt32> {
        (value &<< count) | (value &>> (32 &- count))
    }

    @inline(__always)
    private static func row(_ buffer: UnsafeRawBufferPointer, _ offset: Int) -> SIMD4<UInt32> {
        SIMD4(
            UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self)),
            UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)),
            UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self)),
            UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self)))
    }

    @inline(__always)
    private static func store(_ row: SIMD4<UInt32>, _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) {
        for index in 0..<4 {
            buffer.storeBytes(of: row[index].littleEndian, toByteOffset: offset + 4 * index, as: UInt32.self)
        }
    }
}
