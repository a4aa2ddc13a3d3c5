public import Foundation
public import Kamune
public import KamuneStore

/// Names a contact within one store: 16 hexadecimal digits that stay the same whatever name or key the contact has.
public struct ContactID: Hashable, Codable, Sendable, CustomStringConvertible {
    /// The digits.
    public let description: String

    let peer: PeerID

    /// Reads the digits; nil when they are none.
    public init?(_ text: String) {
        guard text.utf8.count == 16, text.allSatisfy({ $0.isHexDigit && !$0.isUppercase }),
            let row = UInt64(text, radix: 16)
        else { return nil }
        description = text
        peer = PeerID(row: Int64(bitPattern: row))
    }

    /// The contact that is a peer in the store.
    public init(_ peer: PeerID) {
        let digits = String(UInt64(bitPattern: peer.row), radix: 16)
        description = String(repeating: "0", count: 16 - digits.count) + digits
        self.peer = peer
    }

    /// Reads the digits.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let id = ContactID(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "A contact is named by 16 hexadecimal digits in lower case.")
        }
        self = id
    }

    /// Writes the digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Somebody whom the person knows.
public struct ContactInfo: Codable, Sendable, Equatable, Identifiable {
    /// Names the contact.
    public var id: ContactID
    /// The number in the list, from 1, in the order in which contacts were met; it changes when an earlier one is forgotten.
    public var number: Int
    /// What the contact is called: ``ownName``, or else ``givenName``. It may hold any characters.
    public var name: String
    /// What the contact called itself last. It proves nothing.
    public var givenName: String
    /// What the person calls the contact.
    public var ownName: String?
    /// The fingerprint's `sum` form (docs/PROTOCOL.md §13).
    public var fingerprint: String
    /// The key (SPKI) in base64url.
    public var publicKey: PublicKeyText
    /// The key's algorithm: `ed25519` or `ml-dsa-65`.
    public var algorithm: String
    /// The version of Kamune that the contact used last.
    public var version: String
    /// What it announced last that it can do.
    public var capabilities: [String]
    /// When the two met first, by this machine's clock.
    public var firstSeen: Date
    /// When there was a session last.
    public var lastSeen: Date
    /// When the person last accepted the key; nil for who was only let in unseen.
    public var accepted: Date?
    /// When the key was accepted last, or there was a session with it last while that held: from here on trust expires. nil for
    /// who was only let in unseen.
    public var lastTrusted: Date?
    /// When the person compared fingerprints; nil if never.
    public var verified: Date?
    /// Whether the person wants nothing of them.
    public var blocked: Bool
    /// Whether the person must be asked about them again.
    public var expired: Bool
    /// Keys that were given up for another, oldest first.
    public var formerKeys: [FormerKeyInfo]

    /// A key that was given up.
    public struct FormerKeyInfo: Codable, Sendable, Equatable {
        /// The fingerprint's `sum` form.
        public var fingerprint: String
        /// When trust went over to the next key.
        public var until: Date
    }

    /// The key.
    public var key: PublicIdentity { publicKey.key }
}

extension ContactInfo {
    /// A peer of the store.
    public init(_ peer: StoredPeer, number: Int, terms: PeerTerms, now: Date) {
        self.init(
            id: ContactID(peer.id), number: number, name: peer.displayName, givenName: peer.givenName,
            ownName: peer.ownName, fingerprint: peer.key.fingerprint.sum, publicKey: PublicKeyText(peer.key),
            algorithm: peer.key.algorithm.rawValue, version: peer.version, capabilities: peer.capabilities,
            firstSeen: peer.firstSeen, lastSeen: peer.lastSeen, accepted: peer.wasAccepted ? peer.accepted : nil,
            lastTrusted: peer.wasAccepted ? peer.lastTrusted : nil,
            verified: peer.verified, blocked: peer.isBlocked, expired: peer.isExpired(at: now, by: terms),
            formerKeys: peer.formerKeys.map {
                FormerKeyInfo(fingerprint: $0.key.fingerprint.sum, until: $0.until)
            })
    }
}

/// A public key, as text: its SPKI in base64url without padding (docs/PROTOCOL.md §13, `base64`).
public struct PublicKeyText: Codable, Sendable, Hashable {
    /// The key.
    public let key: PublicIdentity

    /// A key.
    public init(_ key: PublicIdentity) {
        self.key = key
    }

    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let bytes = Base64URL.decode(try container.decode(String.self)),
            let key = try? PublicIdentity(spki: bytes)
        else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "This is no public key in base64url.")
        }
        self.key = key
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(key.fingerprint.base64)
    }
}
