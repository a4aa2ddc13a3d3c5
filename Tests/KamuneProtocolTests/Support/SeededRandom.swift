import KamuneCrypto

/// The same bytes for the same seed (SplitMix64): not for keys that anybody relies on.
struct SeededRandom: RandomSource, RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var rest: UInt64 = 0
        for index in buffer.indices {
            if index % 8 == 0 { rest = next() }
            buffer[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
    }
}

/// Draws the same byte for ever: 0xc7 is a percentage of 99, so that padding always goes three buckets further.
struct ConstantRandom: RandomSource {
    let byte: UInt8

    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices { buffer[index] = byte }
    }
}
