@testable import KamuneTransport

/// What an address says of itself is an address, and the same one.
func fuzzAddress(_ input: [UInt8]) throws {
    let text = String(decoding: input, as: UTF8.self)
    for defaultPort in [nil, 9_000] as [UInt16?] {
        guard let address = try? Address(parsing: text, defaultPort: defaultPort) else { continue }
        try expect(address.host.utf8.count <= 300, "a host of any length was taken")
        // A relay's key is read, and not printed.
        var printed = address
        printed.relay.key = nil
        try expect(
            (try? Address(parsing: address.description)) == printed, "“\(address)” is not read as what it was")
    }
}

/// However a stream is cut into pieces, the frames in it are the same.
func fuzzFrames(_ input: [UInt8]) throws {
    var choices = Choices(input)
    let limit = choices.below(2) == 0 ? 65_535 : Int(choices.byte())
    let pieceSize = 1 + choices.below(16)
    let stream = choices.remaining()

    func decode(by size: Int) -> (frames: [[UInt8]], error: TransportError?, isMidFrame: Bool) {
        var decoder = FrameDecoder(maximumFrameSize: limit)
        var frames: [[UInt8]] = []
        var start = 0
        while start < stream.count {
            let end = min(start + size, stream.count)
            do throws(TransportError) {
                let result = stream[start..<end].withUnsafeBytes { bytes -> Result<Void, TransportError> in
                    do throws(TransportError) {
                        return .success(try decoder.decode(bytes, into: &frames))
                    } catch {
                        return .failure(error)
                    }
                }
                try result.get()
            } catch {
                return (frames, error, decoder.isMidFrame)
            }
            start = end
        }
        return (frames, nil, decoder.isMidFrame)
    }

    let whole = decode(by: max(1, stream.count))
    let pieces = decode(by: pieceSize)
    try expect(whole.frames == pieces.frames, "the frames depend on how the stream is cut")
    try expect(whole.error == pieces.error, "the error depends on how the stream is cut")
    try expect(whole.frames.allSatisfy { $0.count <= limit }, "a frame above the limit was taken")
    if whole.error == nil {
        try expect(whole.isMidFrame == pieces.isMidFrame, "the end depends on how the stream is cut")
        let taken = whole.frames.reduce(0) { $0 + 2 + $1.count }
        try expect(whole.isMidFrame == (taken < stream.count), "bytes were lost")
    }
}
