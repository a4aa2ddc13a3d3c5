import Foundation
import KamuneCrypto
import KamuneProtocol
import KamuneTestKit
import Testing

/// What other tests stand on.
@Suite("Test kit")
struct TestKitTests {
    @Test("hexadecimal")
    func hexadecimal() throws {
        #expect(HexBytes(parsing: "")?.bytes == [])
        #expect(HexBytes(parsing: "00ff7Fa0")?.bytes == [0, 255, 127, 160])
        #expect(HexBytes(parsing: "0 0\nf\tf\r\n")?.bytes == [0, 255])
        for text in ["0", "000", "0g", "0x00", "é0", "０0", "-1", "@0", "/0", ":0", "`0", "G0"] {
            #expect(HexBytes(parsing: text) == nil, "\(text)")
        }
        let all = HexBytes(UInt8.min...UInt8.max)
        #expect(HexBytes(parsing: all.description) == all)
        #expect(all.secret.exposed() == all.bytes)
        #expect(try JSONDecoder().decode([HexBytes].self, from: Data(#"["0102",""]"#.utf8)) == ["0102", ""])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([HexBytes].self, from: Data(#"["012"]"#.utf8)) }
    }

    @Test("files of vectors")
    func files() throws {
        struct File: Decodable, Equatable {
            let snakeCase: HexBytes
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent("vectors.json")
        try Data(#"{"snake_case": "c0de"}"#.utf8).write(to: url)
        #expect(try VectorFile.load(at: url) == File(snakeCase: "c0de"))
        #expect(throws: (any Error).self) { try VectorFile.load(File.self, at: folder.appendingPathComponent("none")) }
    }

    // MARK: Randomness

    @Test("seeded randomness is the published SplitMix64, whatever the size of the draws")
    func seeded() {
        // The first outputs of the reference implementation for this seed.
        var numbers = SeededRandom(1_234_567)
        #expect(
            (0..<5).map { _ in numbers.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
        var source = SeededRandom(1_234_567)
        #expect(
            source.bytes(8) == withUnsafeBytes(of: (6_457_827_717_110_365_317 as UInt64).littleEndian) { Array($0) })
        #expect(
            source.bytes(3)
                == withUnsafeBytes(of: (3_203_168_211_198_807_973 as UInt64).littleEndian) { Array($0.prefix(3)) })
        var other = SeededRandom(1_234_568)
        #expect(other.next() != 6_457_827_717_110_365_317)
    }

    @Test("scripted randomness plays in order, and tells how it was played")
    func scripted() {
        var random = ScriptedRandomSource([[1, 2], [3]])
        #expect(random.progress.remainingCount == 2 && !random.progress.isComplete)
        #expect(random.bytes(2) == [1, 2])
        #expect(random.bytes(0) == [])
        #expect(random.progress.remainingCount == 1 && !random.progress.isComplete)
        #expect(random.bytes(1) == [3])
        #expect(random.progress.isComplete && random.progress.misfits == [])
        // Over: zeros, and on record.
        #expect(random.bytes(4) == [0, 0, 0, 0])
        #expect(!random.progress.isComplete && random.progress.misfits == [2])
    }

    @Test("scripted randomness that does not fit")
    func misfits() {
        var random = ScriptedRandomSource([[1, 2], [3, 4], [5]])
        #expect(random.bytes(3) == [1, 2, 0])
        #expect(random.bytes(1) == [3])
        var copy = random
        #expect(random.bytes(1) == [5])
        #expect(random.progress.misfits == [0, 1] && random.progress.remainingCount == 0)
        // A copy stands where the original stood, and a chunk that is drawn twice is a mistake.
        #expect(copy.bytes(1) == [5])
        #expect(random.progress.misfits == [0, 1, 2])
        var empty = ScriptedRandomSource([])
        #expect(empty.progress.isComplete)
        #expect(empty.bytes(1) == [0])
        #expect(!empty.progress.isComplete)
    }

    @Test("recorded encapsulations serve the recorded key only")
    func encapsulator() throws {
        let tunnel = RecordedEncapsulator.Tunnel(
            publicKey: [1], encapsulatedKey: [2], key: [UInt8](repeating: 3, count: 32),
            baseNonce: [UInt8](repeating: 4, count: 12))
        var initiator = RecordedEncapsulator(tunnel: tunnel)
        let encapsulation = try initiator.encapsulateTunnel(to: [1])
        #expect(encapsulation.encapsulatedKey == [2])
        #expect(Self.isRefused { _ = try initiator.encapsulateTunnel(to: [9]) })
        #expect(Self.isRefused { _ = try initiator.encapsulateMLKEM768(to: [1]) })
        var responder = RecordedEncapsulator(
            tunnel: tunnel, mlkem: .init(publicKey: [5], ciphertext: [6], sharedSecret: [7]))
        let secret = try responder.encapsulateMLKEM768(to: [5])
        #expect(secret.ciphertext == [6])
        #expect(secret.sharedSecret.exposed() == [7])
        #expect(Self.isRefused { _ = try responder.encapsulateMLKEM768(to: [1]) })
    }

    private static func isRefused(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return false
        } catch {
            return error as? CryptoError == .malformedKey(reason: "it is not the recorded one")
        }
    }

