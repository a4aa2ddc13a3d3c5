/// HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2): derives a subkey from a key and 16 bytes of nonce.
///
/// Additions, exclusive ors and rotations by fixed amounts only: no branch and no index depends on a secret.
package enum HChaCha20 {
    /// The sizes in bytes.
    package static let keySize = 32
    package static let nonceSize = 16

    /// Derives the subkey.
    ///
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - nonce: 16 bytes.
    ///   - output: 32 bytes; the caller's to erase. None of the sizes comes from outside; a wrong one is a bug.
    package static func derive(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(key.count == keySize && nonce.count == nonceSize && output.count == keySize)
        permute(key: key, nonce: nonce, into: output)
        eraseStack()
    }

    /// Sixteen plain words, which a processor keeps in its registers: with vectors for the rows, the compiler takes them apart
    /// for every rotation, and takes four times as long.
    @inline(never)
    private static func permute(
        key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) {
        // The state is the matrix of RFC 8439 §2.3; its first row says "expand 32-byte k".
        var (x0, x1, x2, x3): (UInt32, UInt32, UInt32, UInt32) = (0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574)
        var (x4, x5, x6, x7) = (word(key, 0), word(key, 1), word(key, 2), word(key, 3))
        var (x8, x9, x10, x11) = (word(key, 4), word(key, 5), word(key, 6), word(key, 7))
        var (x12, x13, x14, x15) = (word(nonce, 0), word(nonce, 1), word(nonce, 2), word(nonce, 3))
        for _ in 0..<10 {
            // The columns, and then the diagonals.
            quarterRound(&x0, &x4, &x8, &x12)
            quarterRound(&x1, &x5, &x9, &x13)
            quarterRound(&x2, &x6, &x10, &x14)
            quarterRound(&x3, &x7, &x11, &x15)
            quarterRound(&x0, &x5, &x10, &x15)
            quarterRound(&x1, &x6, &x11, &x12)
            quarterRound(&x2, &x7, &x8, &x13)
            quarterRound(&x3, &x4, &x9, &x14)
        }
        store((x0, x1, x2, x3), output, 0)
        store((x12, x13, x14, x15), output, 16)
    }

    /// What of the state was on the stack is overwritten: the key could be computed from it.
    @inline(never)
    private static func eraseStack() {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 16) { erase($0) }
    }

    @inline(__always)
    private static func quarterRound(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32, _ d: inout UInt32) {
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
    private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
        (value &<< count) | (value &>> (32 &- count))
    }

    @inline(__always)
    private static func word(_ buffer: UnsafeRawBufferPointer, _ index: Int) -> UInt32 {
        UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
    }

    @inline(__always)
    private static func store(
        _ row: (UInt32, UInt32, UInt32, UInt32), _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int
    ) {
        buffer.storeBytes(of: row.0.littleEndian, toByteOffset: offset, as: UInt32.self)
        buffer.storeBytes(of: row.1.littleEndian, toByteOffset: offset + 4, as: UInt32.self)
        buffer.storeBytes(of: row.2.littleEndian, toByteOffset: offset + 8, as: UInt32.self)
        buffer.storeBytes(of: row.3.littleEndian, toByteOffset: offset + 12, as: UInt32.self)
    }
}
