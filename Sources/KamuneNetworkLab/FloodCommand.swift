import ArgumentParser
import Foundation
import Kamune
import KamuneSystem
import KamuneTestKit
import KamuneTransport
import Synchronization

/// `flood`: whether peers get through to a listener over UDP while datagrams from forged addresses begin conversations there.
struct FloodCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flood",
        abstract: "Dial a listener over UDP while others flood it, on this machine. Needs Linux, and no rights.")

    @Option(help: "How many bytes of datagrams come a second.")
    var rate = 100_000

    @Option(help: "How large each of them is; 25 is the smallest that begins a conversation.")
    var size = 25

    @Option(help: "From how many addresses.")
    var addresses = 200

    @Option(help: "How many sessions to dial, one after the other.")
    var sessions = 100

    @Option(help: "How long a dialer waits before it counts as kept out, in seconds.")
    var patience = 5

    func run() async throws {
        let listening = try Self.endpoint(patience: patience)
        let listener = try await listening.listen(on: "udp://127.0.0.1:0")
        let port = try Address(parsing: listener.address).port
        let accepting = Task {
            for try await session in listener { Task { await session.close() } }
        }
        print("| flood | sessions | established | handshake p50 | p99 | memory |")
        print("| --- | --- | --- | --- | --- | --- |")
        try await measure("none", listener.address)
        let flood = try Flood(rate: rate, size: size, addresses: addresses, port: port)
        try await measure("\(rate / 1000) KB/s of \(size) bytes", listener.address)
        flood.stop()
        await listener.close()
        accepting.cancel()
    }

    private func measure(_ name: String, _ address: String) async throws {
        let dialing = try Self.endpoint(patience: patience)
        var times: [Double] = []
        for _ in 0..<sessions {
            let start = SystemTime.machineNanoseconds
            guard let session = try? await dialing.dial(address) else { continue }
            times.append(Double(SystemTime.machineNanoseconds - start) / 1e6)
            await session.close()
        }
        let percentiles = Measurement.Percentiles(times)
        let memory = ResidentMemory.bytes >> 20
        print("| \(name) | \(sessions) | \(times.count) | \(percentiles.text) | \(memory) MiB |")
    }

    private static func endpoint(patience: Int) throws -> Endpoint {
        var configuration = Configuration()
        configuration.handshakeTimeout = .seconds(patience)
        return Endpoint(
            identity: try .generate(.ed25519), name: "flood", verifier: .anyone, configuration: configuration)
    }
}

extension Measurement.Percentiles {
    fileprivate var text: String {
        func milliseconds(_ value: Double) -> String { String(format: "%.1f ms", value) }
        return "\(milliseconds(median)) | \(milliseconds(p99))"
    }
}

/// A thread that begins one conversation after the other, from many addresses, and goes on with none.
private final class Flood: Sendable {
    private let isStopped = Mutex(false)

    init(rate: Int, size: Int, addresses: Int, port: UInt16) throws {
        let senders = (0..<max(addresses, 1)).compactMap { RawDatagrams(from: 0x1_0001 + UInt32($0), to: port) }
        guard let first = senders.first else { throw ProbeFailure("There are no addresses to send from.") }
        let datagram = Self.datagram(size: size)
        Thread.detachNewThread { [self] in
            var number: UInt32 = 0
            let start = SystemTime.machineNanoseconds
            while !isStopped.withLock({ $0 }) {
                let elapsed = SystemTime.machineNanoseconds - start
                while UInt64(number) * UInt64(size) * 1_000_000_000 < elapsed * UInt64(rate) {
                    number += 1
                    let sender = senders[Int(number) % senders.count]
                    sender.send(datagram(number))
                }
                usleep(500)
            }
            withExtendedLifetime(first) {}
        }
    }

    func stop() {
        isStopped.withLock { $0 = true }
    }

    /// Begins a conversation, with the length of the frame that the listener expects and then zeros.
    private static func datagram(size: Int) -> @Sendable (UInt32) -> [UInt8] {
        var datagram = [UInt8](repeating: 0, count: max(size, 25))
        let payload = UInt16(clamping: datagram.count - 24)
        datagram[4] = 81
        datagram[6] = 32
        datagram[20] = UInt8(truncatingIfNeeded: payload)
        datagram[21] = UInt8(truncatingIfNeeded: payload >> 8)
        datagram[24] = 0x04
        if datagram.count > 25 { datagram[25] = 0xC0 }
        return { [datagram] number in
            var numbered = datagram
            for byte in 0..<4 { numbered[byte] = UInt8(truncatingIfNeeded: number >> (8 * byte)) }
            return numbered
        }
    }
}
