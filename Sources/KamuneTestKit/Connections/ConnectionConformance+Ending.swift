internal import KamuneTransport

/// How connections, and waits for them, end.
extension ConnectionConformance.Context {
    func halfClose() async throws {
        let (a, b) = try await pair()
        try a.enqueue([[1], [2]])
        a.finishSending()
        a.finishSending()
        try await requireError(.closedLocally, from: "send() after finishSending()") { try await a.send(frame: [3]) }
        try await requireError(.closedLocally, from: "enqueue() after finishSending()") { try a.enqueue([[3]]) }
        try await requireFrames([[1], [2]], at: b)
        try await requireEnd(at: b)
        try await b.send(frame: [4])
        try await requireFrames([[4]], at: a)
        b.finishSending()
        try await requireEnd(at: a)
        async let closed: Void = a.close()
        await b.close()
        await closed
    }

    func gracefulClose() async throws {
        let (a, b) = try await pair()
        let frames = try congest(a)
        async let closed: Void = a.close()
        try await requireFrames(frames, at: b)
        try await requireEnd(at: b)
        await closed
        await a.close()
    }

    /// What the peer still sends must not break the connection before our last frames are there.
    func closeWhileFramesArrive() async throws {
        let (a, b) = try await pair()
        for number in 0..<100 { try b.enqueue([numbered(size: 1_000)(number)]) }
        let frames = (0..<100).map(numbered(size: 10_000))
        try a.enqueue(frames)
        async let closed: Void = a.close()
        try await requireFrames(frames, at: b)
        try await requireEnd(at: b)
        await b.close()
        await closed
    }

    func abort() async throws {
        let (a, b) = try await pair()
        try await b.send(frame: [1])
        try await requireFrames([[1]], at: a)
        a.abort()
        a.abort()
        try await requireReset(at: b)
        try await requireError(.reset, from: "send() to a peer who aborted") { try await b.send(frame: [2]) }
        try await requireError(.closedLocally, from: "receive() after abort()") { try await a.receive() }
        try await requireError(.closedLocally, from: "send() after abort()") { try await a.send(frame: [3]) }
        await a.close()
        await b.close()
    }

    /// A connection that nobody holds any more is aborted, not closed.
    func dropping() async throws {
        func remaining() async throws -> any Connection { try await pair().1 }
        try await requireReset(at: remaining())
    }

    func useAfterClose() async throws {
        let (a, b) = try await pair()
        try await b.send(frame: [1])
        async let peer: Void = requireEnd(at: b)
        await a.close()
        try await peer
        try await requireError(.closedLocally, from: "receive() after close()") { try await a.receive() }
        try await requireError(.closedLocally, from: "send() after close()") { try await a.send(frame: [2]) }
        try await requireError(.closedLocally, from: "enqueue() after close()") { try a.enqueue([[2]]) }
        try await requireError(.closedLocally, from: "waitForRoom() after close()") { try await a.waitForRoom() }
        a.finishSending()
        a.abort()
        await a.close()
        await b.close()
    }

    func useAfterPeerClosed() async throws {
        let (a, b) = try await pair { $0.closeTimeout = .milliseconds(50) }
        await b.close()
        try await requireEnd(at: a)
        let frame = [UInt8](repeating: 1, count: 10_000)
        // The peer may swallow what comes until its own closing is over.
        try await requireError(.reset, from: "send() to a peer who is gone") {
            while true {
                try await a.send(frame: frame)
                await Task.yield()
            }
        }
        try await requireEnd(at: a)
    }

    func waitingEndsWithAbort() async throws {
        let (a, b) = try await pair()
        _ = try congest(a)
        async let received: Void = requireError(.closedLocally, from: "a waiting receive()") { try await a.receive() }
        async let sent: Void = requireError(.closedLocally, from: "a waiting send()") { try await a.send(frame: [1]) }
        async let room: Void = requireError(.closedLocally, from: "waitForRoom()") { try await a.waitForRoom() }
        await Task.yield()
        a.abort()
        _ = try await (received, sent, room)
        try await requireReset(at: b)
    }

