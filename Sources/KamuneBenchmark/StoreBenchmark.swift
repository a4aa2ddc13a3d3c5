import Foundation
import KamuneCrypto
import KamuneStore
import KamuneSystem

/// Measures a store of many messages, beside a small one: what opening, reading, appending and searching cost, and whether
/// it grows with the store.
///
/// The stores have no passphrase, so that no key derivation is measured. They are on the disk, in a folder of their own,
/// which is removed afterwards.
public struct StoreBenchmark: Sendable {
    /// How many messages the large store holds.
    public var messages: Int
    /// Where the folder is made. What is measured of durability is this file system's.
    public var directory: String
    /// Told what is measured next.
    public var progress: @Sendable (String) -> Void

    /// How many messages the small store holds.
    private static let smallCount = 1_000
    private static let peerCount = 20
    /// The messages of one transaction while a store is filled.
    private static let fillStep = 2_000
    /// How many appends are measured one by one, and how many come at once in a burst.
    private static let singles = 300
    private static let warmUp = 300
    private static let burst = 10_000
    /// One message in so many holds the word that is searched for.
    private static let rarity = 10_000
    private static let needle = "Haystack"
    /// The size of most records here before they are sealed, and of the place that each is bound to.
    private static let recordSize = 128
    private static let placeSize = 31

    /// A benchmark; without a directory, in the system's for temporary files.
    public init(
        messages: Int = 1_000_000, directory: String? = nil,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.messages = messages
        self.directory = directory ?? NSTemporaryDirectory()
        self.progress = progress
    }

