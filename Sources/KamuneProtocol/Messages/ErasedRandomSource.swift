import KamuneCrypto

/// Any source of randomness behind one type, so that the code that draws from it is not generic over it (Swift 6.3.1
/// cannot compile some typed errors together with an opened existential).
struct ErasedRandomSource: RandomSource {
    private var base: any RandomSource

    init(_ base: any RandomSource) {
        self.base = base
    }

    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        base.fill(buffer)
    }
}
