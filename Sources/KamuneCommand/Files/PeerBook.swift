import Kamune

/// The peers whom a person has accepted. A file today; anything that keeps this promise tomorrow.
protocol PeerBook: Sendable {
    /// What is known about somebody who shows this key and this name.
    func trust(in identity: PublicIdentity, name: String) async throws -> Trust

    /// Remembers a peer. Another key of the same name is forgotten.
    func remember(_ identity: PublicIdentity, name: String) async throws
}

/// What is known about a peer.
enum Trust: Equatable, Sendable {
    /// The key was accepted before, under this name.
    case known(name: String)
    /// The name is known, with another key: somebody has changed their identity, or somebody pretends.
    case changed(known: PublicIdentity)
    /// Neither is known.
    case unknown
}

/// A peer who was accepted.
struct KnownPeer: Equatable, Sendable {
    let name: String
    let identity: PublicIdentity
    /// The day on which it was accepted, in UTC, such as "2026-07-25".
    let since: String

    /// Whether two names are the same to a person. Names that only look alike are not caught.
    static func isSame(_ first: String, _ second: String) -> Bool {
        normal(first) == normal(second)
    }

    private static func normal(_ name: String) -> String {
        DisplayText(name).description.lowercased().split(separator: " ").joined(separator: " ")
    }
}
