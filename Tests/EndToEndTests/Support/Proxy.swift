import Foundation
import KamuneSystem
import Synchronization

/// A network between two programs that can fail: carries TCP connections to a port, and loses them when it is told to.
final class Proxy: Sendable {
    private struct State {
        var target: UInt16
        var isOpen = true
        /// The two ends of each connection.
        var connections: [(Int32, Int32)] = []
    }

    let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>

    var address: String { "127.0.0.1:\(port)" }

    init(to target: UInt16) throws {
        listener = try Server.listen()
        port = Server.port(of: listener)
        state = Mutex(State(target: target))
        Thread.detachNewThread { [listener, weak self] in
            while true {
                let near = accept(listener, nil, nil)
                guard near >= 0 else { return }
                guard let self else {
                    close(near)
                    return
                }
                self.carry(near)
            }
        }
    }

    deinit {
        cut()
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// Loses all connections, as when a router restarts: both sides see them end without a goodbye.
    func cut() {
        state.withLock { state in
            for (near, far) in state.connections {
                shutdown(near, Int32(SHUT_RDWR))
                shutdown(far, Int32(SHUT_RDWR))
            }
        }
    }

    /// Whether new connections are carried; else they are closed at once.
    var isOpen: Bool {
        get { state.withLock { $0.isOpen } }
        set { state.withLock { $0.isOpen = newValue } }
    }

    /// Carries new connections to another port.
    func redirect(to target: UInt16) { state.withLock { $0.target = target } }

    private func carry(_ near: Int32) {
        let target = state.withLock { $0.isOpen ? $0.target : nil }
        guard let target, let far = Server.connect(to: target) else {
            close(near)
            return
        }
        state.withLock { $0.connections.append((near, far)) }
        let halves = Halves()
        for (source, sink) in [(near, far), (far, near)] {
            Thread.detachNewThread { [weak self] in
                Self.copy(source, sink)
                guard halves.finishedOne() else { return }
                self?.state.withLock { $0.connections.removeAll { $0 == (near, far) } }
                close(near)
                close(far)
            }
        }
    }

    /// Counts the directions of a connection that are done.
    private final class Halves: Sendable {
        private let count = Mutex(0)

        /// Whether it was the last one.
        func finishedOne() -> Bool {
            count.withLock { count in
                count += 1
                return count == 2
            }
        }
    }

    private static func copy(_ source: Int32, _ sink: Int32) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let count = systemRead(source, buffer)
            guard count > 0 else { break }
            var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            while !rest.isEmpty {
                let written = systemWrite(sink, rest)
                guard written > 0 else {
                    shutdown(source, Int32(SHUT_RDWR))
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
        shutdown(sink, Int32(SHUT_WR))
    }
}
