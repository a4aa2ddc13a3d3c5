import KamuneCrypto

extension Daemon {
    func listPeers(_ id: String) async throws(DaemonError) {
        let peers = try await openedStorage.peers().map { peer in
            JSONValue.members([
                "name": .text(peer.name), "app_version": .text(peer.version),
                "first_seen": .text(Instant(peer.firstSeen).description),
                "last_seen": .text(Instant(peer.lastSeen).description),
                "public_key": .text(Base64Text.encode(peer.key.spki)),
            ])
        }
        respond(id, ["peers": .list(peers)])
    }

    func addPeer(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let (key, name) = try keyAndName(parameters)
        let shown = name.isEmpty ? key.fingerprint.pseudonym : name
        try await openedStorage.addPeer(key, name: shown)
        log(.info, "Added peer: \(shown)")
        respond(id, ["name": .text(shown), "status": "added"])
    }

    func renamePeer(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let (key, name) = try keyAndName(parameters)
        try await openedStorage.renamePeer(key, to: name.isEmpty ? key.fingerprint.pseudonym : name)
        log(.info, "Renamed peer to \(name)")
        respond(id, ["name": .text(name), "status": "renamed"])
    }

    func getPeer(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let (key, _) = try keyAndName(parameters)
        guard let peer = try await openedStorage.peer(key) else {
            throw DaemonError(.peerNotFound, "peer not found: \(key.fingerprint.sum)")
        }
        respond(
            id,
            [
                "app_version": .text(peer.version), "first_seen": .text(Instant(peer.firstSeen).description),
                "last_seen": .text(Instant(peer.lastSeen).description), "name": .text(peer.name),
                "public_key": .text(peer.key.fingerprint.base64),
            ])
    }

    func deletePeer(_ id: String, _ parameters: DaemonParameters) async throws(DaemonError) {
        let (key, _) = try keyAndName(parameters)
        try await openedStorage.deletePeer(key)
        history = nil
        log(.info, "Deleted peer")
        respond(id, ["status": "deleted"])
    }

    private func keyAndName(_ parameters: DaemonParameters) throws(DaemonError) -> (PublicIdentity, String) {
        let (text, name) = try parameters.read { (members) throws(JSONMembers.Mismatch) in
            (try members.text("public_key"), try members.text("name"))
        }
        let key = try PeerKey.read(text)
        guard name.utf8.count <= DaemonLimits.nameSize else {
            throw DaemonError(.nameTooLong, "name must be \(DaemonLimits.nameSize) bytes or fewer")
        }
        return (key, name)
    }
}
