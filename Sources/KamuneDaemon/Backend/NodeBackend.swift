import Foundation
import Kamune
import KamuneCrypto
import KamuneNode
import KamuneStore
import KamuneSystem

/// Opens stores as nodes: the one that has the store already, or one of this process, through which others may look too.
public struct NodeBackend: DaemonBackend {
    /// How long a program that has just taken the store, or is about to let go of it, may take to answer.
    private static let patience = Duration.seconds(5)
    private static let interval = Duration.milliseconds(50)

    private let environment: DaemonEnvironment?

    /// - Parameter environment: Of the protocol on the socket of a node of this process; without it, that speaks the node's
    ///   vocabulary only.
    public init(environment: DaemonEnvironment? = nil) { self.environment = environment }

    /// That of the node.
    public var vocabulary: Set<String> { Set(NodeVocabulary.requests.map { $0.name }) }

    /// Opens a store, or makes one where there is nothing.
    public func open(path: String, passphrase: JSONSecret?) async throws(DaemonError) -> any DaemonStorage {
        let location = StoreLocation(path: path)
        if GoStorageFile.isOne(at: location.resolved.path) {
            throw Self.failure(
                "\(Quoted(path)) is a storage file of the Go daemon, which this one does not read; name another file.")
        }
        do {
            return try await NodeStorage.over(try await access(to: location, passphrase), at: location)
        } catch let error as DaemonError {
            throw error
        } catch let error as NodeError {
            throw Self.failure(error.message)
        } catch let error as StoreError {
            throw Self.failure("\(error)")
        } catch {
            throw Self.failure("the task was cancelled")
        }
    }

    private static func failure(_ reason: String) -> DaemonError {
        DaemonError(.storageOpenFailed, "failed to open storage: \(reason)")
    }

    private func access(to location: StoreLocation, _ passphrase: JSONSecret?) async throws -> NodeStorage.Access {
        let time = SystemTime()
        let deadline = time.monotonic + Self.patience
        while true {
            if let remote = try await RemoteNode.connect(to: location) {
                guard remote.isLocked else { return .remote(remote) }
                do {
                    guard let passphrase else { throw StoreError.passphraseRequired }
                    try await remote.unlock(passphrase.bytes.copy())
                    return .remote(remote)
                } catch {
                    await remote.close()
                    throw error
                }
            }
            do {
                // Whoever has mistyped waits, by whichever program.
                try await time.sleep(for: Store.delay(afterFailures: Store.passphraseFailures(at: location)))
                let store = try await Store.openOrCreate(
                    at: location, credential: passphrase.map { .passphrase($0.bytes.copy()) } ?? .unprotected)
                let node = Node(store: store, configuration: .ofDaemon)
                let dialect = environment.map { SocketDialect($0) { node } }
                let server = try? await NodeServer.start(node, at: location, dialect: dialect)
                return .own(node, await LocalNode.open(node), server)
            } catch StoreError.inUse(let process) {
                // It may be about to serve, or to end.
                guard time.monotonic < deadline else { throw StoreError.inUse(process: process) }
                try await time.sleep(for: Self.interval)
            }
        }
    }
}

extension NodeConfiguration {
    /// That of a node which a daemon makes: a person may take as long to look at a fingerprint as the protocol lets them, and
    /// who is lost is dialed as often as it says.
    static var ofDaemon: NodeConfiguration {
        var configuration = NodeConfiguration()
        configuration.conversations.handshakeTimeout = DaemonLimits.verification + .seconds(10)
        configuration.reconnection.maximumAttempts = DaemonLimits.reconnectionAttempts
        configuration.reconnection.maximumDelay = .seconds(30)
        configuration.reconnection.patience = .seconds(180)
        return configuration
    }
}

/// The storage files of the Go daemon, which is kept by bbolt.
enum GoStorageFile {
    /// What stands in the first page after its header (go.etcd.io/bbolt, `db.go`: `magic`), in the machine's order.
    private static let magic: UInt32 = 0xed0c_daed
    private static let offset = 16

    static func isOne(at path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { systemClose(descriptor) }
        var found: UInt32 = 0
        let count = withUnsafeMutableBytes(of: &found) { pread(descriptor, $0.baseAddress, $0.count, off_t(offset)) }
        return count == 4 && (found == magic || found == magic.byteSwapped)
    }
}
