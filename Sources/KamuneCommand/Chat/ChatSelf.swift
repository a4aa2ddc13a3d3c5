import Kamune
import KamuneNode
import KamuneStore
import KamuneSystem

/// Who we are in a conversation, and what is kept of it: the node that a chat looks through.
enum ChatSelf {
    /// Comes to the node.
    ///
    /// - Returns: The window, and what the person should know about how it went.
    static func open(
        _ options: EndpointOptions, _ context: CommandContext, adjust: (inout Configuration) -> Void
    ) async throws -> (NodeWindow, notes: [(text: String, look: Style.Look)]) {
        // Before a passphrase is asked for that may then be of no use.
        let file = try options.identity.map { try IdentityFile(path: $0).loadOrCreate() }
        var configuration = NodeConfiguration()
        configuration.conversations = options.configuration
        configuration.reconnection = options.reconnection(isTerminal: Console.availableKind(context) != nil)
        configuration.name = options.name
        adjust(&configuration.conversations)
        if options.incognito { return try await incognito(options, file?.identity, context, configuration) }

        configuration.identity = file.map { NodeConfiguration.OwnIdentity($0.identity) }
        var notes: [(text: String, look: Style.Look)] = []
        if let (_, isNew) = file, isNew, let path = options.identity {
            notes.append(("A new identity was made for you: \(path.shown)", .good))
        }
        let window = try await NodeWindow.open(options.store, .creating, in: context, configuration: configuration)
        if window.own == nil {
            do {
                try await check(options, file?.identity, window.access)
            } catch {
                await window.close(in: context)
                throw error
            }
        }
        return (window, notes)
    }

    /// Makes sure that a node of another process is who this one is to be, and can do what is asked of it. What one conversation
    /// can have for itself goes with the request.
    private static func check(
        _ options: EndpointOptions, _ identity: Identity?, _ node: any NodeAccess
    ) async throws {
        // Conversations outlive the window that begins them, so how long they are kept up is the node's.
        if options.reconnect != nil { throw Failure(.reconnectionOfAnother) }
        let own = try await node.ask(GetSelf())
        if let identity, own.publicKey.key != identity.publicKey { throw Failure(.otherIdentity) }
    }

    private static func incognito(
        _ options: EndpointOptions, _ file: Identity?, _ context: CommandContext, _ settings: NodeConfiguration
    ) async throws -> (NodeWindow, notes: [(text: String, look: Style.Look)]) {
        let opener = try StoreOpener(options.store, context)
        var notes: [(text: String, look: Style.Look)] = [("Incognito: nothing is kept of this conversation.", .faint)]
        if let remote = try await RemoteNode.connect(to: opener.location) {
            do {
                if remote.isLocked { try await opener.unlock(remote) }
                try await remote.goIncognito(name: options.name)
                try await check(options, file, remote)
            } catch {
                await remote.close()
                throw error
            }
            return (NodeWindow(access: remote, own: nil), notes)
        }
        var configuration = settings
        configuration.leavesNoTrace = true
        // What leaves no trace is delivered when it is written, and not before.
        configuration.conversations.acknowledgesWhenTaken = true
        let store = try await opener.openForReading()
        let current = try await store?.currentIdentity()
        let identity = try file ?? current?.privateKey ?? .generate(.ed25519)
        if file == nil, current?.privateKey == nil {
            notes.append(("You have no identity yet, so this one is made for this conversation only.", .faint))
        }
        configuration.identity = NodeConfiguration.OwnIdentity(
            identity, succession: try await store?.succession(to: identity.publicKey) ?? Succession.none)
        if options.name == nil, file == nil, let name = current?.name, !name.isEmpty { configuration.name = name }
        // Whom the person knows is known here too; what is learned of them is gone with the conversation.
        let memory = if let store { try await Store.inMemory(knowingPeersOf: store) } else { try Store.inMemory() }
        try await store?.close()
        return (await NodeWindow.own(Node(store: memory, configuration: configuration), at: nil, in: context), notes)
    }
}
