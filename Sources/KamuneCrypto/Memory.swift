import KamuneSystem

/// Overwrites memory with zeros in a way that the optimizer may not leave out.
package func erase(_ memory: UnsafeMutableRawBufferPointer) {
    systemErase(memory)
}

/// Compares two byte strings in a time that depends on their lengths only.
///
/// - Returns: whether they are equal. Byte strings of different lengths are not, and their contents are not looked at.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.withUnsafeBytes { a in b.withUnsafeBytes { b in constantTimeEqual(a, b) } }
}

/// Compares two buffers in a time that depends on their lengths only.
///
/// - Returns: whether they are equal. Buffers of different lengths are not, and their contents are not looked at.
public func constantTimeEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<a.count {
        difference |= a[index] ^ b[index]
    }
    return difference == 0
}
