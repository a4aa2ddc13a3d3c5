import Foundation
import Kamune
import KamuneStore
import KamuneSystem
import Testing

@testable import KamuneNode

/// A node over a store in a file, served at its socket as a command serves it.
final class Household: Sendable {
    let location: StoreLocation
    let node: Node
    let server: NodeServer

    private init(_ location: StoreLocation, _ node: Node, _ server: NodeServer) {
        (self.location, self.node, self.server) = (location, node, server)
    }

    /// A place for a store of its own.
    static func place() -> StoreLocation {
        StoreLocation(path: "/tmp/kamune-node-\(UUID().uuidString)/kamune.db").resolved
    }

    /// Opens a house, lends it, and closes it.
    static func with<Result>(
        _ configuration: NodeConfiguration = .init(), _ body: (Household) async throws -> Result
    ) async throws -> Result {
        let location = place()
        defer { try? FileManager.default.removeItem(atPath: (location.path as NSString).deletingLastPathComponent) }
        let store = try await Store.openOrCreate(at: location, credential: .unprotected)
        let node = Node(store: store, configuration: configuration)
        let server = try await NodeServer.start(node, at: location)
        let result: Result
        do {
            result = try await body(Household(location, node, server))
        } catch {
            await server.close()
            await node.close()
            throw error
        }
        await server.close()
        await node.close()
        return result
    }

    /// A window through the socket.
    func remote() async throws -> RemoteNode {
        try #require(try await RemoteNode.connect(to: location))
    }

    /// A window in this process.
    func local() async -> LocalNode { await LocalNode.open(node) }

    /// Somebody whom the person has accepted.
    func contact(_ name: String) async throws -> ContactID {
        ContactID(try await node.store.accept(try Identity.generate().publicKey, name: name, at: Date()).id)
    }
}

/// How one looks through a node.
enum Way: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case inProcess, throughSocket

    var testDescription: String { rawValue }

    func open(_ house: Household) async throws -> any NodeAccess {
        switch self {
        case .inProcess: await house.local()
        case .throughSocket: try await house.remote()
        }
    }
}

extension NodeAccess {
    /// The next event of which `find` makes something; nil when there are no more.
    func next<Found>(_ find: (NodeEvent) -> Found?) async -> Found? {
        for await event in events {
            if let found = find(event) { return found }
        }
        return nil
    }

    /// Why a request is refused; nil when it is not.
    func refusal<Request: NodeRequest>(of request: Request) async -> NodeError.Code? {
        do throws(NodeError) {
            _ = try await ask(request)
            return nil
        } catch {
            return error.code
        }
    }
}
