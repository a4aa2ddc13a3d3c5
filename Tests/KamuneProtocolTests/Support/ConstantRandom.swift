import KamuneCrypto

/// Draws the same byte for ever: 0xc7 is a percentage of 99, so that padding always goes three buckets further.
struct ConstantRandom: RandomSource {
    let byte: UInt8

    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        for index in buffer.indices { buffer[index] = byte }
    }
}
