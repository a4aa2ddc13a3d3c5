import Foundation
import Kamune
import KamuneCrypto
import KamuneNode
import KamuneSocket
import KamuneStore
import KamuneSystem

/// Measures a node that others look through: what a command takes that asks it, what one who reads nothing costs the others,
/// and what the node takes at rest.
///
/// The stores have no passphrase, so that no key derivation is measured. They are on the disk, in a folder of their own,
/// which is removed afterwards.
public struct NodeBenchmark: Sendable {
    /// The program that commands are run of.
    public var program: String
    /// How many contacts the person has.
    public var contacts: Int
    /// A factor on how often each thing is measured.
    public var effort: Double
    /// Told what is measured next.
    public var progress: @Sendable (String) -> Void

    /// How often a command is run, and how many messages are sent one by one in a turn.
    private static let commands = 30.0
    private static let messages = 400.0
    private static let turns = 3
    /// Of a message: so many of them are more than may wait for who does not read.
    private static let messageSize = 16 << 10
    /// How many contacts are connected to the node at rest.
    private static let connected = 10
    /// How long the node is left alone before it is watched, and how long it is watched then, in seconds.
    private static let settling = 5
    private static let resting = 20

    /// A benchmark of the node of a person with so many contacts.
    public init(
        program: String, contacts: Int = 100, effort: Double = 1,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        (self.program, self.contacts, self.effort, self.progress) = (program, contacts, effort, progress)
    }

    /// Runs everything. Takes about a minute.
    ///
    /// - Throws: ``BenchmarkFailure``, the node's or the store's errors, or what the system says when the folder cannot be
    ///   made.
    public func run() async throws -> BenchmarkReport {
        let folder = NSTemporaryDirectory() + "/kamune-bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let location = StoreLocation(path: folder + "/kamune.db")
        var friends: [Messenger] = []
        for number in 1...Self.connected {
            friends.append(
                try await Messenger.open(
                    at: StoreLocation(path: "\(folder)/\(number).db"), credential: .unprotected,
                    name: "Friend \(number)",
                    verifier: { _ in .anyone }))
        }
        let contact = try await fill(location, with: friends.map(\.endpoint.identity.publicKey))
        var report = BenchmarkReport()
        try await measureServing(location, contact, &report)
        try await measureRest(location, friends, &report)
        for friend in friends {
            await friend.shutDown()
            try await friend.store.close()
        }
        return report
    }

    /// Makes the store.
    ///
    /// - Returns: One of the contacts.
    private func fill(_ location: StoreLocation, with friends: [PublicIdentity]) async throws -> ContactID {
        let store = try await Store.create(at: location, credential: .unprotected)
        var last: ContactID?
        var keys = friends
        while keys.count < max(contacts, friends.count + 1) { keys.append(try Identity.generate().publicKey) }
        for (number, key) in keys.enumerated() {
            last = ContactID(try await store.accept(key, name: "Contact \(number + 1)", at: SystemTime().date).id)
        }
        try await store.close()
        guard let last else { throw BenchmarkFailure.holderFailed }
        return last
    }

    // MARK: Serving

    private func measureServing(
        _ location: StoreLocation, _ contact: ContactID, _ report: inout BenchmarkReport
    ) async throws {
        let node = Node(store: try await Store.open(at: location, credential: .unprotected))
        let server = try await NodeServer.start(node, at: location)
        progress("“peers list” through a node")
        var times: [Double] = []
        for _ in 0..<max(3, Int(Self.commands * effort)) {
            let start = CPUClock.wall
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = ["peers", "list", "--db", location.path]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            guard try await Self.succeeds(process) else { throw BenchmarkFailure.holderFailed }
            times.append(Double(CPUClock.wall - start) / 1_000_000)
        }
        let group = "A node with \(contacts) contacts"
        report.add(
            group, "“peers list” with a node running, from key to prompt, median", Sampling.median(times), "ms",
            goal: 30)
        progress("what a client costs the others who does not read")
        var (alone, beside) = (Double.infinity, Double.infinity)
        _ = try await sendingTimes(location, contact)
        for _ in 0..<Self.turns {
            alone = min(alone, Sampling.percentile(99, of: try await sendingTimes(location, contact)))
            let idler = try await Self.idler(location)
            beside = min(beside, Sampling.percentile(99, of: try await sendingTimes(location, contact)))
            await idler.end()
        }
        report.add(group, "a message of 16 KiB stored for a client, p99", alone / 1_000, "ms")
        report.add(
            group, "the same beside a client who reads nothing, p99", beside / 1_000, "ms", ratio: beside / alone,
            goal: 1.1)
        await server.close()
        await node.close()
    }

