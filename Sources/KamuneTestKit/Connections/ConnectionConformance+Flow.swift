internal import KamuneTransport
internal import Synchronization

/// Frames on their way.
extension ConnectionConformance.Context {
    func roomAtFirst() async throws {
        let (a, b) = try await pair()
        for connection in [a, b] {
            try require(!connection.isCongested, "isCongested is true at the beginning")
            try await connection.waitForRoom()
            try await connection.send([])
            try connection.enqueue([])
            try require(!connection.info.transport.isEmpty, "info names no transport")
        }
        try await a.send(frame: [1])
        try await requireFrames([[1]], at: b)
    }

    func framesKeepTheirOrder() async throws {
        let (a, b) = try await pair()
        let frames = (0..<2_000).map(numbered(size: 100))
        async let sent: Void = {
            for (index, frame) in frames.enumerated() {
                if index.isMultiple(of: 3) { try await a.send([frame]) } else { try a.enqueue([frame]) }
            }
        }()
        try await requireFrames(frames, at: b)
        try await sent
    }

    func framesOfAllSizes() async throws {
        let (a, b) = try await pair()
        let limit = min(a.info.maximumFrameSize, b.info.maximumFrameSize)
        let sizes = [0, 1, 2, 3, 255, 256, 257, 1_023, 1_024, 1_025, 4_095, 32_768, limit - 1, limit, 0, 0, 1]
        let frames = sizes.map { numbered(size: $0)($0) }
        async let sent: Void = {
            for frame in frames { try await a.send([frame]) }
            try await a.send(frames)
        }()
        try await requireFrames(frames + frames, at: b)
        try await sent
    }

    func oversizedFramesAreRefused() async throws {
        let (a, b) = try await pair { $0.maximumFrameSize = 1_000 }
        let large = [UInt8](repeating: 1, count: 1_001)
        let error = TransportError.frameTooLarge(size: 1_001, limit: 1_000)
        try await requireError(error, from: "send()") { try await a.send([[2], large, [3]]) }
        try await requireError(error, from: "enqueue()") { try a.enqueue([[2], large]) }
        try await a.send(frame: [4])
        try await requireFrames([[4]], at: b)
    }

    func batchesStayTogether() async throws {
        let (a, b) = try await pair { $0.outboundBufferLimit = 4_096 }
        let senders = 6
        let batches = 60
        let size = 7
        async let sent: Void = withThrowingTaskGroup { group in
            for sender in 0..<senders {
                group.addTask {
                    for batch in 0..<batches {
                        let batch = (0..<size).map { [UInt8(sender), UInt8(batch), UInt8($0)] }
                        if sender.isMultiple(of: 2) { try await a.send(batch) } else { try a.enqueue(batch) }
                    }
                }
            }
            try await group.waitForAll()
        }
        var received: [[UInt8]] = []
        while received.count < senders * batches * size {
            guard let frames = try await b.receive() else { break }
            received += frames
        }
        try await sent
        var next = [UInt8](repeating: 0, count: senders)
        for start in stride(from: 0, to: received.count, by: size) {
            let sender = received[start][0]
            let expected = (0..<size).map { [sender, next[Int(sender)], UInt8($0)] }
            try require(
                Array(received[start..<min(start + size, received.count)]) == expected,
                "batches were mixed, cut, or overtook one another"
            )
            next[Int(sender)] += 1
        }
    }

    func bothDirectionsAtOnce() async throws {
        let (a, b) = try await pair { $0.outboundBufferLimit = 64 * 1_024 }
        let frames = (0..<200).map(numbered(size: 60_000))
        func exchange(_ connection: any Connection) async throws {
            async let sent: Void = {
                for frame in frames { try await connection.send([frame]) }
            }()
            try await requireFrames(frames, at: connection)
            try await sent
        }
        async let there: Void = exchange(a)
        try await exchange(b)
        try await there
    }

    /// A fast sender never gets further ahead of a receiver than the buffers between them hold.
    func backPressure() async throws {
        let (a, b) = try await pair {
            $0.outboundBufferLimit = 64 * 1_024
            $0.inboundBufferLimit = 64 * 1_024
        }
        let size = 60_000
        let count = ConnectionConformance.moreThanAnyBuffer * 5 / 4 / size
        let ahead = Gauge()
        try await withThrowingTaskGroup { group in
            group.addTask {
                for number in 0..<count {
                    try await a.send([numbered(size: size)(number)])
                    ahead.add(size)
                }
            }
            group.addTask {
                // Nothing is received before the sender has been seen waiting once.
                while !a.isCongested {
                    try require(
                        ahead.value < ConnectionConformance.moreThanAnyBuffer,
                        "the sender never had to wait"
                    )
                    await Task.yield()
                }
                var number = 0
                while number < count {
                    let lead = ahead.value
                    try require(
                        lead < ConnectionConformance.moreThanAnyBuffer,
                        "\(lead) bytes were taken from the sender that nobody has received"
                    )
                    guard let frames = try await b.receive() else { break }
                    for frame in frames {
                        try require(frame == numbered(size: size)(number), "frame \(number) is wrong")
                        number += 1
                    }
                    ahead.add(-frames.count * size)
                }
            }
            try await group.waitForAll()
        }
    }

    func enqueueingOvershoots() async throws {
        let (a, b) = try await pair { $0.outboundBufferLimit = 1_000 }
        var frames = try congest(a)
        for number in 0..<10 {
            let frame = numbered(size: 100)(number)
            try a.enqueue([frame])
            frames.append(frame)
        }
        async let waited: Void = a.waitForRoom()
        try await requireFrames(frames, at: b)
        try await waited
    }

    func budgetCountsWhatWaits() async throws {
        let (a, b) = try await pair()
        let frames = try congest(a)
        let size = frames.map(\.count).reduce(0, +)
        let held = a.budget.held + b.budget.held
        try require(held > size / 2, "of \(size) bytes that wait, the budgets know of \(held)")
        try await requireFrames(frames, at: b)
        // What was acknowledged or written is gone a moment later.
        while a.budget.held + b.budget.held > 0 { await Task.yield() }
    }

    /// When what stands on the connections has filled both budgets, it goes on in small steps.
    func fullBudgetHoldsNobodyForEver() async throws {
        let (a, b) = try await pair()
        for connection in [a, b] { connection.budget.add(connection.budget.limit) }
        let frames = (0..<100).map(numbered(size: 20_000))
        func exchange(_ connection: any Connection) async throws {
            async let sent: Void = {
                for frame in frames { try await connection.send([frame]) }
            }()
            try await requireFrames(frames, at: connection)
            try await sent
        }
        async let there: Void = exchange(a)
        try await exchange(b)
        try await there
    }
}

/// A number that tasks share.
private final class Gauge: Sendable {
    private let number = Atomic(0)

    var value: Int { number.load(ordering: .relaxed) }

    func add(_ change: Int) {
        number.wrappingAdd(change, ordering: .relaxed)
    }
}
