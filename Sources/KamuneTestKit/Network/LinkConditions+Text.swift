/// A description of a link that cannot be read.
public struct LinkSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public let description: String
}

extension LinkConditions {
    /// Reads a description such as `delay=25ms jitter=5ms loss=1% burst=4 rate=20mbit queue=64k`.
    ///
    /// What is not named is as on a perfect link. Times end in `us`, `ms` or `s`; shares are numbers up to 1, or end in
    /// `%`; rates end in `kbit` or `mbit`, with factors of 1000; sizes may end in `k` or `m`, with factors of 1024.
    ///
    /// - `delay`, `jitter`: times.
    /// - `loss`: the share of datagrams that get lost; `burst`: how many in a row on average, without it each by itself;
    ///   `step`: the time that the losses of a burst are apart when nothing is sent, see ``Loss/stepTime``.
    /// - `reorder`: the share that is overtaken; `late`: by how much time.
    /// - `duplicate`: the share that arrives twice.
    /// - `rate`, `queue`: the limit and the bytes that may wait for it; `capacity`: the bytes that may be under way.
    ///
    /// - Throws: ``LinkSyntaxError``.
    public init(parsing text: String) throws(LinkSyntaxError) {
        self.init()
        var share = 0.0
        var burst: Double?
        var step: UInt64?
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw LinkSyntaxError(description: "“\(word)” is not of the form name=value")
            }
            let value = parts[1]
            switch parts[0] {
            case "delay": delay = try Self.time(value)
            case "jitter": jitter = try Self.time(value)
            case "loss": share = try Self.share(value)
            case "burst": burst = try Self.number(value, from: 1, upTo: 10_000)
            case "step": step = try Self.time(value)
            case "reorder": reordering = try Self.share(value)
            case "late": reorderingDelay = try Self.time(value)
            case "duplicate": duplication = try Self.share(value)
            case "rate": rate = try Self.rate(value)
            case "queue": queueSize = try Self.size(value)
            case "capacity": capacity = try Self.size(value)
            default: throw LinkSyntaxError(description: "“\(parts[0])” is unknown")
            }
        }
        loss = burst.map { .bursts(share: share, meanLength: $0) } ?? .random(share)
        loss.stepTime = step
    }

    private static func time(_ text: Substring) throws(LinkSyntaxError) -> UInt64 {
        let units: [(String, Double)] = [("us", 1), ("ms", 1_000), ("s", 1_000_000)]
        for (unit, factor) in units where text.hasSuffix(unit) {
            return UInt64(try number(text.dropLast(unit.count), from: 0, upTo: 3_600_000_000 / factor) * factor)
        }
        throw LinkSyntaxError(description: "“\(text)” is no time; times end in us, ms or s")
    }

    private static func share(_ text: Substring) throws(LinkSyntaxError) -> Double {
        if text.hasSuffix("%") { return try number(text.dropLast(), from: 0, upTo: 100) / 100 }
        return try number(text, from: 0, upTo: 1)
    }

    private static func rate(_ text: Substring) throws(LinkSyntaxError) -> Double {
        for (unit, factor) in [("kbit", 125.0), ("mbit", 125_000.0)] where text.hasSuffix(unit) {
            return try number(text.dropLast(unit.count), from: 0.001, upTo: 1_000_000) * factor
        }
        throw LinkSyntaxError(description: "“\(text)” is no rate; rates end in kbit or mbit")
    }

    private static func size(_ text: Substring) throws(LinkSyntaxError) -> Int {
        for (unit, factor) in [("k", 1_024.0), ("m", 1_048_576.0)] where text.hasSuffix(unit) {
            return Int(try number(text.dropLast(unit.count), from: 0, upTo: 1_000_000) * factor)
        }
        return Int(try number(text, from: 0, upTo: 1_000_000_000))
    }

    private static func number(
        _ text: Substring, from least: Double, upTo most: Double
    ) throws(LinkSyntaxError) -> Double {
        guard let number = Double(text), number >= least, number <= most else {
            throw LinkSyntaxError(description: "“\(text)” is no number from \(least) to \(most)")
        }
        return number
    }
}
