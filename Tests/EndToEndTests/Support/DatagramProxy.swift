import Foundation
import KamuneSystem
import Synchronization

/// A network between two programs that talk over UDP, which can fail: carries datagrams to a port, and loses them, or forgets
/// from where they came, when it is told to.
final class DatagramProxy: Sendable {
    private struct State {
        var target: UInt16
        var isOpen = true
        var losses = 0
        /// Goes up whenever the ways are forgotten.
        var generation = 0
        var isOver = false
    }

    /// The way of one who has sent something: where it came from, and the socket at which answers come.
    private struct Way {
        let source: sockaddr_in
        let far: Int32
    }

    /// How long the thread waits until it looks whether it is to end; nothing else waits for it.
    private static let pause: Int32 = 50
    /// The most that a datagram holds.
    private static let datagramSize = 65_536

    let port: UInt16
    private let near: Int32
    private let state: Mutex<State>

    var address: String { "127.0.0.1:\(port)" }

    init(to target: UInt16) throws {
        near = try Self.socketOnLoopback()
        port = Server.port(of: near)
        state = Mutex(State(target: target))
        Thread.detachNewThread { [near, weak self] in
            var ways: [Way] = []
            var generation = 0
            while let self, self.carry(&ways, &generation) {}
            for way in ways { close(way.far) }
            close(near)
        }
    }

    /// Ends it.
    func stop() { state.withLock { $0.isOver = true } }

    /// Loses the next datagrams, whichever way they go.
    func lose(_ count: Int) { state.withLock { $0.losses += count } }

    /// Forgets who talks with whom, as a router does that restarts: what comes goes out from another port, and what comes back
    /// to the former one is lost.
    func cut() { state.withLock { $0.generation += 1 } }

    /// Whether anything is carried.
    var isOpen: Bool {
        get { state.withLock { $0.isOpen } }
        set { state.withLock { $0.isOpen = newValue } }
    }

    /// Carries everything to another port.
    func redirect(to target: UInt16) {
        state.withLock { state in
            state.target = target
            state.generation += 1
        }
    }

    private static func socketOnLoopback() throws -> Int32 {
        let descriptor = socket(AF_INET, SocketType.datagram, 0)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = Server.loopback(port: 0)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, code == 0 else { throw POSIXError(.EADDRINUSE) }
        return descriptor
    }

    // MARK: The thread

    /// Carries what there is. False when it is over.
    private func carry(_ ways: inout [Way], _ generation: inout Int) -> Bool {
        let now = state.withLock { $0 }
        if now.isOver { return false }
        if now.generation != generation {
            for way in ways { close(way.far) }
            (ways, generation) = ([], now.generation)
        }
        var files = ([near] + ways.map(\.far)).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&files, nfds_t(files.count), Self.pause) > 0 else { return true }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.datagramSize, alignment: 1)
        defer { buffer.deallocate() }
        for (index, file) in files.enumerated() where file.revents != 0 {
            if index == 0 { carryOut(buffer, &ways) } else { carryBack(buffer, ways[index - 1]) }
        }
        return true
    }

    /// Whether a datagram passes.
    private func passes() -> Bool {
        state.withLock { state in
            guard state.isOpen else { return false }
            if state.losses > 0 {
                state.losses -= 1
                return false
            }
            return true
        }
    }

    private func carryOut(_ buffer: UnsafeMutableRawBufferPointer, _ ways: inout [Way]) {
        var source = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &source) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(near, buffer.baseAddress, buffer.count, SendFlags.withoutWaiting, $0, &size)
            }
        }
        guard count >= 0, passes() else { return }
        let known = ways.first { $0.source.sin_port == source.sin_port }
        guard let way = known ?? open(from: source) else { return }
        if known == nil { ways.append(way) }
        _ = systemWrite(way.far, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    private func open(from source: sockaddr_in) -> Way? {
        guard let far = try? Self.socketOnLoopback() else { return nil }
        var target = Server.loopback(port: state.withLock { $0.target })
        _ = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                systemConnect(far, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return Way(source: source, far: far)
    }

    private func carryBack(_ buffer: UnsafeMutableRawBufferPointer, _ way: Way) {
        // That nobody is there (ECONNREFUSED) is taken away by reading it, or was by what was sent meanwhile.
        let count = recv(way.far, buffer.baseAddress, buffer.count, SendFlags.withoutWaiting)
        guard count >= 0, passes() else { return }
        var source = way.source
        _ = withUnsafePointer(to: &source) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(near, buffer.baseAddress, count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