    private static func succeeds(_ process: Process) async throws -> Bool {
        try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus == 0) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
    }

    /// How long each of many messages took to be stored, in microseconds, while another client is told of all of them.
    private func sendingTimes(_ location: StoreLocation, _ contact: ContactID) async throws -> [Double] {
        let (sender, reader) = (try await Self.window(location), try await Self.window(location))
        _ = try await reader.ask(Subscribe(to: NodeClient.Subscription()))
        let reading = Task { while await !reader.events.next(atMost: 64).isEmpty {} }
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: Self.messageSize)
        var times: [Double] = []
        for _ in 0..<max(100, Int(Self.messages * effort)) {
            let start = CPUClock.wall
            _ = try await sender.ask(SendMessages(to: contact, bodies: [body]))
            times.append(Double(CPUClock.wall - start) / 1_000)
        }
        await sender.close()
        await reader.close()
        await reading.value
        return times
    }

    private static func window(_ location: StoreLocation) async throws -> RemoteNode {
        guard let window = try await RemoteNode.connect(to: location) else { throw BenchmarkFailure.holderFailed }
        return window
    }

    /// A client who wants to be told of everything, and reads nothing of it.
    private static func idler(_ location: StoreLocation) async throws -> LineConnection {
        for place in SocketLocation.candidates(for: location.resolved.path) {
            guard let connection = await LineClient.connect(to: place) else { continue }
            connection.send(NodeLine.request(Subscribe(to: NodeClient.Subscription()), id: "1"))
            return connection
        }
        throw BenchmarkFailure.holderFailed
    }

    // MARK: At rest

    private func measureRest(
        _ location: StoreLocation, _ friends: [Messenger], _ report: inout BenchmarkReport
    ) async throws {
        progress("a node at rest")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [
            "start", "--foreground", "--listen", "127.0.0.1:0", "--no-passphrase", "--db", location.path,
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        try await SystemTime().sleep(for: .seconds(Self.settling))
        let node = process.processIdentifier
        try await addFigures(of: node, "The same at rest, in a process of its own, nobody connected", &report)
        let window = try await Self.window(location)
        guard let address = try await window.ask(GetNodeStatus()).listeners.first?.address else {
            throw BenchmarkFailure.holderFailed
        }
        await window.close()
        var conversations: [Conversation] = []
        for friend in friends {
            conversations.append(try await friend.dial(address))
        }
        try await SystemTime().sleep(for: .seconds(Self.settling))
        try await addFigures(of: node, "The same, \(conversations.count) of them connected", &report)
        // A conversation that nobody holds closes itself.
        for conversation in conversations { await conversation.close() }
    }

    /// Watches a process for a while.
    private func addFigures(of process: Int32, _ group: String, _ report: inout BenchmarkReport) async throws {
        guard let before = ProcessFigures(of: process) else { return }
        let start = CPUClock.wall
        try await SystemTime().sleep(for: .seconds(Self.resting))
        guard let after = ProcessFigures(of: process) else { throw BenchmarkFailure.holderFailed }
        let share = (after.cpu - before.cpu) / (Double(CPUClock.wall - start) / 1_000_000_000)
        report.add(group, "processor", share * 100, "% of a core", goal: 0.1)
        report.add(group, "memory, resident", after.resident, "MiB", goal: 40)
        report.add(group, "memory, anonymous", after.anonymous, "MiB", goal: 8)
    }
}

/// What a process takes, where the system tells it in files (proc(5)).
private struct ProcessFigures {
    /// The processor time so far, in seconds.
    let cpu: Double
    /// In MiB.
    let resident: Double
    let anonymous: Double

    /// The unit of times in `/proc`, `USER_HZ`.
    private static let ticks = 100.0

    init?(of process: Int32) {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let statistics = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            // The program's name, which is in parentheses, may hold anything.
            let end = statistics.lastIndex(of: ")")
        else { return nil }
        func kibibytes(_ name: String) -> Double? {
            status.split(separator: "\n").first { $0.hasPrefix(name + ":") }.flatMap { line in
                line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }
            }
        }
        let fields = statistics[end...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]),
            let resident = kibibytes("VmRSS"), let anonymous = kibibytes("RssAnon")
        else { return nil }
        cpu = (user + system) / Self.ticks
        (self.resident, self.anonymous) = (resident / 1_024, anonymous / 1_024)
    }
}