    /// Runs everything. Takes about a minute for a million messages, and half a gigabyte of the disk.
    ///
    /// - Throws: the store's errors, or what the system says when the folder cannot be made.
    public func run() async throws -> BenchmarkReport {
        let folder = URL(fileURLWithPath: directory).appendingPathComponent("kamune-bench-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        progress("filling a store with \(messages) messages")
        let small = try await Filled.make(at: folder + "/small.db", count: min(Self.smallCount, messages))
        let large = try await Filled.make(at: folder + "/large.db", count: messages)
        var report = BenchmarkReport()
        try await measureReading(small, large, &report)
        try await measureSearch(small, large, &report)
        try await measureAppending(small, large, folder: folder, &report)
        return report
    }

    // MARK: Opening and reading

    private func measureReading(_ small: Filled, _ large: Filled, _ report: inout BenchmarkReport) async throws {
        progress("opening, and the latest messages")
        var (opening, smallOpening, latest) = (Double.infinity, Double.infinity, Double.infinity)
        for _ in 0..<7 {
            smallOpening = min(smallOpening, try await small.measureOpening().opening)
            let found = try await large.measureOpening()
            (opening, latest) = (min(opening, found.opening), min(latest, found.latest))
        }
        let group = "A store of \(messages) messages"
        report.add(group, "open, key derivation aside", opening / 1_000, "ms", goal: 50)
        report.add(
            group, "open, against a store of \(small.count)", opening / 1_000, "ms", ratio: opening / smallOpening,
            goal: Self.growthGoal)
        report.add(group, "the latest 100 messages of one peer, just opened", latest / 1_000, "ms", goal: 5)
    }

    /// Costs that are the same differ by this much from one run to the next.
    private static let growthGoal = 1.25

    // MARK: Searching and exporting

    private func measureSearch(_ small: Filled, _ large: Filled, _ report: inout BenchmarkReport) async throws {
        let group = "Search and export, \(messages) messages"
        let memoryGoal = 48.0
        let store = try await large.open()
        let search = MessageSearch(Self.needle)
        progress("searching for a rare word")
        var best = Double.infinity
        var cpu = Double.infinity
        var peak = 0.0
        for _ in 0..<3 {
            let run = try await Self.search(store, search)
            (best, cpu, peak) = (min(best, run.total), min(cpu, run.cpu), max(peak, run.memory))
        }
        report.add(
            group, "search through all, one hit in \(Self.rarity)", best / 1_000, "ms",
            goal: 2_000 * Double(messages) / 1_000_000)
        let opening = try Self.openingCost()
        report.add(
            group, "open one record of \(Self.recordSize) bytes, XChaCha20-Poly1305 alone, on one core", opening, "µs")
        report.add(
            group, "search, CPU of all threads for one message", cpu / Double(messages), "µs",
            ratio: cpu / Double(messages) / opening)
        report.add(group, "the same, memory beyond that before", peak, "MiB", goal: memoryGoal)
        progress("searching for a common word")
        let common = try await Self.search(store, MessageSearch(Filled.words[0]))
        report.add(group, "search for a common word: first hit", common.first / 1_000, "ms", goal: 50)
        report.add(group, "the same, \(common.hits) hits", common.total / 1_000, "ms")
        report.add(group, "the same, memory beyond that before", common.memory, "MiB", goal: memoryGoal)
        progress("exporting")
        let meter = MemoryMeter()
        let start = CPUClock.wall
        var bytes = 0
        for try await message in store.history() { bytes += message.body.count }
        report.add(group, "read everything, as an export does", Double(CPUClock.wall - start) / 1_000_000, "ms")
        report.add(group, "the same, memory beyond that before", await meter.end(), "MiB", goal: memoryGoal)
        consume(bytes)
        try await store.close()
    }

    /// What the cipher alone costs for a record of the usual size: what no search through sealed records can go below.
    private static func openingCost() throws -> Double {
        var random = SystemRandomSource()
        let cipher = try XChaCha20Poly1305(key: .random(count: XChaCha20Poly1305.keySize, using: &random))
        let place = random.bytes(placeSize)
        let sealed = cipher.seal(random.bytes(recordSize), nonce: .random(using: &random), associatedData: place)
        return try Sampling.microseconds(iterations: 20_000) {
            try sealed.withUnsafeBytes { sealed in
                try cipher.withOpened(sealed, associatedData: place) { consume($0.count) }
            }
        }
    }

    private struct Search {
        var first = 0.0
        var total = 0.0
        var cpu = 0.0
        var memory = 0.0
        var hits = 0
    }

    private static func search(_ store: Store, _ search: MessageSearch) async throws -> Search {
        var result = Search()
        let meter = MemoryMeter()
        let start = CPUClock.wall
        let cpu = CPUClock.process
        for try await message in store.search(search) {
            if result.hits == 0 { result.first = Double(CPUClock.wall - start) / 1_000 }
            result.hits += 1
            consume(message)
        }
        result.total = Double(CPUClock.wall - start) / 1_000
        result.cpu = Double(CPUClock.process - cpu) / 1_000
        result.memory = await meter.end()
        return result
    }

    // MARK: Appending

    private func measureAppending(
        _ small: Filled, _ large: Filled, folder: String, _ report: inout BenchmarkReport
    ) async throws {
        progress("appending")
        let (smallStore, largeStore) = (try await small.open(), try await large.open())
        var disk = try DiskProbe(path: folder + "/probe")
        var (smallTimes, largeTimes, syncs): ([Double], [Double], [Double]) = ([], [], [])
        // By turns, so that all meet the disk in the same moods. The first do not count: until the logs have the size that
        // they keep, each wait has a larger file to be kept, too.
        for index in -Self.warmUp..<Self.singles {
            let sync = try disk.measure()
            let large = try await large.append(to: largeStore, Self.warmUp + index)
            let small = try await small.append(to: smallStore, Self.warmUp + index)
            guard index >= 0 else { continue }
            syncs.append(sync)
            largeTimes.append(large)
            smallTimes.append(small)
        }
        var rate = 0.0
        for _ in 0..<3 { rate = max(rate, try await large.burst(to: largeStore, Self.burst)) }
        let (sync, single) = (Sampling.median(syncs), Sampling.median(largeTimes))
        let group = "Appending durably, \(messages) messages"
        report.add(group, "one fsync of \(DiskProbe.size / 1_024) KiB on this file system, p50", sync, "µs")
        report.add(
            group, "append a single message, p50, against the fsync", single, "µs", ratio: single / sync, goal: 1.25)
        report.add(group, "append a single message to a store in memory, p50", try await Self.appendingInMemory(), "µs")
        report.add(
            group, "append a single message, p50, against a store of \(small.count)", single, "µs",
            ratio: single / Sampling.median(smallTimes), goal: Self.growthGoal)
        report.add(
            group, "append \(Self.burst) messages at once", rate, "messages/s", goal: 5_000, atLeast: true)
        try await smallStore.close()
        try await largeStore.close()
    }

    /// What an append costs without a disk: sealing, SQLite, and waking the thread that writes and the task that waits.
    private static func appendingInMemory() async throws -> Double {
        let store = try Store.inMemory()
        let peer = try await store.accept(
            try Identity.generate(.ed25519).publicKey, name: "peer", at: SystemTime().date
        ).id
        let body = [UInt8](repeating: 0x61, count: 60)
        var times: [Double] = []
        for _ in 0..<singles {
            let message = NewMessage.outgoing(to: peer, body: body, at: SystemTime().date, state: .delivered)
            let start = CPUClock.wall
            try await store.append(message)
            times.append(Double(CPUClock.wall - start) / 1_000)
        }
        return Sampling.median(times)
    }

    // MARK: A store with messages in it

    private struct Filled: Sendable {
        let location: StoreLocation
        let count: Int
        let peers: [PeerID]

        static let words = [
            "tomorrow", "we", "meet", "again", "at", "the", "station", "before", "lunch", "and", "then", "look", "for",
            "a", "place", "with", "good", "coffee", "somewhere", "near", "river",
        ]
        private static let epoch = Date(timeIntervalSince1970: 1_700_000_000)

        static func make(at path: String, count: Int) async throws -> Filled {
            let location = StoreLocation(path: path)
            let store = try await Store.create(at: location, credential: .unprotected)
            var peers: [PeerID] = []
            for index in 0..<peerCount {
                let key = try Identity.generate(.ed25519).publicKey
                peers.append(try await store.accept(key, name: "peer \(index)", at: epoch).id)
            }
            let filled = Filled(location: location, count: count, peers: peers)
            for start in stride(from: 0, to: count, by: fillStep) {
                try await store.append(
                    contentsOf: (start..<min(count, start + fillStep)).map { filled.message($0, of: count) })
            }
            try await store.close()
            return filled
        }

        func open() async throws -> Store {
            try await Store.open(at: location, credential: .unprotected)
        }

        /// A line of some ten words, as people write them.
        private func message(_ index: Int, of count: Int) -> NewMessage {
            var state = UInt64(truncatingIfNeeded: index) &* 0x9E37_79B9_7F4A_7C15
            var text = index % rarity == 0 ? "\(needle) " : ""
            for _ in 0..<(6 + index % 9) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += Self.words[Int(state >> 33) % Self.words.count] + " "
            }
            let time = Self.epoch.addingTimeInterval(Double(index))
            let peer = peers[index % peers.count]
            return index % 2 == 0
                ? .incoming(from: peer, body: Array(text.utf8), sent: time, received: time)
                : .outgoing(to: peer, body: Array(text.utf8), at: time, state: .delivered)
        }

        /// The times in microseconds to open the store, and then to read the latest messages of a peer.
        func measureOpening() async throws -> (opening: Double, latest: Double) {
            let start = CPUClock.wall
            let store = try await open()
            let opened = CPUClock.wall
            let page = try await store.messages(with: peers[7])
            let end = CPUClock.wall
            consume(page)
            try await store.close()
            return (Double(opened - start) / 1_000, Double(end - opened) / 1_000)
        }

        /// The time in microseconds to append one message.
        func append(to store: Store, _ index: Int) async throws -> Double {
            let message = message(count + index, of: count)
            let start = CPUClock.wall
            try await store.append(message)
            return Double(CPUClock.wall - start) / 1_000
        }

        /// How many messages a second are stored when they all come at once, each with a task that waits for it.
        func burst(to store: Store, _ size: Int) async throws -> Double {
            let messages = (0..<size).map { message(count + $0, of: count) }
            let start = CPUClock.wall
            try await withThrowingTaskGroup(of: Void.self) { group in
                for message in messages { group.addTask { try await store.append(message) } }
                try await group.waitForAll()
            }
            return Double(size) / (Double(CPUClock.wall - start) / 1_000_000_000)
        }
    }
}
