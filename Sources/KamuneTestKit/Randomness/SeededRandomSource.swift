public import KamuneCrypto

/// The same bytes for the same seed (SplitMix64), in every run and on every machine. For tests only: whoever knows the
/// seed knows every byte.
public struct SeededRandomSource: RandomSource, RandomNumberGenerator {
    private var state: UInt64

    /// A source that begins with this seed.
    public init(seed: UInt64) {
        state = seed
    }

    /// The next eight bytes, as a number.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// Fills a buffer, eight bytes to a number, the lowest first.
    public mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var rest: UInt64 = 0
        for index in buffer.indices {
            if index % 8 == 0 { rest = next() }
            buffer[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
    }
}
