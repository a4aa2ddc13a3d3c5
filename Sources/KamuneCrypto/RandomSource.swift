/// Where random bytes come from. The protocol's machines take it as an argument, so that a test can replay them.
///
/// What is used in earnest must be fit for keys: ``SystemRandomSource``.
public protocol RandomSource: Sendable {
    /// Fills a buffer with random bytes.
    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer)
}

extension RandomSource {
    /// A number of random bytes. For keys use ``SecretBytes/random(count:using:)``.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            fill(UnsafeMutableRawBufferPointer(buffer))
            initializedCount = count
        }
    }

    /// Appends random bytes to an array without a copy in between.
    public mutating func append(_ count: Int, to output: inout [UInt8]) {
        guard count > 0 else { return }
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: count))
        output.withUnsafeMutableBytes { buffer in
            fill(UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
        }
    }

    /// A random integer over its whole range; its bytes are drawn in little-endian order.
    public mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type = Value.self) -> Value {
        var value: Value = 0
        withUnsafeMutableBytes(of: &value) { buffer in fill(buffer) }
        return Value(littleEndian: value)
    }

    /// A number from 0 up to but not including `bound`, each with the same probability.
    ///
    /// - Parameter bound: at least 1; 0 counts as 1.
    public mutating func integer(below bound: UInt32) -> UInt32 {
        guard bound > 1 else { return 0 }
        // Lemire's method: the high half of a product is uniform once the low half's uneven rest is rejected.
        let threshold = (0 &- bound) % bound
        while true {
            let product = integer(UInt32.self).multipliedFullWidth(by: bound)
            if product.low >= threshold { return product.high }
        }
    }
}
