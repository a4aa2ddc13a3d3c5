#if canImport(Glibc)
import Foundation
import KamuneSystem
import KamuneTestKit

/// Carries packets between two TUN devices as the two directions of a ``SimulatedLink`` say, on one thread and the real
/// clock.
struct LinkEmulator {
    private let hosts: EmulatedHosts
    /// From the first host to the second, and back.
    private var links: [SimulatedLink]
    private var statistics = LinkStatistics()
    /// A NAT before the first host, from when it is first told to forget.
    private var translator: PortTranslator?
    private var control = ControlInput()

    /// Packets read from one device before the other has its turn.
    private static let batch = 64
    /// What may be under way in one direction, when the link does not say.
    private static let capacity = 64 << 20

    init(hosts: EmulatedHosts, conditions: LinkConditions, seed: UInt64) {
        self.hosts = hosts
        links = [seed, ~seed].map { SimulatedLink(conditions: Self.bounded(conditions), seed: $0) }
    }

    private static func bounded(_ conditions: LinkConditions) -> LinkConditions {
        var conditions = conditions
        // The packets have their headers with them.
        conditions.headerSize = 0
        conditions.capacity = min(conditions.capacity, capacity)
        return conditions
    }

    /// Runs until standard input ends, or the time is over.
    mutating func run(forSeconds limit: UInt64) throws {
        Self.askForPrecision()
        control.answer("ready " + hosts.processIDs.map(String.init).joined(separator: " "))
        let end = Self.now() + limit * 1_000_000
        while Self.now() < end {
            var mayHaveMore = false
            for side in 0..<2 where take(from: side) { mayHaveMore = true }
            deliver()
            guard try wait(until: mayHaveMore ? 0 : min(links.compactMap(\.nextArrivalTime).min() ?? end, end)) else {
                continue
            }
            while let line = control.nextLine() { control.answer(obey(line)) }
            if control.isEnded { return }
        }
    }

    private mutating func take(from side: Int) -> Bool {
        for _ in 0..<Self.batch {
            guard var packet = hosts.devices[side].read() else { return false }
            statistics.sent += 1
            if side == 0 {
                translator?.outgoing(&packet)
            } else if translator?.incoming(&packet) == false {
                statistics.lost += 1
                continue
            }
            links[side].send(packet, at: Self.now())
        }
        return true
    }

    private mutating func deliver() {
        for side in 0..<2 {
            let now = Self.now()
            while let arrival = links[side].receive(at: now) {
                statistics.worstLateness = max(statistics.worstLateness, now - arrival.time)
                if hosts.devices[1 - side].write(arrival.datagram) {
                    statistics.delivered += 1
                } else {
                    statistics.dropped += 1
                }
            }
        }
    }

    // MARK: Time

    /// Microseconds of a clock that never goes back.
    private static func now() -> UInt64 { SystemTime.machineNanoseconds / 1_000 }

    /// Waits for packets, lines or a time.
    ///
    /// - Returns: Whether there is something on standard input.
    private func wait(until time: UInt64) throws -> Bool {
        let now = Self.now()
        let rest = time > now ? time - now : 0
        var timeout = timespec(tv_sec: Int(rest / 1_000_000), tv_nsec: Int(rest % 1_000_000) * 1_000)
        // The only wait of POSIX with nanoseconds. A set is a field of bits, the lowest descriptor first.
        var set = fd_set()
        let descriptors = [STDIN_FILENO] + hosts.devices.map(\.descriptor)
        let code = withUnsafeMutableBytes(of: &set) { bits in
            for descriptor in descriptors { bits[Int(descriptor) / 8] |= 1 << (descriptor % 8) }
            return bits.withMemoryRebound(to: fd_set.self) {
                pselect((descriptors.max() ?? 0) + 1, $0.baseAddress, nil, nil, &timeout, nil)
            }
        }
        if code < 0, errno != EINTR { throw POSIXFailure("waiting for packets") }
        return code > 0 && withUnsafeBytes(of: &set) { $0[0] & 1 == 1 }
    }

    /// Asks the kernel to wake us exactly and before others; as far as it lets us.
    private static func askForPrecision() {
        try? "1".write(toFile: "/proc/self/timerslack_ns", atomically: false, encoding: .utf8)
        // Before all others: a thread that waits most of the time does no harm so.
        var parameters = sched_param(sched_priority: 10)
        _ = sched_setscheduler(0, SCHED_FIFO, &parameters)
        ResidentProcess.stay()
    }

    // MARK: Lines

    private mutating func obey(_ line: String) -> String {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        do {
            switch words.first {
            case "statistics":
                var total = statistics
                total.lost = links.reduce(0) { $0 + $1.lostCount }
                total.overflowed = links.reduce(0) { $0 + $1.overflowCount }
                total.dropped += hosts.droppedPackets()
                let encoder = JSONEncoder()
                encoder.outputFormatting = .sortedKeys
                return String(decoding: try encoder.encode(total), as: UTF8.self)
            case "renumber":
                translator = translator ?? PortTranslator()
                translator?.forget()
                return "ok"
            case "blackout":
                let parts = (words.last ?? "").split(separator: " ").map(String.init)
                guard parts.count == 2, let time = UInt64(parts[1]), time <= 86_400_000 else {
                    return "error: blackout DIRECTION MILLISECONDS"
                }
                let now = Self.now()
                for side in try sides(parts[0]) { links[side].conditions.blackouts = [now..<now + time * 1_000] }
                return "ok"
            case .some(let direction):
                let conditions = Self.bounded(try LinkConditions(parsing: words.count > 1 ? words[1] : ""))
                for side in try sides(direction) { links[side].conditions = conditions }
                return "ok"
            case nil:
                return "error: an empty line"
            }
        } catch {
            return "error: \(error)"
        }
    }

    private func sides(_ name: String) throws -> [Int] {
        switch EmulatedNetwork.Direction(rawValue: name) {
        case .forward: [0]
        case .backward: [1]
        case .both: [0, 1]
        case nil: throw EmulatorFailure("“\(name)” is no direction")
        }
    }
}

/// Lines from standard input, read when there is something, and answers.
private struct ControlInput {
    private var bytes: [UInt8] = []
    private(set) var isEnded = false

    /// The longest line; more is nobody of ours.
    private static let lineLimit = 4_096

    /// The next whole line. Reads once, which does not wait after the descriptor was found ready.
    mutating func nextLine() -> String? {
        if let line = takeLine() { return line }
        guard !isEnded, isReady else { return nil }
        var part = [UInt8](repeating: 0, count: 1_024)
        let count = part.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
        if count == 0 || bytes.count > Self.lineLimit { isEnded = true }
        if count > 0 { bytes += part[..<count] }
        return takeLine()
    }

    private var isReady: Bool {
        var entry = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    private mutating func takeLine() -> String? {
        guard let end = bytes.firstIndex(of: 10) else { return nil }
        defer { bytes.removeSubrange(...end) }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    func answer(_ text: String) {
        let line = Array((text + "\n").utf8)
        // Nobody listens any more when this fails; then standard input ends too.
        _ = line.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
#endif
