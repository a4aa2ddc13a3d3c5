import Foundation
import Kamune

/// Known peers in a text file with mode 0600, a line for each: day, public key as `kamune identity show` prints it, name.
struct FilePeerBook: PeerBook {
    let path: String

    private static let header = "# Peers that kamune knows: day, public key, name. A line may be removed."
    /// About ten thousand peers, or four hundred with ML-DSA keys.
    static let sizeLimit = 1_024 * 1_024
    static let maximumNameLength = 64

    init(path: String) {
        self.path = path
    }

    func trust(in identity: PublicIdentity, name: String) throws(FileFailure) -> Trust {
        let peers = try load()
        if let peer = peers.first(where: { $0.identity == identity }) { return .known(name: peer.name) }
        if let peer = peers.first(where: { KnownPeer.isSame($0.name, name) }) { return .changed(known: peer.identity) }
        return .unknown
    }

    func remember(_ identity: PublicIdentity, name: String) throws(FileFailure) {
        try DataDirectory.create(DataDirectory.parent(of: path))
        let lock = try FileLock(directory: DataDirectory.parent(of: path))
        defer { lock.release() }
        var peers = try load()
        peers.removeAll { $0.identity == identity || KnownPeer.isSame($0.name, name) }
        let shown = DisplayText(name, maximumLength: Self.maximumNameLength).description
        peers.append(KnownPeer(name: shown, identity: identity, since: Times.day(Date())))
        let text = ([Self.header] + peers.map(Self.line)).joined(separator: "\n") + "\n"
        guard text.utf8.count <= Self.sizeLimit else { throw .tooLarge(path: path, limit: Self.sizeLimit) }
        try SecretBytes(copying: text.utf8).withUnsafeBytes { bytes throws(FileFailure) in
            try PrivateFile.write(bytes, to: path, existing: .replace, what: "")
        }
    }

    /// Everybody in the file.
    func load() throws(FileFailure) -> [KnownPeer] {
        let contents: SecretBytes
        do throws(FileFailure) {
            // Whoever can change this file decides whom one talks to.
            contents = try PrivateFile.read(path, limit: Self.sizeLimit, secret: true, what: "file of known peers")
        } catch .missing {
            return []
        }
        let text = contents.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        var peers: [KnownPeer] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let peer = Self.parse(line) else {
                throw .unusable(
                    path: path, reason: "line \(index + 1) is not a day, a public key and a name; correct or remove it."
                )
            }
            peers.append(peer)
        }
        return peers
    }

    private static func line(_ peer: KnownPeer) -> String {
        "\(peer.since) \(peer.identity.fingerprint.base64) \(peer.name)"
    }

    private static func parse(_ line: Substring) -> KnownPeer? {
        let fields = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, let identity = identity(fields[1]) else { return nil }
        return KnownPeer(name: DisplayText(fields[2]).description, identity: identity, since: String(fields[0]))
    }

    private static func identity(_ text: Substring) -> PublicIdentity? {
        Base64URL.decode(text).flatMap { try? PublicIdentity(spki: $0) }
    }
}

/// Keeps other processes from changing files of a directory in the meantime.
private struct FileLock {
    private let descriptor: Int32

    init(directory: String) throws(FileFailure) {
        descriptor = open(directory, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path: directory, doing: "opened", code: errno) }
        // Where a file system has no locks, one does without.
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
    }

    func release() {
        close(descriptor)
    }
}
