import KamuneNode

/// How much of the history is asked for at once.
enum NodePages {
    /// The most that a page has.
    static let largest = 1_000
    /// For a search, whose first hits a person waits for.
    static let search = 64
}

extension NodeAccess {
    /// Goes through what a request finds, page by page, the latest first.
    ///
    /// - Parameter body: Returns whether to go on.
    func eachMessage(_ request: GetMessages, _ body: (MessageInfo) throws -> Bool) async throws {
        var request = request
        while true {
            let page = try await ask(request)
            for message in page.messages {
                guard try body(message) else { return }
            }
            guard let next = page.next else { return }
            request.before = next
        }
    }

    /// Goes through the history, page by page, the oldest first.
    func eachMessage(forwardWith contact: ContactID?, _ body: (MessageInfo) throws -> Void) async throws {
        var request = GetMessagesForward(with: contact)
        while true {
            let page = try await ask(request)
            for message in page.messages { try body(message) }
            guard let next = page.next else { return }
            request.after = next
        }
    }
}
