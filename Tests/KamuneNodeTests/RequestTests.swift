import Foundation
import Kamune
import KamuneCrypto
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

@Suite("What a node is asked for, in its process and through its socket", .timeLimit(.minutes(10)))
struct RequestTests {
    // MARK: Contacts

    @Test("contacts are listed, renamed, verified, blocked, distrusted and forgotten", arguments: Way.allCases)
    func contacts(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let (ada, bob) = (try await house.contact("Ada"), try await house.contact("Bob\u{1B}[2J"))
            var list = try await window.ask(ListContacts()).contacts
            #expect(list.map(\.id) == [ada, bob] && list.map(\.number) == [1, 2])
            #expect(list.map(\.name) == ["Ada", "Bob\u{1B}[2J"])
            #expect(list.allSatisfy { $0.accepted != nil && $0.verified == nil && !$0.blocked && !$0.expired })
            #expect(list[0].fingerprint == list[0].key.fingerprint.sum)

            #expect(try await window.ask(RenameContact(ada, to: "Countess")).name == "Countess")
            let key = list[0].publicKey
            #expect(try await window.ask(VerifyContact(ada, true, key: key)).verified != nil)
            // The key that was compared is another one by now.
            #expect(await window.refusal(of: VerifyContact(bob, true, key: key)) == .conflict)
            #expect(try await window.ask(BlockContact(bob, true)).blocked)
            #expect(try await window.ask(BlockContact(bob, false)).blocked == false)
            #expect(try await window.ask(DistrustContact(ada)).verified == nil)

            let got = try await window.ask(GetContact(ada))
            #expect(got.contact.givenName == "Ada" && got.contact.ownName == "Countess" && got.messages == 0)
            #expect(try await window.ask(RenameContact(ada, to: nil)).name == "Ada")
            #expect(try await window.ask(ForgetContact(ada)).messages == 0)
            #expect(await window.refusal(of: GetContact(ada)) == .noSuchContact)
            #expect(await window.refusal(of: RenameContact(ada, to: "x")) == .noSuchContact)
            list = try await window.ask(ListContacts()).contacts
            #expect(list.map(\.id) == [bob] && list[0].number == 1)
            await window.close()
        }
    }

    @Test("a contact is added by key or by fingerprint, and has addresses", arguments: Way.allCases)
    func adding(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let (ada, bob) = (try Identity.generate().publicKey, try Identity.generate(.mldsa65).publicKey)
            for (name, key) in [("Ada", ada), ("Bob", bob)] {
                let added = try await window.ask(AddContact(name, key: KeyFingerprint(key)))
                #expect(added.contact?.name == name && added.contact?.key == key)
            }
            let sum = try #require(KeyFingerprint(try Identity.generate().publicKey.fingerprint.sum))
            #expect(try await window.ask(AddContact("Carol", key: sum)).contact == nil)
            let id = try #require(try await window.ask(ListContacts()).contacts.first?.id)
            let added = try await window.ask(
                ChangeAddresses(of: id, adding: ["ada.example:9000", "udp://[::1]:9000"])
            ).addresses
            #expect(Set(added.map(\.address)) == ["ada.example:9000", "udp://[::1]:9000"])
            #expect(added.allSatisfy { $0.source == .given })
            #expect(await window.refusal(of: ChangeAddresses(of: id, adding: ["no address"])) == .invalidAddress)
            let left = try await window.ask(ChangeAddresses(of: id, adding: [], removing: ["ada.example:9000"]))
            #expect(left.addresses.map(\.address) == ["udp://[::1]:9000"])
            #expect(try await window.ask(ListAddresses(of: id)) == left)
            await window.close()
        }
    }

    @Test("somebody is recognised by key, name and former keys", arguments: Way.allCases)
    func recognising(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let key = try Identity.generate().publicKey
            func peer(_ name: String, _ key: PublicIdentity, former: [PublicIdentity] = []) -> PeerInfo {
                PeerInfo(Peer(name: name, identity: key, version: "0.7.0", capabilities: ["a"], formerKeys: former))
            }
            #expect(try await window.ask(RecognizePeer(peer("Ada", key))).standing == .unknown)
            _ = try await house.node.store.accept(key, name: "Ada", at: Date())
            let known = try await window.ask(RecognizePeer(peer("Eve", key)))
            #expect(known.standing == .known && known.contact?.name == "Ada" && known.sameName.isEmpty)
            let other = try await window.ask(RecognizePeer(peer("ada", try Identity.generate().publicKey)))
            #expect(other.standing == .unknown && other.sameName.map(\.key) == [key])
            let next = try Identity.generate().publicKey
            #expect(try await window.ask(RecognizePeer(peer("Ada", next, former: [key]))).standing == .known)
            await window.close()
        }
    }

    // MARK: Messages

    @Test("messages are kept in the order in which they were sent, found, and deleted", arguments: Way.allCases)
    func messages(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let (ada, bob) = (try await house.contact("Ada"), try await house.contact("Bob"))
            let sent = try await window.ask(SendMessages(to: ada, text: "meet me at the Station"))
            #expect(!sent.isConnected && sent.messages.map(\.text) == ["meet me at the Station"])
            #expect(sent.messages[0].state == .waiting && sent.messages[0].direction == .outgoing)
            let bytes: [[UInt8]] = [[0xFF, 0x00], Array("b\0\u{1F512}\n".utf8), []]
            let more = try await window.ask(SendMessages(to: bob, bodies: bytes))
            #expect(more.messages.map(\.body) == bytes)
            for index in 0..<300 { _ = try await window.ask(SendMessages(to: ada, text: "\(index)")) }

            let latest = try await window.ask(GetMessages(with: ada, limit: 3))
            #expect(latest.messages.map(\.text) == ["299", "298", "297"])
            let next = try await window.ask(GetMessages(with: ada, before: latest.next, limit: 1))
            #expect(next.messages.map(\.text) == ["296"])
            #expect(try await window.ask(GetMessages(words: "STATION")).messages == sent.messages)
            var (all, after, pages) = ([MessageInfo](), Position?.none, 0)
            repeat {
                let page = try await window.ask(GetMessagesForward(after: after))
                all += page.messages
                (after, pages) = (page.next, pages + 1)
            } while after != nil
            #expect(all.count == 304 && pages > 1 && all.map(\.position) == all.map(\.position).sorted())
            #expect(try await window.ask(GetContact(ada)).messages == 301)

            #expect(try await window.ask(DeleteMessages(with: ada)).messages == 301)
            #expect(try await window.ask(GetMessages(with: ada)).messages.isEmpty)
            #expect(try await window.ask(GetMessages()).messages.count == 3)
            #expect(await window.refusal(of: GetMessages(limit: 0)) == .invalidParameter)
            #expect(await window.refusal(of: GetMessages(limit: 1_001)) == .invalidParameter)
            #expect(await window.refusal(of: SendMessages(to: ada, bodies: [])) == .invalidParameter)
            let tooMany = SendMessages(to: ada, bodies: [[UInt8]](repeating: [], count: 1_025))
            #expect(await window.refusal(of: tooMany) == .invalidParameter)
            let nobody = try #require(ContactID("00000000000000ff"))
            #expect(await window.refusal(of: SendMessages(to: nobody, text: "x")) == .noSuchContact)
            #expect(await window.refusal(of: AwaitDelivery(with: ada, seconds: -1)) == .invalidParameter)
            #expect(await window.refusal(of: AwaitDelivery(with: ada, seconds: .infinity)) == .invalidParameter)
            #expect(try await window.ask(AwaitDelivery(with: ada, seconds: 0)).isOver)
            await window.close()
        }
    }

    @Test("an output knows how far it has come", arguments: Way.allCases)
    func outputs(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let ada = try await house.contact("Ada")
            let start = try await window.ask(GetOutput("a")).written
            var messages: [StoredMessage] = []
            for index in 0..<5 {
                messages.append(
                    try await house.node.store.append(
                        .incoming(from: ada.peer, body: Array("\(index)".utf8), sent: Date(), received: Date())
                    ).message)
            }
            let page = try await window.ask(GetIncoming(after: start, bytes: 1))
            #expect(page.messages.map(\.text) == ["0"] && !page.isEnd)
            let rest = try await window.ask(GetIncoming(after: page.through))
            #expect(rest.messages.map(\.text) == ["1", "2", "3", "4"] && rest.isEnd)
            _ = try await window.ask(NoteWritten("a", through: page.through))
            #expect(try await window.ask(GetOutput("a")).written == page.through)
            // It never goes back.
            _ = try await window.ask(NoteWritten("a", through: rest.through))
            _ = try await window.ask(NoteWritten("a", through: page.through))
            #expect(try await window.ask(GetOutput("a")).written == rest.through)
            await window.close()
        }
    }

    // MARK: Who we are

    @Test(
        "an identity is made when it is needed, named, and rotated; the node's word is as that of the store",
        arguments: Way.allCases)
    func identities(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            #expect(try await window.ask(ListIdentities()).identities.isEmpty)
            #expect(await window.refusal(of: NameIdentity("Ada")) == .noIdentity)
            let first = try await window.ask(GetSelf())
            #expect(first.isNew)
            #expect(try await window.ask(GetSelf()).isNew == false)
            #expect(try await window.ask(NameIdentity("Ada")).name == "Ada")
            #expect(try await window.ask(GetSelf()).name == "Ada")
            #expect(await window.refusal(of: CreateIdentity(.ed25519)) == .identityExists)
            let rotated = try await window.ask(RotateIdentity(to: .mldsa65, from: first.publicKey))
            #expect(rotated.algorithm == "ml-dsa-65" && rotated.isCurrent && rotated.name == "Ada")
            // Somebody has rotated meanwhile.
            #expect(await window.refusal(of: RotateIdentity(to: .ed25519, from: first.publicKey)) == .conflict)
            #expect(try await window.ask(GetSelf()).publicKey == rotated.publicKey)
            let all = try await window.ask(ListIdentities()).identities
            #expect(all.map(\.publicKey) == [first.publicKey, rotated.publicKey])
            #expect(all[0].vouches && all[0].hasPrivateKey && !all[0].isCurrent)
            // Not the one in use.
            #expect(try await window.ask(EraseOldIdentities([rotated.publicKey])).erased == 0)
            #expect(try await window.ask(EraseOldIdentities([first.publicKey])).erased == 1)
            let imported = try Identity.generate()
            #expect(await window.refusal(of: ImportIdentity(imported)) == .identityExists)
            #expect(
                try await window.ask(ImportIdentity(imported, replaces: true)).publicKey.key == imported.publicKey)
            let pem = try await window.ask(ExportIdentity(passphrase: nil)).pem
            #expect(try pem.withSecret { try Identity(pem: $0) }.publicKey == imported.publicKey)
            await window.close()
        }
    }

    // MARK: What is decided once

    @Test("settings, terms and what programs keep stay", arguments: Way.allCases)
    func settings(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            #expect(try await window.ask(GetSettings()) == NodeSettings())
            #expect(
                try await window.ask(ChangeSettings(NodeSettings(takesRequests: true)))
                    == NodeSettings(takesRequests: true))
            let both = NodeSettings(tellsRoutes: false, takesRequests: true)
            #expect(try await window.ask(ChangeSettings(NodeSettings(tellsRoutes: false))) == both)
            #expect(try await window.ask(GetSettings()) == both)

            var terms = try await window.ask(GetTerms())
            terms.accepted = nil
            terms.verified = 86_400
            #expect(try await window.ask(SetTerms(terms)) == terms)
            #expect(try await window.ask(GetTerms()) == terms)

            #expect(try await window.ask(GetSetting("bot.last")).value == nil)
            for value in ["", "x\u{0}\"\\\n\u{1F512}", String(repeating: "x", count: 1_024)] {
                _ = try await window.ask(SetSetting("bot.last", to: value))
                #expect(try await window.ask(GetSetting("bot.last")).value == value)
            }
            #expect(
                await window.refusal(of: SetSetting("bot.last", to: String(repeating: "x", count: 1_025)))
                    == .tooLarge)
            #expect(await window.refusal(of: GetSetting("")) == .invalidParameter)
            #expect(
                await window.refusal(of: GetSetting(String(repeating: "x", count: 65))) == .invalidParameter)
            _ = try await window.ask(SetSetting("bot.last", to: nil))
            #expect(try await window.ask(GetSetting("bot.last")).value == nil)
            await window.close()
        }
    }

    @Test("a backup holds everything, and is merged", arguments: Way.allCases)
    func backup(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let ada = try await house.contact("Ada")
            _ = try await window.ask(SendMessages(to: ada, text: "x"))
            func secret() -> SecretText { SecretText(SecretBytes(copying: Array("correct horse".utf8))) }
            let path = house.location.path + ".backup"
            let contents = try await window.ask(CreateBackup(to: path, backupPassphrase: secret(), passphrase: nil))
            #expect(contents.identities == 1 && contents.contacts == 1 && contents.messages == 1)
            #expect(
                await window.refusal(of: CreateBackup(to: path, backupPassphrase: secret(), passphrase: nil))
                    == .storeExists)
            #expect(
                await window.refusal(of: CreateBackup(to: "x", backupPassphrase: secret(), passphrase: nil))
                    == .invalidParameter)
            try await Household.with { other in
                let there = try await way.open(other)
                #expect(try await there.ask(MergeBackup(path, backupPassphrase: secret())) == contents)
                #expect(try await there.ask(GetMessages()).messages.map(\.text) == ["x"])
                let wrong = SecretText(SecretBytes(copying: [0x78]))
                #expect(await there.refusal(of: MergeBackup(path, backupPassphrase: wrong)) == .wrongPassphrase)
                await there.close()
            }
            await window.close()
        }
    }

    @Test("the node says how it stands", arguments: Way.allCases)
    func status(way: Way) async throws {
        try await Household.with { house in
            let window = try await way.open(house)
            let ada = try await house.contact("Ada")
            _ = try await window.ask(SendMessages(to: ada, text: "x"))
            let listening = try await window.ask(Listen(on: "127.0.0.1:0"))
            var status = try await window.ask(GetNodeStatus())
            #expect(status.process == Int(getpid()) && status.store == house.location.path && status.clients == 1)
            #expect(status.listeners.map(\.address) == [listening.address] && status.conversations.isEmpty)
            #expect(status.waiting == 1 && status.contactsWaitedFor == 1 && status.identity != nil)
            _ = try await window.ask(StopListening(listening.listener))
            status = try await window.ask(GetNodeStatus())
            #expect(status.listeners.isEmpty)
            await window.close()
        }
    }

    @Test("what somebody who looks over a shoulder must not get, others give for the passphrase only")
    func passphrase() async throws {
        try await Household.with { house in
            let store = house.node.store
            _ = try await store.identity(name: "Ada")
            try await store.changeCredential(to: .passphrase("right"))
            func secret(_ text: String) -> SecretText { SecretText(SecretBytes(copying: Array(text.utf8))) }
            let (local, remote) = (await house.local(), try await house.remote())
            // Who is in the process has opened the store.
            _ = try await local.ask(ExportIdentity(passphrase: nil))
            let path = house.location.path + ".backup"
            for (wrong, code) in [(nil, NodeError.Code.passphraseRequired), ("wrong", .wrongPassphrase)] {
                let given = wrong.map { secret($0) }
                #expect(await remote.refusal(of: ExportIdentity(passphrase: given)) == code)
                #expect(
                    await remote.refusal(of: CreateBackup(to: path, backupPassphrase: secret("b"), passphrase: given))
                        == code)
                #expect(await remote.refusal(of: ChangePassphrase(from: given, to: nil)) == code)
            }
            #expect(!FileManager.default.fileExists(atPath: path))
            _ = try await remote.ask(ExportIdentity(passphrase: secret("right")))
            _ = try await remote.ask(ChangePassphrase(from: secret("right"), to: secret("new")))
            #expect(await remote.refusal(of: ExportIdentity(passphrase: secret("right"))) == .wrongPassphrase)
            _ = try await remote.ask(ExportIdentity(passphrase: secret("new")))
            await remote.close()
            await local.close()
        }
    }

    @Test("the vocabulary has every name once, and names are as others read them")
    func vocabulary() {
        let names = NodeVocabulary.requests.map { $0.name }
        #expect(Set(names).count == names.count)
        for name in names { #expect(name.wholeMatch(of: /[a-z]+\.[a-z_]+/) != nil, "\(name)") }
        for name in names { #expect(NodeVocabulary.request(named: name)?.name == name) }
        #expect(Set(NodeEvent.Kind.allCases.map(\.rawValue)).isDisjoint(with: ["ready", "response", "error"]))
    }
}
