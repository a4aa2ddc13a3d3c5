import KamuneSystem
import KamuneTestSupport
import KamuneTransport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct TCPTransportTests {
    private static let loopback = Address(host: "127.0.0.1", port: 0)

    private func listen(
        _ adjust: (inout TransportConfiguration) -> Void = { _ in }
    ) async throws -> any ConnectionListener {
        var configuration = TransportConfiguration()
        adjust(&configuration)
        return try await TCPTransport.listen(on: Self.loopback, configuration: configuration)
    }

    private func exchange(_ dialed: any Connection, _ accepted: any Connection) async throws {
        try await dialed.send(frame: [1])
        #expect(try await accepted.receive() == [[1]])
        try await accepted.send(frame: [2])
        #expect(try await dialed.receive() == [[2]])
    }

    // MARK: Dialing

    @Test func nobodyListens() async throws {
        let closed = try #require(ClosedPort())
        for host in ["127.0.0.1", "localhost"] {
            await #expect(throws: TransportError.refused(address: "\(host):\(closed.port)")) {
                try await TCPTransport.connect(to: Address(host: host, port: closed.port))
            }
        }
    }

    @Test func aNameThatDoesNotResolve() async throws {
        // Reserved never to exist (RFC 6761, section 6.4).
        let address = Address(host: "kamune.invalid", port: 9)
        await #expect(throws: TransportError.nameNotResolved(host: "kamune.invalid")) {
            try await TCPTransport.connect(to: address)
        }
        await #expect(throws: TransportError.nameNotResolved(host: "kamune.invalid")) {
            try await TCPTransport.listen(on: address)
        }
    }

    @Test func addressesThatCannotBeDialed() async throws {
        await #expect(throws: TransportError.unsupportedScheme(.udp)) {
            try await TCPTransport.connect(to: Address(scheme: .udp, host: "127.0.0.1", port: 1))
        }
        for address in [Address(host: "", port: 1), Address(host: "127.0.0.1", port: 0)] {
            do throws(TransportError) {
                _ = try await TCPTransport.connect(to: address)
                Issue.record("connected to \(address)")
            } catch {
                if case .invalidAddress = error {} else { Issue.record("\(error)") }
            }
        }
    }

    @Test func aNameIsDialedAtEachOfItsAddresses() async throws {
        let listener = try await listen()
        let dialed = try await TCPTransport.connect(to: Address(host: "localhost", port: listener.localAddress.port))
        let accepted = try #require(try await listener.accept())
        try await exchange(dialed, accepted)
        #expect(dialed.info.transport == "tcp")
        #expect(dialed.info.remoteAddress == listener.localAddress.description)
        #expect(dialed.info.localAddress == accepted.info.remoteAddress)
    }

    /// A listener with no place left: the system drops what it cannot queue, so that dialers get no answer.
    private func fullListener() async throws -> (any ConnectionListener, [any Connection]) {
        let listener = try await listen {
            $0.pendingConnectionLimit = 1
            $0.listenBacklog = 0
        }
        var configuration = TransportConfiguration()
        configuration.dialTimeout = .milliseconds(300)
        var dialed: [any Connection] = []
        while true {
            do throws(TransportError) {
                dialed.append(try await TCPTransport.connect(to: listener.localAddress, configuration: configuration))
            } catch {
                #expect(error == .timedOut(.connect))
                return (listener, dialed)
            }
            try #require(dialed.count < 8, "the listener takes more than it should")
        }
    }

    #if os(Linux)
    @Test func whoGetsNoAnswerGivesUpAndWhoWaitsIsServedLater() async throws {
        let (listener, dialed) = try await fullListener()
        #expect(!dialed.isEmpty)
        // All that got in are served, although nobody looked after them for so long.
        for connection in dialed {
            let accepted = try #require(try await listener.accept())
            try await exchange(connection, accepted)
        }
        async let late = TCPTransport.connect(to: listener.localAddress)
        let accepted = try #require(try await listener.accept())
        try await exchange(late, accepted)
    }

    @Test func dialingCanBeCancelled() async throws {
        let (listener, dialed) = try await fullListener()
        let task = Task {
            // Cancelled before it begins, so that no machine is slow enough for the dialing to be over before.
            withUnsafeCurrentTask { $0?.cancel() }
            return try await TCPTransport.connect(to: listener.localAddress)
        }
        // Not that time has run out, as it would have if nobody had listened to the cancellation.
        await #expect(throws: TransportError.cancelled) { try await task.value }
        withExtendedLifetime(dialed) {}
    }
    #endif

    // MARK: Listening

    @Test func anAddressInUse() async throws {
        let listener = try await listen()
        let address = listener.localAddress
        await #expect(throws: TransportError.addressInUse(address: address.description)) {
            try await TCPTransport.listen(on: address)
        }
        await #expect(throws: TransportError.addressInUse(address: ":\(address.port)")) {
            try await TCPTransport.listen(on: Address(host: "", port: address.port))
        }
        await listener.close()
    }

    @Test func anAddressIsFreeAfterClosing() async throws {
        for attempt in 1...10 {
            let listener = try await listen()
            await listener.close()
            do throws(TransportError) {
                let again = try await TCPTransport.listen(on: listener.localAddress)
                return await again.close()
            } catch {
                // Another test may have been given the port meanwhile, but hardly each time.
                #expect(error == .addressInUse(address: listener.localAddress.description) && attempt < 10)
            }
        }
    }

    @Test func tasksCanRunWhereFramesArrive() async throws {
        let (a, b) = try await tcpPair()
        let echo = Task(executorPreference: b.preferredExecutor) {
            while let frames = try await b.receive() { try b.enqueue(frames) }
            await b.close()
        }
        let task = Task(executorPreference: a.preferredExecutor) {
            for number in 0..<UInt8(100) {
                try a.enqueue([[number]])
                guard try await a.receive() == [[number]] else { return false }
            }
            a.finishSending()
            return try await a.receive() == nil
        }
        #expect(try await task.value)
        try await echo.value
    }

    @Test func anAddressOfAnotherMachine() async throws {
        // For documentation only (RFC 5737), so nobody's.
        await #expect(throws: TransportError.addressNotAvailable(address: "192.0.2.1:0")) {
            try await TCPTransport.listen(on: Address(host: "192.0.2.1", port: 0))
        }
    }

    @Test func allInterfacesMeansBothFamilies() async throws {
        let listener = try await TCPTransport.listen(on: Address(host: "", port: 0))
        let port = listener.localAddress.port
        #expect(port != 0)
        var hosts = ["127.0.0.1"]
        if (try? await TCPTransport.listen(on: Address(host: "::1", port: 0))) != nil { hosts.append("::1") }
        for host in hosts {
            let dialed = try await TCPTransport.connect(to: Address(host: host, port: port))
            let accepted = try #require(try await listener.accept())
            try await exchange(dialed, accepted)
            #expect(accepted.info.localAddress == Address(host: host, port: port).description)
        }
    }

    @Test func closingAListener() async throws {
        let listener = try await listen()
        let waiting = try await TCPTransport.connect(to: listener.localAddress)
        let served = try await TCPTransport.connect(to: listener.localAddress)
        let first = try #require(try await listener.accept())
        let second = try #require(try await listener.accept())
        let unaccepted = try await TCPTransport.connect(to: listener.localAddress)
        let accepting = Task { try await listener.accept() }
        let third = try #require(try await accepting.value)
        third.abort()
        async let last = listener.accept()
        await Task.yield()
        await listener.close()
        await listener.close()
        #expect(try await last == nil)
        #expect(try await listener.accept() == nil)
        await #expect(throws: TransportError.reset) { try await unaccepted.receive() }
        let pairs = [first, second]
        for connection in [waiting, served] {
            try await connection.send(frame: [3])
            let peer = try #require(pairs.first { $0.info.remoteAddress == connection.info.localAddress })
            #expect(try await peer.receive() == [[3]])
        }
    }

    @Test func acceptingCanBeCancelledAndGoesOn() async throws {
        let listener = try await listen()
        let task = Task { try await listener.accept() }
        await Task.yield()
        task.cancel()
        await #expect(throws: TransportError.cancelled) { try await task.value }
        async let accepted = listener.accept()
        let dialed = try await TCPTransport.connect(to: listener.localAddress)
        try await exchange(dialed, #require(try await accepted))
    }

    @Test func aFloodIsServedInTurn() async throws {
        let listener = try await listen { $0.pendingConnectionLimit = 4 }
        let port = listener.localAddress.port
        // The system queues what the listener has no place for, and some of them are gone before their turn.
        let flood = (0..<100).compactMap { _ in RawPeer(port: port) }
        #expect(flood.count == 100)
        for (index, peer) in flood.enumerated() {
            if index.isMultiple(of: 3) { peer.reset() } else { #expect(peer.write([0, 1, UInt8(index)])) }
        }
        var served: Set<UInt8> = []
        let expected = Set(flood.indices.filter { !$0.isMultiple(of: 3) }.map(UInt8.init))
        while served != expected {
            let connection = try #require(try await listener.accept())
            do throws(TransportError) {
                if let frame = try await connection.receive()?.first?.first { served.insert(frame) }
            } catch {
                #expect(error == .reset)
            }
        }
    }

    #if os(Linux)
    @Test func noDescriptorLeftIsReportedAndSurvived() async throws {
        await #expect(processExitsWith: .success) {
            try await DescriptorTests.exhaustAndRecover()
        }
    }

    @Test func whoHasNoDescriptorLeftRests() async throws {
        await #expect(processExitsWith: .success) {
            try await DescriptorTests.restWhileExhausted()
        }
    }

    @Test func descriptorsAndConnectionsAreGivenBack() async throws {
        await #expect(processExitsWith: .success) {
            try await DescriptorTests.openAndClose()
        }
    }
    #endif
}

