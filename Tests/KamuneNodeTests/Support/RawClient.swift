import Foundation
import KamuneSocket
import KamuneStore
import Testing

@testable import KamuneNode

/// A program that says at a node's socket whatever it likes, line by line.
actor RawClient {
    /// A line of the node's.
    struct Said: Sendable {
        let head: NodeLine.Head
        let bytes: [UInt8]

        var text: String { String(decoding: bytes, as: UTF8.self) }

        /// The condition, when it is an error.
        var code: NodeError.Code? {
            head.evt == "error" ? (try? NodeLine.data(NodeLine.ErrorData.self, in: bytes))?.code : nil
        }

        /// What it is about.
        var contact: ContactID? { (try? NodeLine.data(EventData.self, in: bytes))?.contact }

        func data<Value: Decodable>(_ type: Value.Type) throws -> Value { try NodeLine.data(type, in: bytes) }
    }

    private let connection: LineConnection
    private var lines: AsyncStream<Line>.Iterator
    private let gate: Gate
    private let receiving: Task<Void, Never>

    private init(_ connection: LineConnection) {
        self.connection = connection
        let (lines, continuation) = AsyncStream.makeStream(of: Line.self)
        self.lines = lines.makeAsyncIterator()
        let gate = Gate()
        self.gate = gate
        receiving = Task {
            await connection.receive { line in
                await gate.pass()
                continuation.yield(line)
            }
            continuation.finish()
        }
    }

    /// Connects.
    static func open(_ location: StoreLocation) async throws -> RawClient {
        for place in SocketLocation.candidates(for: location.resolved.path) {
            if let connection = await LineClient.connect(to: place) {
                return RawClient(connection)
            }
        }
        throw NodeError(.nodeGone, "Nobody is there.")
    }

    /// Reads no more.
    func stopReading() async { await gate.close() }

    /// Reads again.
    func read() async { await gate.open() }

    /// Says something, with a line feed.
    func say(_ text: String) { say(Array(text.utf8)) }

    /// Says something, with a line feed.
    func say(_ bytes: [UInt8]) { connection.send(bytes + [UInt8(ascii: "\n")]) }

    /// Says something that may be no line.
    func sayUnended(_ text: String) { connection.send(Array(text.utf8)) }

    /// Asks for something, in JSON.
    func ask(_ name: String, _ parameters: String? = nil, id: String) {
        say(#"{"type":"cmd","cmd":"\#(name)","id":"\#(id)"\#(parameters.map { ",\"params\":" + $0 } ?? "")}"#)
    }

    /// What the node says next; nil when it has closed the connection.
    func hear() async throws -> Said? {
        var iterator = lines
        defer { lines = iterator }
        guard let line = await iterator.next(isolation: self) else { return nil }
        guard case .bytes(let bytes) = line else { throw NodeError(.tooLarge, "The line is too long.") }
        return Said(head: try #require(NodeLine.head(bytes)), bytes: bytes)
    }

    /// What the node says next that fits.
    func hear(_ fits: @Sendable (Said) -> Bool) async throws -> Said {
        while true {
            let said = try #require(try await hear())
            if fits(said) { return said }
        }
    }

    /// The answer to a request.
    func answer(_ id: String) async throws -> Said { try await hear { $0.head.id == id } }

    /// Asks for something, and waits for the answer.
    func answer(to name: String, _ parameters: String? = nil, id: String = "q") async throws -> Said {
        ask(name, parameters, id: id)
        return try await answer(id)
    }

    /// Vanishes.
    func vanish() async {
        connection.close()
        await gate.open()
        await receiving.value
    }
}

/// What nobody passes while it is closed.
private actor Gate {
    private var isOpen = true
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func close() { isOpen = false }

    func pass() async {
        while !isOpen { await withCheckedContinuation { waiters.append($0) } }
    }

    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }
}
