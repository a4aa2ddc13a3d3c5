import Kamune
import KamuneDaemon
import KamuneNode
import KamuneSocket
import KamuneStore
import KamuneSystem
import KamuneTerminal

/// The node in the background, from its beginning to its end.
struct BackgroundNode {
    private let command: StartCommand
    private let context: CommandContext

    init(_ command: StartCommand, _ context: CommandContext) {
        self.command = command
        self.context = context
    }

    /// Serves until it is told to end.
    func run() async throws {
        let opener = try StoreOpener(command.store, context)
        let location = opener.location
        let descriptor = ActivatedSocket.descriptor { context.environment.text($0) }
        // Whoever waits at the socket that is this one's does not count.
        if descriptor == nil, let other = try await RemoteNode.connect(to: location) {
            await other.close()
            throw Failure(.runsAlready(process: other.process))
        }
        context.signals.concludeFirst()
        let signals = context.signals
        let onShutdown: @Sendable () -> Void = { signals.first.fulfill(SIGTERM) }
        let time = context.time
        let duties = NodeDuties(addresses: command.listen, context: context)
        let server: NodeServer
        do {
            let store = try await open(opener)
            opener.tell()
            let node = Node(store: store)
            await duties.begin(node)
            server = try await NodeServer.start(
                node, at: location, descriptor: descriptor, dialect: SocketDialect(.ofProgram) { node },
                onShutdown: onShutdown)
        } catch let failure as Failure where failure == StoreOpener.passphraseIsMissing {
            server = try await NodeServer.start(
                lockedAt: location, descriptor: descriptor,
                dialect: SocketDialect(.ofProgram) { await duties.openedNode() }, onShutdown: onShutdown
            ) { secret throws(NodeError) in
                let credential = StoreCredential.passphrase(secret.copy())
                // Whoever guesses through the socket waits as at the terminal.
                let delay = Store.delay(afterFailures: Store.passphraseFailures(at: location))
                if delay > .zero { try? await time.sleep(for: delay) }
                let store: Store
                do throws(StoreError) {
                    store = try await Store.open(at: location, credential: credential)
                } catch {
                    throw NodeError(error)
                }
                let node = Node(store: store)
                await duties.begin(node)
                return node
            }
        }
        _ = await signals.first.wait()
        await server.close()
        await duties.end()
    }

    /// Opens the store, if that needs nobody who types something.
    private func open(_ opener: StoreOpener) async throws -> Store {
        do {
            return try await opener.open(unattended: true)
        } catch StoreError.inUse(let process) {
            throw Failure(NodeWindow.whyNotFound(process, at: opener.location))
        }
    }
}

/// What the node in the background does by itself: it listens, and sends what waits.
actor NodeDuties {
    private let addresses: [String]
    private let context: CommandContext
    private var node: Node?
    private var window: LocalNode?

    /// Where it is kept on which addresses to listen.
    private static let setting = "node.addresses"

    init(addresses: [String], context: CommandContext) {
        self.addresses = addresses
        self.context = context
    }

    /// The node, once the store is open.
    func openedNode() -> Node? { node }

    /// Begins, now that the store is open.
    func begin(_ node: Node) async {
        self.node = node
        let window = await LocalNode.open(node)
        self.window = window
        await node.seekByItself()
        for address in await wanted(node) {
            do throws(NodeError) {
                _ = try await window.ask(Listen(on: AddressText.completed(address)))
            } catch {
                await node.noteUnavailable(address, error)
                context.tell("kamune: \(TerminalText(error.message, maximumColumns: TextLimit.sentence))")
            }
        }
    }

    /// Ends everything that was begun.
    func end() async {
        await window?.close()
        await node?.close()
    }

    /// Where to listen: as was said now, or the last time.
    private func wanted(_ node: Node) async -> [String] {
        if !addresses.isEmpty {
            try? await node.store.setTextSetting(Self.setting, to: addresses.joined(separator: "\n"))
        }
        let kept = try? await node.store.textSetting(Self.setting)
        let wanted = kept.map { $0.split(separator: "\n").map(String.init) } ?? [":\(AddressText.defaultPort)"]
        return wanted == ["none"] ? [] : wanted
    }
}
