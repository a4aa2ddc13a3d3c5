import Foundation
import KamuneCrypto
import KamuneStore
import KamuneSystem
import KamuneTransport
import Synchronization

/// The connections of a listener that are in their handshake: aborts those for which the ``AdmissionMachine`` has no place.
final class Admission: Sendable {
    private typealias Machine = AdmissionMachine<PublicIdentity>

    private struct State {
        var machine: Machine
        var connections: [UInt64: any Connection] = [:]
        var random = SystemRandomSource()

        mutating func take(_ dropped: [UInt64]) -> [any Connection] {
            dropped.compactMap { connections.removeValue(forKey: $0) }
        }
    }

    /// Each connection may take two files; so handshakes never take more than half of those that may be open.
    private static let shareOfOpenFiles: UInt64 = 4

    private let state: Mutex<State>

    init(_ configuration: Configuration) {
        let openFiles = systemOpenFileLimit()?.current ?? .max
        let places = min(configuration.maximumPendingHandshakes, Int(clamping: openFiles / Self.shareOfOpenFiles))
        let limits = Machine.Limits(places: places, unproven: configuration.udp.unprovenLimit)
        state = Mutex(State(machine: Machine(limits: limits)))
    }

    /// Gives a connection a place, for which another may have to go.
    func admit(_ connection: any Connection) -> Place {
        let (id, dropped) = state.withLock { state in
            let (id, dropped) = state.machine.connected(
                from: connection.info.remoteNetwork, isAddressProven: connection.info.isAddressProven,
                using: &state.random)
            state.connections[id] = connection
            return (id, state.take(dropped))
        }
        for connection in dropped { connection.abort() }
        return Place(admission: self, id: id)
    }

    /// Lets somebody go when the system can take no more.
    func makeRoom() {
        let dropped = state.withLock { state in
            state.machine.exhausted(using: &state.random).map { state.take([$0]) }
        }
        for connection in dropped ?? [] { connection.abort() }
    }

    /// Lets all of them go.
    func abortAll() {
        let connections = state.withLock { $0.connections.values.map { $0 } }
        for connection in connections { connection.abort() }
    }

    /// How many are in their handshake now.
    var count: Int { state.withLock { $0.machine.count } }

    private func note(
        _ id: UInt64, _ event: (inout Machine, inout SystemRandomSource) -> [UInt64]
    ) -> Bool {
        let (isKept, dropped) = state.withLock { state in
            let dropped = event(&state.machine, &state.random)
            let connections = state.take(dropped.filter { $0 != id })
            // Whoever drives this one closes it, and may have a word for it.
            if dropped.contains(id) { state.connections[id] = nil }
            return (state.connections[id] != nil, connections)
        }
        for connection in dropped { connection.abort() }
        return isKept
    }

    /// The place of one connection.
    struct Place: Sendable {
        fileprivate let admission: Admission
        fileprivate let id: UInt64

        /// Notes how far the handshake has come. False when the connection has lost its place, by that or before.
        func reached(_ milestone: HandshakeMilestone) -> Bool {
            admission.note(id) { machine, random in
                switch milestone {
                case .introduced(let identity, let isKnown):
                    machine.introduced(id, as: identity, isKnown: isKnown, using: &random)
                case .resuming(let identity):
                    machine.resumed(id, as: identity, using: &random)
                case .proven:
                    machine.proved(id, using: &random)
                }
            }
        }

        /// Gives the place back. False when it had been lost.
        @discardableResult
        func leave() -> Bool {
            admission.state.withLock { state in
                state.machine.finished(id)
                return state.connections.removeValue(forKey: id) != nil
            }
        }
    }
}

/// What a peer has shown in a handshake, for whoever decides who may go on with his.
enum HandshakeMilestone: Sendable {
    /// A valid introduction, perhaps a copy of an old one.
    case introduced(PublicIdentity, isKnown: Bool)
    /// A token of a session of ours with this identity, which is spent now.
    case resuming(PublicIdentity)
    /// That it holds the key of the identity that it claims.
    case proven
}

extension KamuneError {
    /// Others have taken the place of a connection that was in its handshake.
    static var crowdedOut: KamuneError {
        KamuneError(.overloaded, "Too many connect at the same time, and this one had to make room. Try again.")
    }
}

extension SessionArchive {
    /// The key of the person who introduces themselves so, if we know them and would ask nobody about them.
    func knownKey(of peer: Peer, at now: Date) async -> PublicIdentity? {
        let recognition = try? await store.recognize(
            peer.identity, name: peer.name, formerKeys: peer.formerKeys, at: now)
        guard case .known(let known) = recognition?.standing else { return nil }
        return known.key
    }
}
