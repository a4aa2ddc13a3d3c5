@testable import KamuneRelayProtocol

/// What a relay and its clients say to each other is written as it was read, and a wish comes to what it says.
func fuzzRelayFrame(_ input: [UInt8]) throws {
    guard let frame = try? RelayFrame(decoding: input) else { return }
    guard let encoded = try? frame.encoded() else {
        return try expect(input.count > RelayLimits.maximumMessageSize, "a frame that was read cannot be written")
    }
    try expect((try? RelayFrame(decoding: encoded)) == frame, "a frame is not read as what it was")
    guard case .register(let registration) = frame else { return }
    if case .success(.create(let token?)) = registration.request {
        try expect(RelayToken.isAcceptable(token.bytes), "a token that could be guessed was taken")
    }
}
