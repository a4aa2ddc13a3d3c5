public import KamuneCrypto

/// The same numbers and bytes for the same seed (SplitMix64), in every run and on every machine. For tests only: whoever
/// knows the seed knows every byte.
public struct SeededRandom: RandomSource, RandomNumberGenerator {
    private var state: UInt64
    private let bytesPerNumber: Int

    /// The sequence that begins with this seed.
    ///
    /// - Parameter bytesPerNumber: How many bytes of each number go into a buffer, 1 to 8. What was made with one a number
    ///   can be made again only so.
    public init(_ seed: UInt64, bytesPerNumber: Int = 8) {
        state = seed
        self.bytesPerNumber = min(max(bytesPerNumber, 1), 8)
    }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// Fills a buffer, eight bytes to a number unless made otherwise, the lowest first.
    public mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var rest: UInt64 = 0
        for index in 0..<buffer.count {
            if index % bytesPerNumber == 0 { rest = next() }
            buffer[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
    }

    /// A number from 0 up to 1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// True with this probability.
    public mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && unit() < probability
    }
}
