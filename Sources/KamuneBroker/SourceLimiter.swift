/// Says whether somebody who may be anybody is answered: a bucket of tokens for each IPv4 address and each IPv6 /64, and a
/// larger one for the network about it, so that one person cannot take the place of many, and one carrier's customers do
/// not lock each other out. Its memory is bounded.
public struct SourceLimiter: Sendable {
    /// How much is let pass.
    public struct Limits: Sendable, Hashable {
        /// How many requests a second one source may make in the long run.
        public var rate: Double
        /// How many it may make at once.
        public var burst: Double
        /// How much more its network may: a /24 of IPv4, a /48 of IPv6.
        public var networkFactor: Double
        /// How many sources and networks are told apart. Whoever comes when there are so many shares one bucket.
        public var sourceLimit: Int

        /// The defaults let a client ask where it is by a few ports, and register as often as one needs that prepares a
        /// hundred contacts for its next change of network.
        public init(rate: Double = 10, burst: Double = 128, networkFactor: Double = 8, sourceLimit: Int = 65_536) {
            self.rate = rate
            self.burst = burst
            self.networkFactor = networkFactor
            self.sourceLimit = max(sourceLimit, 1)
        }
    }

    private struct Bucket {
        var tokens: Double
        var at: Duration
    }

    private struct Key: Hashable {
        let bytes: [UInt8]
        let isNetwork: Bool
    }

    private let limits: Limits
    private var buckets: [Key: Bucket] = [:]
    /// What those share for whom there is no room.
    private var shared: Bucket
    /// When it was last looked for buckets that are full, and so need not be kept.
    private var lastSweep = Duration.zero

    /// Nobody has asked for anything yet.
    public init(_ limits: Limits = Limits()) {
        self.limits = limits
        shared = Bucket(tokens: limits.burst * limits.networkFactor, at: .zero)
    }

    /// How many buckets there are.
    public var bucketCount: Int { buckets.count }

    /// Whether a request is let pass, which then counts.
    ///
    /// - Parameter now: Time that never goes back.
    public mutating func allows(_ source: IPAddress, now: Duration) -> Bool {
        let host = Key(bytes: source.isIPv6 ? Array(source.bytes.prefix(8)) : source.bytes, isNetwork: false)
        let network = Key(bytes: Array(source.bytes.prefix(source.isIPv6 ? 6 : 3)), isNetwork: true)
        if buckets.count + 2 > limits.sourceLimit, buckets[host] == nil || buckets[network] == nil {
            sweep(now: now)
            if buckets.count + 2 > limits.sourceLimit { return take(&shared, factor: limits.networkFactor, now: now) }
        }
        // Who has used up their own may not use up their network's.
        guard take(host, factor: 1, now: now) else { return false }
        return take(network, factor: limits.networkFactor, now: now)
    }

    private mutating func take(_ key: Key, factor: Double, now: Duration) -> Bool {
        var bucket = buckets[key] ?? Bucket(tokens: limits.burst * factor, at: now)
        defer { buckets[key] = bucket }
        return take(&bucket, factor: factor, now: now)
    }

    private func take(_ bucket: inout Bucket, factor: Double, now: Duration) -> Bool {
        refill(&bucket, factor: factor, now: now)
        guard bucket.tokens >= 1 else { return false }
        bucket.tokens -= 1
        return true
    }

    private func refill(_ bucket: inout Bucket, factor: Double, now: Duration) {
        let passed = max(.zero, now - bucket.at) / .seconds(1)
        bucket.tokens = min(limits.burst * factor, bucket.tokens + passed * limits.rate * factor)
        bucket.at = now
    }

    /// Forgets whoever has asked for nothing in a while, once a second at most.
    private mutating func sweep(now: Duration) {
        guard now - lastSweep >= .seconds(1) else { return }
        lastSweep = now
        buckets = buckets.filter { key, bucket in
            let factor = key.isNetwork ? limits.networkFactor : 1
            var bucket = bucket
            refill(&bucket, factor: factor, now: now)
            return bucket.tokens < limits.burst * factor
        }
    }
}
