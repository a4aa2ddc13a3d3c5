public import Foundation

/// An address at which somebody may be reached.
public struct ContactAddress: Sendable, Equatable {
    /// The address, as it is dialed.
    public let text: String
    /// How it became known.
    public internal(set) var source: Source
    /// When it became known, by this machine's clock.
    public internal(set) var firstNoted: Date
    /// When a session was reached there last; `nil` if never.
    public internal(set) var lastWorked: Date?
    /// When none could be reached there last; `nil` if never.
    public internal(set) var lastFailed: Date?
    /// When it is not believed any more. Only what the peer told expires.
    public internal(set) var expires: Date?

    /// How an address became known.
    public enum Source: UInt8, Sendable, CaseIterable {
        /// The person said so.
        case given = 1
        /// It was dialed, and they answered.
        case dialed = 2
        /// They said so themselves, in a session. What a name that they told resolves to must be judged each time.
        case told = 3
    }

    /// The most bytes of an address (PROTOCOL 10.7: of all that a peer tells, too).
    public static let maximumSize = 1_024
    /// How many addresses that were given or dialed are kept of one peer.
    public static let ownLimit = 24
    /// How many that the peer told are kept (PROTOCOL 10.7).
    public static let toldLimit = 8
    /// How long what a peer told is believed, in seconds (PROTOCOL 10.7): 30 days, from when it was told, or worked last.
    public static let toldLifetime: TimeInterval = 30 * 24 * 3_600

    /// Whether the last attempt there succeeded.
    public var works: Bool {
        guard let lastWorked else { return false }
        return lastFailed.map { $0 < lastWorked } ?? true
    }

    func isExpired(at now: Date) -> Bool { expires.map { $0 < now } ?? false }
}

/// Where somebody may be reached: all that is known of it, in the order in which it became known.
///
/// ```
/// layout u8 = 1 | count | (text | source u8 | noted i64 | worked optional i64 | failed optional i64
/// | expires optional i64)… | zeros up to the size class
/// ```
struct ContactRecord: Equatable, Sendable {
    let peer: Int64
    private(set) var addresses: [ContactAddress] = []

    private static let layout: UInt8 = 1

    init(peer: Int64, addresses: [ContactAddress] = []) {
        self.peer = peer
        self.addresses = addresses
    }

    init(peer: Int64, decoding bytes: [UInt8]) throws(RecordReader.Malformed) {
        self.peer = peer
        var reader = RecordReader(bytes)
        guard try reader.byte() == Self.layout else { throw RecordReader.Malformed() }
        addresses = try reader.list { reader throws(RecordReader.Malformed) in
            let text = try reader.text()
            guard let source = ContactAddress.Source(rawValue: try reader.byte()) else {
                throw RecordReader.Malformed()
            }
            var address = ContactAddress(text: text, source: source, firstNoted: try reader.date())
            address.lastWorked = try reader.optional(Self.date)
            address.lastFailed = try reader.optional(Self.date)
            address.expires = try reader.optional(Self.date)
            return address
        }
        guard addresses.count <= ContactAddress.ownLimit + ContactAddress.toldLimit else {
            throw RecordReader.Malformed()
        }
    }

