import Foundation
import Synchronization
import Testing

/// A program that talks through `kamune daemon`: it knows the protocol of docs/DAEMON.md, and nothing else.
actor DaemonProgram {
    /// A line of the daemon's.
    struct Told: Decodable, Sendable {
        let evt: String
        let id: String?
        let data: Members

        /// Every member that this program reads.
        struct Members: Decodable, Sendable {
            var sessionID: String?
            var dataBase64: String?
            var addr: String?
            var status: String?
            var code: String?
            var error: String?
            var contacts: [Contact]?
            var messages: [Message]?
            var next: Int64?
            var undelivered: Int?

            enum CodingKeys: String, CodingKey {
                case sessionID = "session_id"
                case dataBase64 = "data_base64"
                case addr, status, code, error, contacts, messages, next, undelivered
            }
        }

        struct Contact: Decodable, Sendable {
            let id: String
        }
    }

    /// A message of the history.
    struct Message: Decodable, Sendable {
        let id: String
        let direction: String
        let state: String
        let text: String
    }

    /// The daemon has ended, or has said something else than was expected.
    struct Unexpected: Error, CustomStringConvertible {
        let description: String
    }

    /// How it stands.
    struct Standing: Sendable {
        /// What came in, in order.
        var received: [String] = []
        /// The session that goes on, if one does.
        var session: String?
        /// Whether the daemon has ended.
        var isOver = false
    }

    private let child: Child
    private(set) var standing = Standing()
    private var lastID = 0
    private var answers: [String: CheckedContinuation<Told?, Never>] = [:]
    private var early: [String: Told] = [:]
    private var waiters: [(condition: @Sendable (Standing) -> Bool, promise: CheckedContinuation<Void, Never>)] = []

    private init(_ child: Child) { self.child = child }

    /// Starts a daemon, opens the storage of a home, and lets everybody in.
    static func start(_ home: Home) async throws -> DaemonProgram {
        let program = DaemonProgram(
            try Child(
                program: Binary.path(), ["daemon"], home: home,
                environment: ["XDG_DATA_HOME": home.path, "HOME": home.path]))
        Task { await program.follow() }
        try await program.expect(
            "open_storage", #"{"storage_path":"\#(home.file("daemon.db"))","db_no_passphrase":true}"#)
        try await program.expect("set_verification_mode", #"{"mode":2}"#)
        return program
    }

    // MARK: Following

    private func follow() async {
        var rest: [UInt8] = []
        var taken = 0
        while true {
            let bytes = await child.output.bytes(after: taken, within: .seconds(600))
            if bytes.isEmpty { break }
            taken += bytes.count
            rest += bytes
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(rest[..<end])
                rest.removeSubrange(...end)
                if let told = try? JSONDecoder().decode(Told.self, from: line) { take(told) }
            }
        }
        standing.isOver = true
        for answer in answers.values { answer.resume(returning: nil) }
        answers = [:]
        wake()
    }

    private func take(_ told: Told) {
        switch told.evt {
        case "message_received":
            let bytes = told.data.dataBase64.flatMap { Data(base64Encoded: $0) } ?? Data()
            standing.received.append(String(decoding: bytes, as: UTF8.self))
        case "session_started": standing.session = told.data.sessionID
        case "session_closed" where told.data.sessionID == standing.session: standing.session = nil
        default: break
        }
        if let id = told.id, !id.isEmpty {
            if let answer = answers.removeValue(forKey: id) { answer.resume(returning: told) } else { early[id] = told }
        }
        wake()
    }

    private func wake() {
        let standing = standing
        let ready = waiters.filter { standing.isOver || $0.condition(standing) }
        waiters.removeAll { standing.isOver || $0.condition(standing) }
        for waiter in ready { waiter.promise.resume() }
    }

    // MARK: Asking

    /// Sends a command, and waits for what answers it; nil when the daemon has ended.
    func ask(_ command: String, _ parameters: String = "{}") async -> Told? {
        lastID += 1
        let id = String(lastID)
        child.write(#"{"type":"cmd","cmd":"\#(command)","id":"\#(id)","params":\#(parameters)}"# + "\n")
        if let told = early.removeValue(forKey: id) { return told }
        if standing.isOver { return nil }
        return await withCheckedContinuation { answers[id] = $0 }
    }

    /// Sends a command that must not fail.
    @discardableResult
    func expect(_ command: String, _ parameters: String = "{}") async throws -> Told {
        let told = await ask(command, parameters)
        guard let told, told.evt != "error" else {
            throw Unexpected(
                description: "\(command): \(told?.data.error ?? "the daemon has ended"); \(child.errors.text)")
        }
        return told
    }

    /// Waits until something is so, or the daemon has ended.
    func wait(until condition: @escaping @Sendable (Standing) -> Bool) async {
        if standing.isOver || condition(standing) { return }
        await withCheckedContinuation { waiters.append((condition, $0)) }
    }

    // MARK: Talking

    /// Waits for others at an address, and gives the port.
    func serve(_ transport: String) async throws -> UInt16 {
        let told = try await expect("start_server", #"{"addr":"127.0.0.1:0","transport":"\#(transport)","name":"Bob"}"#)
        let port = told.data.addr?.split(separator: ":").last.flatMap { UInt16($0) }
        return try #require(port)
    }

    func dial(_ address: String, _ transport: String) async throws {
        try await expect("dial", #"{"addr":"\#(address)","transport":"\#(transport)","name":"Ada"}"#)
    }

    /// Sends a message in the session that there is, or that there is next.
    ///
    /// - Returns: Whether the daemon has said that it is stored; not when it has ended.
    func send(_ text: String) async throws -> Bool {
        let data = Data(text.utf8).base64EncodedString()
        while true {
            await wait { $0.session != nil }
            guard let session = standing.session, !standing.isOver else { return false }
            let told = await ask("send_message", #"{"session_id":"\#(session)","data_base64":"\#(data)"}"#)
            switch (told?.evt, told?.data.code) {
            case ("message_sent", _): return true
            case (nil, _): return false
            case (_, "session_not_found"):
                // It has ended meanwhile; that was told before.
                continue
            default: throw Unexpected(description: told?.data.error ?? "send_message")
            }
        }
    }

    /// Everything that was said, from the beginning.
    func history() async throws -> [Message] {
        var messages: [Message] = []
        var after: Int64?
        repeat {
            let parameters = after.map { #"{"after":\#($0)}"# } ?? "{}"
            let page = try await expect("messages.forward", parameters).data
            messages += page.messages ?? []
            after = page.next
        } while after != nil
        return messages
    }

    /// Waits until everything that was sent is delivered, and gives how much is not.
    func undelivered() async throws -> Int? {
        let contact = try #require(try await expect("contacts.list").data.contacts?.first)
        return try await expect("conversations.await_delivery", #"{"contact":"\#(contact.id)","seconds":30}"#)
            .data.undelivered
    }

    // MARK: Ending

    /// Kills the daemon in the middle of whatever it does.
    func kill() async {
        child.send(signal: SIGKILL)
        _ = await child.exitCode()
    }

    /// Ends the daemon as a program does.
    func shutDown() async {
        _ = await ask("shutdown")
        await child.expectExit(0)
    }
}