#if os(Linux)
/// Runs in processes of its own, since descriptors are the whole process's.
private enum DescriptorTests {
    struct Leak: Error {}

    private static var openDescriptors: Int {
        (0..<CInt(1_024)).count { fcntl($0, F_GETFD) >= 0 }
    }

    /// Allows so many more descriptors. Processes inherit some from tests that run at the same time, and the places between
    /// those are filled.
    private static func allowDescriptors(_ count: Int) -> Bool {
        let highest = (0..<CInt(4_096)).last { fcntl($0, F_GETFD) >= 0 } ?? 0
        while true {
            let filler = open("/dev/null", O_RDONLY)
            guard filler >= 0 else { return false }
            guard filler > highest else { continue }
            _ = close(filler)
            break
        }
        let limit = UInt64(highest) + 1 + UInt64(count)
        setSystemOpenFileLimit(limit)
        return systemOpenFileLimit()?.current == limit
    }

    static func exhaustAndRecover() async throws {
        let listener = try await TCPTransport.listen(on: Address(host: "127.0.0.1", port: 0))
        // The event loops and whatever else is made once.
        let first = try await TCPTransport.connect(to: listener.localAddress)
        let firstAccepted = try await listener.accept()
        guard allowDescriptors(24) else { throw Leak() }

        var dialed: [any Connection] = []
        var problem: TransportError?
        while problem == nil, dialed.count < 100 {
            do throws(TransportError) {
                dialed.append(try await TCPTransport.connect(to: listener.localAddress))
            } catch {
                problem = error
            }
        }
        guard problem == .tooManyOpenFiles, dialed.count >= 4 else { throw Leak() }
        // Some of these were never accepted by the process, for want of descriptors. The others make room for the last.
        for connection in dialed.dropLast() { connection.abort() }
        let last = dialed[dialed.count - 1]
        try await last.send(frame: [1])
        while let accepted = try await next(of: listener) {
            do throws(TransportError) {
                if try await accepted.receive() == [[1]] { break }
            } catch {
                guard error == .reset else { throw error }
            }
        }
        withExtendedLifetime((first, firstAccepted)) {}
    }