    private static func date(_ reader: inout RecordReader) throws(RecordReader.Malformed) -> Date { try reader.date() }

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layout)
        writer.append(list: addresses) { writer, address in
            writer.append(text: address.text)
            writer.append(byte: address.source.rawValue)
            writer.append(date: address.firstNoted)
            writer.append(optional: address.lastWorked) { $0.append(date: $1) }
            writer.append(optional: address.lastFailed) { $0.append(date: $1) }
            writer.append(optional: address.expires) { $0.append(date: $1) }
        }
        writer.pad()
        return writer.bytes
    }

    // MARK: Order

    /// Those that are believed now, the most promising first: what worked last, and then what the person gave, what was
    /// dialed, and what the peer told.
    func best(at now: Date) -> [ContactAddress] {
        addresses.filter { !$0.isExpired(at: now) }.enumerated().sorted { left, right in
            let (one, other) = (left.element, right.element)
            if one.works != other.works { return one.works }
            if one.works, one.lastWorked != other.lastWorked {
                return (one.lastWorked ?? .distantPast) > (other.lastWorked ?? .distantPast)
            }
            if one.source != other.source { return one.source.rawValue < other.source.rawValue }
            return left.offset < right.offset
        }.map(\.element)
    }

    // MARK: Changes

    /// The person gives an address.
    ///
    /// - Returns: whether there was room for it.
    mutating func give(_ text: String, at now: Date) -> Bool {
        let index = index(of: text)
        if let index, addresses[index].source == .given { return true }
        guard addresses.count(where: { $0.source == .given }) < ContactAddress.ownLimit else { return false }
        if let index {
            addresses[index].source = .given
            addresses[index].expires = nil
        } else {
            addresses.append(ContactAddress(text: text, source: .given, firstNoted: now))
        }
        trim()
        return true
    }

    /// A session was reached at an address.
    mutating func reached(_ text: String, at now: Date) {
        guard let index = index(of: text) else {
            addresses.append(ContactAddress(text: text, source: .dialed, firstNoted: now, lastWorked: now))
            trim()
            return
        }
        addresses[index].lastWorked = now
        // It stays what it is: where somebody else has chosen a name, what it resolves to is judged for ever.
        if addresses[index].source == .told { addresses[index].expires = now + ContactAddress.toldLifetime }
    }

    /// Nobody was reached at an address.
    mutating func failed(_ text: String, at now: Date) {
        if let index = index(of: text) { addresses[index].lastFailed = now }
    }

    mutating func remove(_ text: String) { addresses.removeAll { $0.text == text } }

    /// The peer tells where they want to be found, instead of what they told before. What worked stays until it expires.
    mutating func told(_ texts: [String], at now: Date) {
        addresses.removeAll { address in
            address.source == .told && (address.isExpired(at: now) || !(address.works || texts.contains(address.text)))
        }
        let expires = now + ContactAddress.toldLifetime
        for text in texts.prefix(ContactAddress.toldLimit) {
            if let index = index(of: text) {
                guard addresses[index].source == .told else { continue }
                var address = addresses.remove(at: index)
                address.expires = expires
                addresses.append(address)
            } else {
                addresses.append(ContactAddress(text: text, source: .told, firstNoted: now, expires: expires))
            }
        }
        trim()
    }

    /// Takes over what is known of the same person elsewhere.
    mutating func join(_ other: ContactRecord) {
        for address in other.addresses {
            guard let index = index(of: address.text) else {
                addresses.append(address)
                continue
            }
            var same = addresses[index]
            if address.source.rawValue < same.source.rawValue { same.source = address.source }
            same.firstNoted = min(same.firstNoted, address.firstNoted)
            same.lastWorked = [same.lastWorked, address.lastWorked].compactMap { $0 }.max()
            same.lastFailed = [same.lastFailed, address.lastFailed].compactMap { $0 }.max()
            same.expires =
                same.source == .told ? [same.expires, address.expires].compactMap { $0 }.max() : nil
            addresses[index] = same
        }
        trim()
    }

    private func index(of text: String) -> Int? { addresses.firstIndex { $0.text == text } }

    /// Lets go what is too much. What a peer tells takes no place from what was given or dialed, nor the other way round, and
    /// what was dialed none from what was given.
    private mutating func trim() {
        trim(to: ContactAddress.toldLimit) { $0.source == .told }
        trim(to: ContactAddress.ownLimit) { $0.source == .given }
        let given = addresses.count { $0.source == .given }
        trim(to: ContactAddress.ownLimit - given) { $0.source == .dialed }
    }

    /// Those go first that were used, or noted, the longest ago.
    private mutating func trim(to limit: Int, _ belongs: (ContactAddress) -> Bool) {
        while addresses.count(where: belongs) > limit {
            let used = addresses.map { max($0.lastWorked ?? $0.firstNoted, $0.firstNoted) }
            let victims = addresses.indices.filter { belongs(addresses[$0]) }
            guard let victim = victims.min(by: { (used[$0], $0) < (used[$1], $1) }) else { return }
            addresses.remove(at: victim)
        }
    }
}
