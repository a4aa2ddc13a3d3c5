public import Foundation
public import KamuneCrypto

/// Somebody whom the person knows.
public struct StoredPeer: Sendable, Equatable, Identifiable {
    /// Their number in this store.
    public let id: PeerID
    /// Their key.
    public internal(set) var key: PublicIdentity
    /// The name that they gave last. It proves nothing.
    public var givenName: String
    /// The name that the person gave them.
    public var ownName: String?
    /// The version of Kamune that they used last.
    public var version: String
    /// The additions that they announced last, so that it is known how to write to them while they are away.
    public var capabilities: [String]
    /// When they were met first, by this machine's clock.
    public internal(set) var firstSeen: Date
    /// When there was a session with them last.
    public internal(set) var lastSeen: Date
    /// When the person last accepted the key. ``never`` for who was only let in unseen.
    public internal(set) var accepted: Date
    /// When the person compared fingerprints; `nil` if never.
    public internal(set) var verified: Date?
    /// Whether the person wants nothing of them.
    public internal(set) var isBlocked: Bool
    /// Keys that they had before, oldest first. They are not trusted any more.
    public internal(set) var formerKeys: [FormerKey]
    /// Whether the person has accepted this very key although somebody had given it up for another. Without that, the key of
    /// such a record counts as given up.
    public internal(set) var isReinstated = false
    /// When the key was accepted last, or there was a session with it last while that held: from here on trust expires. Who
    /// was let in unseen after it had expired is not trusted by that.
    public internal(set) var lastTrusted = StoredPeer.never

    /// A key that was given up for another.
    public struct FormerKey: Sendable, Equatable {
        /// The key.
        public let key: PublicIdentity
        /// When the trust went over to the next.
        public let until: Date
    }

    /// What to call them: the person's own name for them, or else the one that they gave.
    public var displayName: String { ownName ?? givenName }

    /// Whether the fingerprints were compared.
    public var isVerified: Bool { verified != nil }

    /// What ``accepted`` is for somebody whose key nobody has accepted yet.
    public static let never = Date(timeIntervalSince1970: 0)

    /// Whether the key was ever accepted. Who was only let in unseen is in the store for the sake of the history.
    public var wasAccepted: Bool { accepted > Self.never }

    /// Whether the person has to be asked about them again.
    public func isExpired(at now: Date, by terms: PeerTerms) -> Bool {
        guard wasAccepted else { return true }
        return switch terms.expiry(of: self) {
        case .never: false
        case .after(let seconds): max(lastTrusted, accepted).addingTimeInterval(Double(seconds)) < now
        }
    }
}

/// How long trust in a peer lasts after the last contact.
public enum PeerExpiry: Sendable, Equatable {
    /// So many seconds after the key was accepted, or there was a session with it while trust held, whichever is later.
    case after(seconds: Int64)
    /// For ever.
    case never

    /// Thirty days. (kamune 0.7 has seven, from when the peer was accepted, however often one talks.)
    public static let standard = PeerExpiry.after(seconds: 30 * 24 * 3_600)

    /// So many days.
    public static func days(_ days: Int) -> PeerExpiry {
        let (seconds, overflow) = Int64(days).multipliedReportingOverflow(by: 24 * 3_600)
        return overflow ? .never : .after(seconds: seconds)
    }
}

/// How long trust lasts, by what it stands on.
public struct PeerTerms: Sendable, Equatable {
    /// For those whom the person has accepted.
    public var accepted = PeerExpiry.standard
    /// For those whose fingerprints the person has compared.
    public var verified = PeerExpiry.never

    /// The standard: thirty days, and for ever.
    public init() {}

    /// How long trust in a peer lasts.
    public func expiry(of peer: StoredPeer) -> PeerExpiry { peer.isVerified ? verified : accepted }
}

extension StoredPeer {
    /// Layout 1 ended with the former keys, layout 2 before the last contact.
    private static let layouts: ClosedRange<UInt8> = 1...3

    func encoded() -> [UInt8] {
        var writer = RecordWriter(layout: Self.layouts.upperBound)
        writer.append(bytes: key.spki)
        writer.append(text: givenName)
        writer.append(optional: ownName) { $0.append(text: $1) }
        writer.append(text: version)
        writer.append(list: capabilities) { $0.append(text: $1) }
        writer.append(date: firstSeen)
        writer.append(date: lastSeen)
        writer.append(date: accepted)
        writer.append(optional: verified) { $0.append(date: $1) }
        writer.append(flag: isBlocked)
        writer.append(list: formerKeys) { writer, former in
            writer.append(bytes: former.key.spki)
            writer.append(date: former.until)
        }
        writer.append(flag: isReinstated)
        writer.append(date: lastTrusted)
        writer.pad()
        return writer.bytes
    }

    init(id: PeerID, decoding bytes: [UInt8]) throws {
        var reader = RecordReader(bytes)
        let layout = try reader.byte()
        guard Self.layouts.contains(layout) else { throw RecordReader.Malformed() }
        self.id = id
        key = try PublicIdentity(spki: reader.byteString())
        givenName = try reader.text()
        ownName = try reader.optional { reader throws(RecordReader.Malformed) in try reader.text() }
        version = try reader.text()
        capabilities = try reader.list { reader throws(RecordReader.Malformed) in try reader.text() }
        firstSeen = try reader.date()
        lastSeen = try reader.date()
        accepted = try reader.date()
        verified = try reader.optional { reader throws(RecordReader.Malformed) in try reader.date() }
        isBlocked = try reader.flag()
        let former = try reader.list { reader throws(RecordReader.Malformed) in
            (spki: try reader.byteString(), until: try reader.date())
        }
        formerKeys = try former.map { FormerKey(key: try PublicIdentity(spki: $0.spki), until: $0.until) }
        isReinstated = try layout >= 2 && reader.flag()
        lastTrusted = layout >= 3 ? try reader.date() : accepted
    }
}
