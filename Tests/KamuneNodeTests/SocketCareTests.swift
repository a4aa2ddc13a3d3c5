import Foundation
import Kamune
import KamuneCrypto
import KamuneSocket
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

/// What a node does about its socket, and about those who are at it, beside answering.
@Suite("A node's care for its socket")
struct SocketCareTests {
    @Test("a socket that somebody has removed is made anew, and who is connected notices nothing")
    func removed() async throws {
        try await Household.with { house in
            let before = try await house.remote()
            await house.server.renewSocket()
            let path = try #require(
                SocketLocation.candidates(for: house.location.resolved.path).first { place in
                    FileManager.default.fileExists(atPath: place.path)
                }?.path)
            func number() throws -> UInt64 {
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                return try #require(attributes[.systemFileNumber] as? NSNumber).uint64Value
            }
            let first = try number()
            // It was in its place, so it is the same still.
            await house.server.renewSocket()
            #expect(try number() == first)
            unlink(path)
            #expect(try await RemoteNode.connect(to: house.location) == nil)
            await house.server.renewSocket()
            let after = try await house.remote()
            for window in [before, after] {
                #expect(try await window.ask(ListContacts()).contacts.isEmpty)
                await window.close()
            }
            // The socket of another process is not taken away.
            unlink(path)
            #expect(FileManager.default.createFile(atPath: path, contents: nil))
            await house.server.close()
            #expect(FileManager.default.fileExists(atPath: path))
            unlink(path)
        }
    }

    @Test("where there is no place for one more, there is one to ask how the node stands, and to end it")
    func visitors() async throws {
        try await Household.with { house in
            var clients: [RawClient] = []
            for _ in 0..<NodeServer.maximumClients {
                let client = try await RawClient.open(house.location)
                #expect(try await client.hear()?.head.evt == "ready")
                clients.append(client)
            }
            let visitor = try #require(try await RemoteNode.connect(to: house.location, isVisit: true))
            #expect(try await visitor.ask(GetNodeStatus()).clients >= NodeServer.maximumClients)
            #expect(try await visitor.ask(ListContacts()).contacts.isEmpty)
            #expect(await visitor.refusal(of: ListRequests()) == .tooManyClients)
            #expect(await visitor.refusal(of: GetSelf()) == .tooManyClients)
            let error = await #expect(throws: NodeError.self) { try await RemoteNode.connect(to: house.location) }
            #expect(error?.code == .tooManyClients)
            try await visitor.shutDown()
            await visitor.close()
            for client in clients { await client.vanish() }
        }
    }

    @Test("who guesses through the socket waits, and has nobody wait who opens the store")
    func guesses() async throws {
        try await Household.with { house in
            try await house.node.store.changeCredential(to: .passphrase("right"))
            func secret(_ text: String) -> SecretText { SecretText(SecretBytes(copying: Array(text.utf8))) }
            let remote = try await house.remote()
            for count in 1...4 {
                #expect(await remote.refusal(of: ExportIdentity(passphrase: secret("wrong"))) == .wrongPassphrase)
                #expect(await house.node.wrongPassphrases == count)
            }
            #expect(Store.passphraseFailures(at: house.location) == 0)
            #expect(await remote.refusal(of: ExportIdentity(passphrase: nil)) == .passphraseRequired)
            #expect(await house.node.wrongPassphrases == 4)
            #expect(await remote.refusal(of: ExportIdentity(passphrase: secret("right"))) == .noIdentity)
            #expect(await house.node.wrongPassphrases == 0)
            await remote.close()
        }
    }

    @Test("whoever finds a window open takes no identity away, and brings none in")
    func identities() async throws {
        try await Household.with { house in
            let first = try await house.node.store.identity(name: "Ada").publicKey
            try await house.node.store.changeCredential(to: .passphrase("right"))
            func secret(_ text: String) -> SecretText { SecretText(SecretBytes(copying: Array(text.utf8))) }
            let remote = try await house.remote()
            let own = try Identity.generate()
            #expect(await remote.refusal(of: CreateIdentity(.ed25519, replaces: true)) == .passphraseRequired)
            #expect(await remote.refusal(of: ImportIdentity(own, replaces: true)) == .passphraseRequired)
            #expect(await remote.refusal(of: EraseOldIdentities([PublicKeyText(first)])) == .passphraseRequired)
            #expect(try await remote.ask(ListIdentities()).identities.map(\.publicKey.key) == [first])
            let made = try await remote.ask(ImportIdentity(own, replaces: true, passphrase: secret("right")))
            #expect(made.publicKey.key == own.publicKey)
            let erased = try await remote.ask(
                EraseOldIdentities([PublicKeyText(first)], passphrase: secret("right")))
            #expect(erased.erased == 1)
            await remote.close()
        }
    }
}
