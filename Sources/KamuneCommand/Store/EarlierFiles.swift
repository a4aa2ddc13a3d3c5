import Foundation
import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// The files in which the version before the store kept an identity and the known peers. What they hold is moved into the
/// store; the files stay under another name, since nothing of a person's is removed unasked.
struct EarlierFiles {
    /// The file of the identity: PKCS #8 in PEM.
    let identityPath: FilePath
    /// The file of known peers, a line for each: day, public key, name.
    let peersPath: FilePath

    private static let suffix = ".moved"
    /// About ten thousand peers, or four hundred with ML-DSA keys.
    private static let sizeLimit = 1_024 * 1_024

    init(directory: FilePath) {
        identityPath = directory.file("identity.pem")
        peersPath = directory.file("known-peers")
    }

    /// Whether there is anything to be moved.
    var exist: Bool { Self.exists(identityPath) || Self.exists(peersPath) }

    /// Moves everything into the store. Does nothing where there is nothing, and goes on where it was interrupted.
    ///
    /// - Parameter now: By this machine's clock.
    /// - Returns: Sentences that say what was done.
    func move(into store: Store, at now: Date) async throws -> [String] {
        var notes: [String] = []
        if Self.exists(identityPath), let note = try await moveIdentity(into: store, at: now) { notes.append(note) }
        if Self.exists(peersPath) { notes.append(try await movePeers(into: store)) }
        return notes
    }

    private func moveIdentity(into store: Store, at now: Date) async throws -> String? {
        let identity = try IdentityFile(path: identityPath).load()
        if let current = try await store.currentIdentity() {
            // A file that somebody has put there since is theirs, and not looked at.
            guard current.publicKey == identity.publicKey else { return nil }
        } else {
            try await store.add(identity, name: "", at: now)
        }
        let aside = try Self.setAside(identityPath)
        return "Your identity was moved from “\(identityPath.shown)” into the store. The file is now "
            + "“\(aside.shown)”; remove it when you have a backup: it holds your private key in the open."
    }

    private func movePeers(into store: Store) async throws -> String {
        let peers = try Self.load(peersPath)
        for peer in peers where try await store.peer(withKey: peer.identity) == nil {
            do {
                // Their trust goes on from the day on which they were accepted.
                try await store.accept(peer.identity, name: peer.name, at: peer.since)
            } catch StoreError.refused {
                // The store has seen since that the key was given up, or its peer is blocked: that has the last word.
                continue
            }
        }
        let aside = try Self.setAside(peersPath)
        return "\(peers.count) known peers were moved from “\(peersPath.shown)” into the store. The file is now "
            + "“\(aside.shown)”."
    }

    /// Everybody in a file of known peers.
    static func load(_ path: FilePath) throws(FileFailure) -> [(name: String, identity: PublicIdentity, since: Date)] {
        // Whoever could change this file decided whom one talks to.
        let contents = try PrivateFile.read(path, limit: sizeLimit, secret: true, what: "file of known peers")
        let text = contents.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        var peers: [(name: String, identity: PublicIdentity, since: Date)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            let fields = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, let spki = Base64URL.decode(fields[1]),
                let identity = try? PublicIdentity(spki: spki), let day = TimeSpan(fields[0] + "T00:00:00Z")
            else {
                throw .unusable(
                    path: path, reason: "line \(index + 1) is not a day, a public key and a name; correct or remove it."
                )
            }
            peers.append((TerminalText(fields[2]).description, identity, day.start))
        }
        return peers
    }

    private static func exists(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withCString { lstat($0, &status) } == 0
    }

    private static func setAside(_ path: FilePath) throws(FileFailure) -> FilePath {
        let aside = path + suffix
        do {
            _ = try retrying { path.withCString { path in aside.withCString { rename(path, $0) } } }
        } catch {
            throw .system(path: path, doing: "renamed", code: error.code)
        }
        return aside
    }
}
