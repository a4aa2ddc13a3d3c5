import Testing

@testable import KamuneTransport

struct FrameDecoderTests {
    private static let frames: [[UInt8]] = [
        [1, 2, 3], [], [], [4], [UInt8](repeating: 5, count: 300), [0, 0, 0, 1], [],
    ]
    private static let stream = encode(frames)

    private static func encode(_ frames: [[UInt8]]) -> [UInt8] {
        frames.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 0xFF)] + $0 }
    }

    /// Decodes a stream that arrives in pieces.
    private static func decode(
        _ pieces: [ArraySlice<UInt8>], limit: Int = 65_535
    ) throws -> (frames: [[UInt8]], isMidFrame: Bool) {
        var decoder = FrameDecoder(maximumFrameSize: limit)
        var frames: [[UInt8]] = []
        for piece in pieces { try piece.withUnsafeBytes { try decoder.decode($0, into: &frames) } }
        return (frames, decoder.isMidFrame)
    }

    @Test func everySplitInTwo() throws {
        for split in 0...Self.stream.count {
            let (frames, isMidFrame) = try Self.decode([Self.stream[..<split], Self.stream[split...]])
            #expect(frames == Self.frames, "split at \(split)")
            #expect(!isMidFrame)
        }
    }

    @Test func everySplitInThree() throws {
        let frames: [[UInt8]] = [[7, 8], [], [9, 10, 11, 12]]
        let stream = Self.encode(frames)
        for first in 0...stream.count {
            for second in first...stream.count {
                let pieces = [stream[..<first], stream[first..<second], stream[second...]]
                #expect(try Self.decode(pieces).frames == frames, "split at \(first) and \(second)")
            }
        }
    }

    @Test func piecesOfEverySize() throws {
        for size in 1...Self.stream.count {
            let pieces = stride(from: 0, to: Self.stream.count, by: size)
                .map { Self.stream[$0..<min($0 + size, Self.stream.count)] }
            #expect(try Self.decode(pieces).frames == Self.frames, "pieces of \(size)")
        }
    }

    @Test func everyTruncation() throws {
        var ends: [Int] = []
        var end = 0
        for frame in Self.frames {
            end += 2 + frame.count
            ends.append(end)
        }
        for length in 0...Self.stream.count {
            let (frames, isMidFrame) = try Self.decode([Self.stream[..<length]])
            #expect(frames == Array(Self.frames.prefix(ends.count { $0 <= length })))
            #expect(isMidFrame == (length > 0 && !ends.contains(length)), "cut after \(length)")
        }
    }

    @Test func theLargestFrame() throws {
        let frames = [[UInt8](repeating: 3, count: 65_535), [1]]
        let stream = Self.encode(frames)
        for split in [1, 2, 3, 1_024, 1_025, 1_026, 1_027, 40_000, 65_536, 65_537, 65_538] {
            #expect(try Self.decode([stream[..<split], stream[split...]]).frames == frames)
        }
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 6, 7])
    func oversizedFramesAreRefusedAsSoonAsTheyAreAnnounced(split: Int) {
        // A frame of two bytes, then the announcement of 1,001.
        let stream: [UInt8] = [0, 2, 8, 8, 0x03, 0xE9, 1]
        var decoder = FrameDecoder(maximumFrameSize: 1_000)
        var frames: [[UInt8]] = []
        #expect(throws: TransportError.frameTooLarge(size: 1_001, limit: 1_000)) {
            try stream[..<split].withUnsafeBytes { try decoder.decode($0, into: &frames) }
            try stream[split...].withUnsafeBytes { try decoder.decode($0, into: &frames) }
        }
        #expect(frames == [[8, 8]])
    }

    @Test func lengthsAreBigEndianAndTheLimitIsAllowed() throws {
        let frame = [UInt8](repeating: 1, count: 0x0102)
        #expect(try Self.decode([([0x01, 0x02] + frame)[...]], limit: 0x0102).frames == [frame])
        #expect(try Self.decode([[0, 0, 0, 0][...]], limit: 0).frames == [[], []])
    }
}
