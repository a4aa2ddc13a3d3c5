import KamuneCrypto

/// Bucketed padding (§4.5): an observer sees one of six sizes, sometimes a larger one than needed.
enum Padding {
    /// How many bytes of padding an envelope of `base` bytes gets, when the bucket is raised by `bump`.
    ///
    /// The padding's own header (one byte of tag, one to three of length) counts towards the target. Where a longer
    /// length would be needed to hit it, the total stays one byte short; where fewer than three bytes are missing, there
    /// is no padding at all, as in 0.7.
    ///
    /// - Parameters:
    ///   - base: The envelope's size without it.
    ///   - bump: By how many buckets to raise it.
    ///   - largestBucket: The last bucket that a raise may reach; a message that is larger still gets its own.
    ///   - limits: What the way to the peer carries.
    static func count(base: Int, bump: Int, largestBucket: Int = .max, limits: FrameLimits = .none) -> Int {
        let buckets = limits.buckets(base: base)
        let natural = buckets.firstIndex { base <= $0 } ?? buckets.count - 1
        let last = max(natural, buckets.lastIndex { $0 <= largestBucket } ?? 0)
        let target = buckets[min(natural + bump, last)]
        let missing = target - base
        guard missing > 2 else { return 0 }
        // The shortest header first: it serves when the rest then still has a length that fits it. Where the rest fits
        // neither header, the longer one with the greatest content of the shorter leaves the total one byte short. With
        // three bytes of length the header reaches beyond the largest bucket.
        for headerSize in 2...3 {
            let content = missing - headerSize
            let needed = 1 + WireWriter.varintSize(UInt64(max(content, 0)))
            if needed <= headerSize { return max(content, 0) }
        }
        return missing - 4
    }

    /// A random raise of the bucket: 0 in 80 % of all messages, 1 in 15 %, 2 in 4 %, 3 in 1 %.
    static func randomBump(using random: inout some RandomSource) -> Int {
        // A byte below 200 yields a percentage without bias.
        var byte: UInt8
        repeat {
            byte = random.byte()
        } while byte >= 200
        var percent = Int(byte % 100)
        for (bump, share) in ProtocolConstants.bumpPercentages.enumerated() {
            if percent < share { return bump }
            percent -= share
        }
        return ProtocolConstants.bumpPercentages.count - 1
    }
}

extension RandomSource {
    mutating func byte() -> UInt8 {
        var byte: UInt8 = 0
        withUnsafeMutableBytes(of: &byte) { fill($0) }
        return byte
    }

    /// Random text of the base32 alphabet, as identifiers are made of (§4.2): 5 bits a character.
    mutating func base32Text(count: Int) -> String {
        String(unsafeUninitializedCapacity: count) { buffer in
            fill(UnsafeMutableRawBufferPointer(buffer))
            for index in buffer.indices {
                buffer[index] = ProtocolConstants.base32Alphabet[Int(buffer[index] & 31)]
            }
            return count
        }
    }
}