    func waitingEndsWithPeersAbort() async throws {
        let (a, b) = try await pair()
        _ = try congest(a)
        async let received: Void = requireError(.reset, from: "a waiting receive()") { try await a.receive() }
        async let sent: Void = requireError(.reset, from: "a waiting send()") { try await a.send(frame: [1]) }
        async let room: Void = requireError(.reset, from: "waitForRoom()") { try await a.waitForRoom() }
        await Task.yield()
        b.abort()
        _ = try await (received, sent, room)
    }

    func waitingSenderEndsWithClose() async throws {
        let (a, b) = try await pair { $0.closeTimeout = .milliseconds(50) }
        _ = try congest(a)
        async let sent: Void = requireError(.closedLocally, from: "a waiting send()") { try await a.send(frame: [1]) }
        async let room: Void = requireError(.closedLocally, from: "waitForRoom()") { try await a.waitForRoom() }
        await Task.yield()
        // The peer receives nothing, so for most connections this ends by the limit.
        await a.close()
        _ = try await (sent, room)
        withExtendedLifetime(b) {}
    }

    func cancelledReceive() async throws {
        let (a, b) = try await pair()
        for _ in 0..<20 {
            let waiting = Task { try await b.receive() }
            await Task.yield()
            waiting.cancel()
            try await requireError(.cancelled, from: "a cancelled receive()") { try await waiting.value }
        }
        try await a.send([[1], [2]])
        try await requireFrames([[1], [2]], at: b)
        // Whichever comes first, a frame or the cancelling: no frame may be lost.
        for number in 0..<UInt8(100) {
            let waiting = Task { try await b.receive() }
            async let sent: Void = a.send(frame: [number])
            waiting.cancel()
            try await sent
            do {
                let frames = try await waiting.value
                try require(frames == [[number]], "frame \(number) is wrong after a race with cancelling")
            } catch TransportError.cancelled {
                try await requireFrames([[number]], at: b)
            }
        }
    }

    func cancelledSend() async throws {
        let (a, b) = try await pair()
        let frames = try congest(a)
        for number in 0..<UInt8(20) {
            let waiting = Task { try await number.isMultiple(of: 2) ? a.send(frame: [number]) : a.waitForRoom() }
            await Task.yield()
            waiting.cancel()
            try await requireError(.cancelled, from: "a cancelled send()") { try await waiting.value }
        }
        async let sent: Void = a.send(frame: [99])
        try await requireFrames(frames + [[99]], at: b)
        try await sent
    }

    func cancellationWithoutWaiting() async throws {
        let (a, b) = try await pair()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await a.send(frame: [1])
            try await a.waitForRoom()
        }
        try await task.value
        // Waits until the frame is there, and leaves another for the task that is cancelled.
        try await requireFrames([[1]], at: b)
        b.finishSending()
        try await requireEnd(at: a)
        let ended = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await a.receive()
        }
        let frames = try await ended.value
        try require(frames == nil, "a cancelled task did not get what was there")
    }

    func oneReceiverOnly() async throws {
        let (a, b) = try await pair()
        try await withThrowingTaskGroup(of: [[UInt8]]?.self) { group in
            for _ in 0..<2 { group.addTask { try await b.receive() } }
            try await requireError(.concurrentReceive, from: "a second receive()") { try await group.next() }
            try await a.send(frame: [1])
            let frames = try await group.next()
            try require(frames == [[1]], "the first receive() was disturbed")
        }
    }

    func readTimeout() async throws {
        let (a, b) = try await pair { $0.readTimeout = .milliseconds(40) }
        let start = ContinuousClock.now
        try await requireError(.timedOut(.read), from: "receive()") { try await a.receive() }
        try require(ContinuousClock.now - start >= .milliseconds(39), "the limit came too early")
        try await requireError(.timedOut(.read), from: "send() after the limit") { try await a.send(frame: [1]) }
        try await requireError(.reset, .timedOut(.read), from: "the peer's receive()") { try await b.receive() }
    }

    func writeTimeout() async throws {
        let (a, b) = try await pair { $0.writeTimeout = .milliseconds(40) }
        _ = try congest(a)
        try await requireError(.timedOut(.write), from: "waitForRoom()") { try await a.waitForRoom() }
        try await requireReset(at: b)
    }
}
