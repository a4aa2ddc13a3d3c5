import KamuneCrypto

/// What the way to a peer carries, and so how far envelopes are padded (§4.5).
///
/// Over most ways a frame may have any size that its length can announce, and padding is as in 0.7. Where it may not, the
/// last bucket is what the way carries; and towards a peer of 0.7, what all of its clients take, for as long as the message
/// itself fits that.
struct FrameLimits: Equatable, Sendable {
    /// The size up to which an envelope is padded at most, for as long as it fits.
    private let preferred: Int
    /// The size up to which a larger one is.
    private let largest: Int

    /// - Parameters:
    ///   - maximumFrameSize: The largest frame that the connection carries.
    ///   - isPeerOurs: Whether the peer has announced something, and so takes what the connection carries.
    ///   - overhead: By how many bytes a frame is longer than its envelope.
    init(maximumFrameSize: Int, isPeerOurs: Bool, overhead: Int) {
        guard maximumFrameSize < ProtocolConstants.maximumFrameSize else {
            preferred = .max
            largest = .max
            return
        }
        let cautious = isPeerOurs ? maximumFrameSize : min(maximumFrameSize, ProtocolConstants.cautiousFrameSize)
        preferred = max(0, cautious - overhead)
        largest = max(0, maximumFrameSize - overhead)
    }

    /// The way carries everything.
    static let none = FrameLimits(
        maximumFrameSize: ProtocolConstants.maximumFrameSize, isPeerOurs: true, overhead: 0)

    /// The buckets for an envelope of this size without its padding.
    func buckets(base: Int) -> [Int] {
        let cap = base <= preferred ? preferred : largest
        let all = ProtocolConstants.paddingBuckets
        guard let last = all.last, cap < last else { return all }
        return all.filter { $0 < cap } + [cap]
    }
}
