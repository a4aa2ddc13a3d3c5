import ArgumentParser
import Foundation
import Kamune
import KamuneNode
import KamuneTerminal

/// The peers in the order in which they were met, which is how they are numbered: so numbers change only when somebody is
/// forgotten.
struct PeerList: Sendable {
    let peers: [ContactInfo]

    init(_ peers: [ContactInfo]) {
        self.peers = peers
    }

    init(_ node: some NodeAccess) async throws(NodeError) {
        self.init(try await node.ask(ListContacts()).contacts)
    }

    /// What to call a peer.
    func name(of peer: ContactID) -> TerminalText {
        peers.first { $0.id == peer }.map { PeerName.shown(for: $0) } ?? TerminalText("somebody forgotten")
    }

    /// The peer who is meant.
    ///
    /// A name or fingerprint that somebody has chosen to look like another's number or name must not be taken for it, so
    /// everything that fits counts, and more than one is none.
    ///
    /// - Throws: A ``Failure`` that says why nobody, or who all, fits.
    func select(_ text: String) throws(Failure) -> ContactInfo {
        let shown = TerminalText(text, maximumColumns: TextLimit.name)
        let matches = matches(text)
        if matches.count == 1 { return matches[0] }
        if matches.isEmpty {
            let nearest = Suggestion.nearest(to: text, among: peers.map { PeerName.shown(for: $0).description })
            throw Failure(.noSuchPeer(shown, nearest: nearest.map { TerminalText($0) }))
        }
        let all = matches.prefix(8).map { peer in
            "#\(peer.number) \(PeerName.shown(for: peer)) (\(peer.key.fingerprint.sum))"
        }
        throw Failure(.ambiguousPeer(shown, count: matches.count, among: all))
    }

    /// Those who bear a name, by the person's choice or, where the person has chosen none, by their own.
    func named(_ text: String) -> [ContactInfo] {
        let given = peers.filter { $0.ownName.map { KnownPeer.isSame($0, text) } ?? false }
        return given.isEmpty ? peers.filter { KnownPeer.isSame(PeerName.shown(for: $0).description, text) } : given
    }

    private func matches(_ text: String) -> [ContactInfo] {
        let text = text.trimmingCharacters(in: .whitespaces)
        if text.hasPrefix("#") {
            return Int(text.dropFirst()).flatMap { peers.indices.contains($0 - 1) ? [peers[$0 - 1]] : nil } ?? []
        }
        let number = Int(text)
        let digits = Self.hexadecimal(text)
        return peers.enumerated().filter { index, peer in
            if number == index + 1 { return true }
            let names = [peer.ownName, peer.givenName, PeerName.shown(for: peer).description].compactMap { $0 }
            if names.contains(where: { KnownPeer.isSame($0, text) }) { return true }
            return Self.hasFingerprint(peer.key, text, digits)
        }.map(\.element)
    }

    /// How many characters of a fingerprint it takes at least: fewer are rather a name.
    private static let shortestPrefix = 4

    private static func hexadecimal(_ text: String) -> String? {
        let digits = text.lowercased().filter { $0 != ":" && $0 != " " }
        return digits.count >= shortestPrefix && digits.allSatisfy(\.isHexDigit) ? digits : nil
    }

    /// Whether a text begins one of a key's fingerprints: in base64url, or in hexadecimal of the SHA-256, of the encoded key
    /// or of the key alone.
    private static func hasFingerprint(_ key: PublicIdentity, _ text: String, _ digits: String?) -> Bool {
        let fingerprint = key.fingerprint
        if text.count >= shortestPrefix, fingerprint.sum.hasPrefix(text) || fingerprint.base64 == text { return true }
        guard let digits else { return false }
        let spki = hex(key.spki)
        // What stands before the key is the same for everybody, and picks nobody.
        let common = spki.count - 2 * key.algorithm.publicKeySize
        return hex(Base64URL.decode(fingerprint.sum) ?? []).hasPrefix(digits)
            || digits.count >= common + shortestPrefix && spki.hasPrefix(digits)
            || spki.dropFirst(common).hasPrefix(digits)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        .joined()
    }
}

/// The argument that names a peer.
struct PeerArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The peer: a name, a number of “kamune peers list”, or how a fingerprint begins.", valueName: "peer"))
    var peer: String
}
