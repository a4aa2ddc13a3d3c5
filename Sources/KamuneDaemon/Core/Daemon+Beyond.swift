/// The requests beyond the protocol's that are under way.
struct OpenVocabulary {
    let vocabulary: any DaemonVocabulary
    /// Takes what it tells to the program.
    let pump: Task<Void, Never>
    var underWay = 0
    /// The last of those that are done in order.
    var ordered: Task<Void, Never>?
    var roomWaiter: CheckedContinuation<Void, Never>?
}

extension Daemon {
    /// The command that lists what can be asked.
    private static let capabilities = "get_capabilities"

    /// Follows a command that the Go daemon does not have.
    func followBeyond(_ name: String, _ id: String, _ line: [UInt8]) async throws(DaemonError) {
        if name == Self.capabilities {
            let commands = (DaemonCommand.allCases.map(\.rawValue) + [Self.capabilities]).sorted()
            return respond(
                id,
                [
                    "commands": .list(commands.map(JSONValue.text)),
                    "events": .list(DaemonEvent.allCases.map(\.rawValue).sorted().map(JSONValue.text)),
                    "requests": .list(backend.vocabulary.sorted().map(JSONValue.text)),
                ])
        }
        guard backend.vocabulary.contains(name) else {
            throw DaemonError(.unknownCommand, "unknown command: \(Quoted(name))")
        }
        guard let storage else {
            throw DaemonError(.storageNotOpened, "storage not opened — call open_storage first")
        }
        if beyond == nil { try await open(storage) }
        if beyond?.underWay ?? 0 >= DaemonLimits.requestsUnderWay {
            await withCheckedContinuation { beyond?.roomWaiter = $0 }
        }
        guard phase == .running, let open = beyond else {
            throw DaemonError(.storageUnavailable, "storage is not available")
        }
        let vocabulary = open.vocabulary
        let isOrdered = vocabulary.isOrdered(name)
        let earlier = isOrdered ? open.ordered : nil
        beyond?.underWay += 1
        // Beside the commands that follow: some requests wait for peers.
        let task = Task {
            await earlier?.value
            let answer = await vocabulary.answer(name, id: id, line: line)
            if phase != .ended { output.send(answer) }
            await output.waitForRoom()
            beyond?.underWay -= 1
            beyond?.roomWaiter.take()?.resume()
        }
        if isOrdered { beyond?.ordered = task }
    }

    private func open(_ storage: any DaemonStorage) async throws(DaemonError) {
        guard let vocabulary = try await storage.openVocabulary() else {
            throw DaemonError(.storageUnavailable, "storage is not available")
        }
        guard phase == .running else {
            await vocabulary.close()
            throw DaemonError(.shuttingDown, "the daemon is ending")
        }
        beyond = OpenVocabulary(vocabulary: vocabulary, pump: Task { await self.tell(vocabulary) })
    }

    private func tell(_ vocabulary: any DaemonVocabulary) async {
        while case let lines = await vocabulary.nextEvents(), !lines.isEmpty {
            guard phase != .ended else { return }
            for line in lines { output.send(line) }
            await output.waitForRoom()
        }
    }

    /// Answers nothing beyond the protocol any more.
    func closeVocabulary() async {
        guard let open = beyond else { return }
        beyond = nil
        open.roomWaiter?.resume()
        open.pump.cancel()
        await open.vocabulary.close()
    }
}