    /// The next connection, however often there is no descriptor for it.
    private static func next(of listener: any ConnectionListener) async throws -> (any Connection)? {
        while true {
            do throws(TransportError) {
                return try await listener.accept()
            } catch {
                guard error == .tooManyOpenFiles else { throw error }
            }
        }
    }

    static func restWhileExhausted() async throws {
        let listener = try await TCPTransport.listen(on: Address(host: "127.0.0.1", port: 0))
        let port = listener.localAddress.port
        let first = try await TCPTransport.connect(to: listener.localAddress)
        var accepted = [try await listener.accept()]
        // Their own sockets are there already, so that they are not short of descriptors; then there are some for two of them
        // at our end.
        let silent = (0..<10).compactMap { _ in RawPeer() }
        guard silent.count == 10, allowDescriptors(4), silent.allSatisfy({ $0.connect(to: port) }) else { throw Leak() }

        var reports = 0
        var start: (cpu: UInt64, wall: ContinuousClock.Instant)?
        while reports < 7 {
            do throws(TransportError) {
                accepted.append(try await listener.accept())
            } catch {
                guard error == .tooManyOpenFiles else { throw error }
                reports += 1
                if reports == 1 { start = (SystemTime.processNanoseconds, .now) }
            }
        }
        guard let start else { throw Leak() }
        let cpu = Duration.nanoseconds(SystemTime.processNanoseconds - start.cpu)
        // It has rested for 10, 20, 40, 80, 160 and 320 ms. Who tries all the time takes as much of a processor as time.
        guard ContinuousClock.now - start.wall >= .milliseconds(630), cpu < .milliseconds(200) else { throw Leak() }

        // Once some are gone, the rest of them get in.
        accepted.removeAll()
        for _ in 0..<2 { accepted.append(try await next(of: listener)) }
        withExtendedLifetime((first, silent)) {}
    }

    static func openAndClose() async throws {
        func round() async throws {
            for _ in 0..<20 {
                let (a, b) = try await tcpPair()
                try await a.send(frame: [1])
                _ = try await b.receive()
                async let closed: Void = a.close()
                await b.close()
                await closed
            }
            for _ in 0..<20 {
                let (a, b) = try await tcpPair()
                a.abort()
                _ = try? await b.receive()
            }
            for _ in 0..<20 { _ = try await tcpPair() }
        }
        try await round()
        // Closing is over when the event loops have had their turn.
        func settle(_ most: Int) async -> Int {
            let deadline = ContinuousClock.now + .seconds(10)
            while openDescriptors > most, ContinuousClock.now < deadline { await Task.yield() }
            return openDescriptors
        }
        let before = await settle(20)
        try await round()
        guard await settle(before) <= before else { throw Leak() }
    }
}
#endif