    // MARK: Time

    @Test("a manual clock stands still until it is moved")
    func clock() {
        let clock = ManualClock(wall: Timestamp(seconds: 10, nanoseconds: 999_999_999))
        let start = clock.now
        #expect(clock.moment == Moment(wall: Timestamp(seconds: 10, nanoseconds: 999_999_999), monotonic: .zero))
        clock.advance(by: .nanoseconds(2))
        #expect(clock.moment == Moment(wall: Timestamp(seconds: 11, nanoseconds: 1), monotonic: .nanoseconds(2)))
        #expect(start.duration(to: clock.now) == .nanoseconds(2))
        clock.advance(by: .seconds(-5))
        #expect(clock.now == start.advanced(by: .nanoseconds(2)))
        clock.setWall(Timestamp(seconds: -1, nanoseconds: 250_000_000))
        #expect(clock.moment.monotonic == .nanoseconds(2))
        #expect(clock.moment.wall == Timestamp(seconds: -1, nanoseconds: 250_000_000))
        clock.advance(by: .milliseconds(750))
        #expect(clock.moment.wall == Timestamp(seconds: 0))
    }

    @Test("sleepers wake when the clock passes their time, and not before", .timeLimit(.minutes(5)))
    func sleepers() async throws {
        let clock = ManualClock()
        try await clock.sleep(for: .zero)
        let (woken, wake) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup { group in
            for seconds in [3, 1, 2] {
                group.addTask {
                    try await clock.sleep(for: .seconds(seconds))
                    #expect(clock.now.elapsed >= .seconds(seconds))
                    wake.yield(seconds)
                }
            }
            try await clock.waitForSleepers(3)
            #expect(clock.sleeperCount == 3)
            var events = woken.makeAsyncIterator()
            for seconds in 1...3 {
                clock.advance(by: .milliseconds(999))
                #expect(clock.sleeperCount == 4 - seconds)
                clock.advance(by: .milliseconds(1))
                #expect(clock.sleeperCount == 3 - seconds)
                #expect(await events.next() == seconds)
            }
            try await group.waitForAll()
        }
    }

    @Test("sleepers and those who wait for them can be cancelled", .timeLimit(.minutes(5)))
    func cancellation() async throws {
        let clock = ManualClock()
        let sleeper = Task { try await clock.sleep(for: .seconds(1)) }
        let watcher = Task { try await clock.waitForSleepers(2) }
        try await clock.waitForSleepers()
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
        #expect(clock.sleeperCount == 0)
        watcher.cancel()
        await #expect(throws: CancellationError.self) { try await watcher.value }
        // Cancelled before it begins.
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await clock.sleep(for: .seconds(1))
        }
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(clock.sleeperCount == 0)
    }
}
