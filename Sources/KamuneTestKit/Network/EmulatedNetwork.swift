import Foundation

/// Two hosts, each with a network stack of its own in the kernel, and an emulated link between them: for real TCP and UDP.
///
/// The hosts are network namespaces with nothing in them but this link. They end with the link's program and what runs in
/// them, also when a test crashes; nothing on the machine's own network is touched.
///
/// ```swift
/// let network = try await EmulatedNetwork(program: path, link: "delay=25ms loss=1%")
/// let commandLine = network.command(["kamune", "listen", "0.0.0.0:9000"], on: .second)
/// print(commandLine)
/// try await network.setLink("delay=400ms")
/// ```
///
/// Linux only, with the right to make namespaces and TUN devices; see ``obstacle``.
public final class EmulatedNetwork: Sendable {
    /// One of the two.
    public enum Host: Int, Sendable, CaseIterable {
        /// By convention the one that dials.
        case first
        /// By convention the one that listens.
        case second

        /// Its IPv4 address.
        public var address: String { "10.77.0.\(rawValue + 1)" }
        /// Its IPv6 address, without brackets.
        public var addressIPv6: String { "fd77::\(rawValue + 1)" }
    }

    /// Which way the datagrams of a change go.
    public enum Direction: String, Sendable {
        /// From the first host to the second.
        case forward
        /// From the second to the first.
        case backward
        /// Both.
        case both
    }

    /// Why a network could not be made or changed.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// What went wrong.
        public let description: String
    }

    private let link: PipedProcess
    private let turns = Turns()
    private let holders: [Int32]

    /// Makes the two hosts and the link.
    ///
    /// - Parameters:
    ///   - program: The path of `KamuneNetworkLab`.
    ///   - link: What the link does in each direction, as ``LinkConditions/init(parsing:)`` reads it.
    ///   - seed: Of the link's chances.
    ///   - congestionControl: Which one TCP uses on both hosts, as the kernel calls it. The kernel's default differs
    ///     between machines.
    ///   - timeLimit: After how many seconds the network ends by itself.
    public init(
        program: String, link: String, seed: UInt64 = 1, congestionControl: String = "cubic", timeLimit: Int = 300
    ) async throws {
        self.link = try PipedProcess(
            Self.unsharing + [
                program, "link", link, "--seed", "\(seed)", "--congestion-control", congestionControl,
                "--time-limit", "\(timeLimit)",
            ])
        let words = (await self.link.nextLine() ?? "nothing").split(separator: " ")
        guard words.first == "ready", words.count == 3, let first = Int32(words[1]), let second = Int32(words[2]) else {
            throw Failure(description: "The link says: \(words.joined(separator: " "))")
        }
        holders = [first, second]
    }

    /// The command line that runs another one on a host.
    public func command(_ arguments: [String], on host: Host) -> [String] {
        let directory = "/proc/\(holders[host.rawValue])/ns"
        // Without privileges the namespaces belong to a user namespace, in which we are root.
        let user = Self.isPrivileged ? [] : ["--user=\(directory)/user", "--preserve-credentials"]
        return ["nsenter"] + user + ["--net=\(directory)/net", "--"] + arguments
    }

    // MARK: While it runs

    /// Changes what the link does. Datagrams that are under way arrive as they would have.
    ///
    /// - Parameter link: As ``LinkConditions/init(parsing:)`` reads it.
    public func setLink(_ link: String, _ direction: Direction = .both) async throws {
        _ = try await tell("\(direction.rawValue) \(link)")
    }

    /// Lets nothing into the link for a while, from now on.
    public func blackOut(for time: Duration, _ direction: Direction = .both) async throws {
        let milliseconds = time.components.seconds * 1_000 + time.components.attoseconds / 1_000_000_000_000_000
        _ = try await tell("blackout \(direction.rawValue) \(milliseconds)")
    }

    /// Puts a NAT before the first host, or has it forget what it knows: from now on, the second host sees the first one's
    /// datagrams come from other ports, and what it sends to the former ones is lost. TCP is let alone.
    public func renumberPorts() async throws {
        _ = try await tell("renumber")
    }

    /// What the link has done so far, in both directions.
    public func statistics() async throws -> LinkStatistics {
        try JSONDecoder().decode(LinkStatistics.self, from: Data(try await tell("statistics").utf8))
    }

    private func tell(_ line: String) async throws -> String {
        try await turns.take { [link] in
            link.write(line: line)
            guard let answer = await link.nextLine() else { throw Failure(description: "The link has ended.") }
            guard !answer.hasPrefix("error") else { throw Failure(description: answer) }
            return answer
        }
    }

    // MARK: Whether it is possible

    /// Why this machine does not allow emulated networks; nil if it does.
    public static let obstacle: String? = findObstacle()

    private static let isPrivileged = geteuid() == 0
    private static let unsharing = ["unshare"] + (isPrivileged ? [] : ["--map-root-user"]) + ["--net", "--"]

    private static func findObstacle() -> String? {
        #if os(Linux)
        let descriptor = open("/dev/net/tun", O_RDWR)
        guard descriptor >= 0 else { return "/dev/net/tun cannot be opened." }
        close(descriptor)
        // What setting up does later, but for the addresses.
        let script =
            "exec 2>/dev/null; command -v nsenter && ip link set lo up && unshare --net ip link && ip tuntap add kamune9 mode tun"
        guard PipedProcess.run(unsharing + ["sh", "-c", script]) != nil else {
            return
                "Network namespaces with TUN devices cannot be made: rights, “unshare”, “nsenter” or “ip” are missing."
        }
        return nil
        #else
        return "Network namespaces are a thing of Linux."
        #endif
    }
}

/// Lets one after the other talk with the link.
private actor Turns {
    private var last: Task<Void, Never>?

    func take(_ body: @escaping @Sendable () async throws -> String) async throws -> String {
        let before = last
        let turn = Task {
            await before?.value
            return try await body()
        }
        last = Task { _ = try? await turn.value }
        return try await turn.value
    }
}

/// What a link has done so far, in both directions together.
public struct LinkStatistics: Sendable, Hashable, Codable {
    /// Packets that came to the link.
    public var sent = 0
    /// Packets that it has delivered, duplicates included.
    public var delivered = 0
    /// Packets lost by chance, by blackout, or at a NAT.
    public var lost = 0
    /// Packets dropped because the queue was full.
    public var overflowed = 0
    /// Packets that the kernel dropped before the link could read them or would not take from it: a failure of the
    /// emulation.
    public var dropped = 0
    /// The most that a packet was delivered too late, in microseconds: a failure of the emulation too.
    public var worstLateness: UInt64 = 0

    /// Nothing yet.
    public init() {}
}
