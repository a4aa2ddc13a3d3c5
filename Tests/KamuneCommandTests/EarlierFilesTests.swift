import Foundation
import Kamune
import KamuneStore
import Testing

@testable import KamuneCommand

@Suite("Files of the version before the store")
struct EarlierFilesTests {
    private func key() throws -> PublicIdentity { try Identity.generate().publicKey }

    @Test("identity and peers are moved once, and the files set aside")
    func moving() async throws {
        let scratch = try Scratch()
        let files = EarlierFiles(directory: FilePath(scratch.path))
        let store = try Store.inMemory()
        #expect(!files.exist)
        #expect(try await files.move(into: store, at: Date()).isEmpty)

        let identity = try Identity.generate(.mldsa65)
        try IdentityFile(path: files.identityPath).save(identity)
        let (ada, bob) = (try key(), try key())
        _ = try scratch.write(
            """
            # a comment

            2026-07-01 \(ada.fingerprint.base64) Ada Lovelace
            2026-07-02 \(bob.fingerprint.base64) Bob

            """, to: "known-peers")
        #expect(files.exist)
        #expect(try await files.move(into: store, at: Date()).count == 2)
        #expect(scratch.names == ["identity.pem.moved", "known-peers.moved"])
        #expect(try await store.currentIdentity()?.publicKey == identity.publicKey)
        let peer = try #require(try await store.peer(withKey: ada))
        #expect(peer.givenName == "Ada Lovelace")
        #expect(Times.stamp(peer.accepted) == "2026-07-01T00:00:00.000Z")
        #expect(try await store.peers().count == 2)
        #expect(!files.exist)
    }

    @Test("a move that was interrupted is finished, and a file of somebody else's is left alone")
    func interrupted() async throws {
        let scratch = try Scratch()
        let files = EarlierFiles(directory: FilePath(scratch.path))
        let store = try Store.inMemory()
        let identity = try Identity.generate()
        try await store.add(identity, name: "", at: Date())
        try IdentityFile(path: files.identityPath).save(identity)
        #expect(try await files.move(into: store, at: Date()).count == 1)
        #expect(scratch.names == ["identity.pem.moved"])
        try IdentityFile(path: files.identityPath).save(try .generate())
        #expect(try await files.move(into: store, at: Date()).isEmpty)
        #expect(scratch.names == ["identity.pem", "identity.pem.moved"])
        #expect(try await store.identities().count == 1)
    }

    @Test(
        "a file of peers that is damaged, or that others can write, is not trusted",
        arguments: [
            "nonsense", "2026-01-01 AAAA Ada", "2026-01-01", "\u{0}\u{0}\u{0}", "2026-01-01  Ada",
            "2026-02-30 AAAA Ada",
        ])
    func damaged(line: String) async throws {
        let scratch = try Scratch()
        let file = try scratch.write("# a comment\n\n\(line)\n", to: "known-peers")
        let store = try Store.inMemory()
        let error = await #expect(throws: FileFailure.self) {
            try await EarlierFiles(directory: FilePath(scratch.path)).move(into: store, at: Date())
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("line 3"))
        #expect(scratch.names == ["known-peers"])
        #expect(chmod(scratch.text("known-peers"), 0o666) == 0)
        await #expect(throws: FileFailure.openToOthers(path: file, mode: 0o666)) {
            try await EarlierFiles(directory: FilePath(scratch.path)).move(into: store, at: Date())
        }
    }
}
