import KamuneStore

/// What a program keeps with the store between its runs: a text under a name.
public struct GetSetting: NodeRequest {
    /// How it is called.
    public static let name = "programs.setting"

    /// The setting.
    public struct Answer: Codable, Sendable, Equatable {
        /// Its value; nil when it was never set.
        public var value: String?
    }

    /// Its name, such as the program's, a dot, and what it is; at most 64 bytes.
    public var setting: String

    /// Asks for it.
    public init(_ setting: String) { self.setting = setting }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Answer {
        let (store, name) = (node.store, try ProgramSetting.key(setting))
        return Answer(value: try await asNode { try await store.textSetting(name) })
    }
}

/// Keeps a text for a program, or forgets it.
public struct SetSetting: NodeRequest {
    /// How it is called.
    public static let name = "programs.set"
    /// It was done.
    public typealias Answer = Done
    /// What was set last counts.
    public static let isOrdered = true

    /// Its name: see ``GetSetting/setting``.
    public var setting: String
    /// Its value, at most 1,024 bytes; nil to forget it.
    public var value: String?

    /// Asks for it.
    public init(_ setting: String, to value: String?) { (self.setting, self.value) = (setting, value) }

    /// Does it.
    public func perform(on node: Node, for client: NodeClient) async throws(NodeError) -> Done {
        let (store, name, value) = (node.store, try ProgramSetting.key(setting), value)
        guard value?.utf8.count ?? 0 <= ProgramSetting.maximumValueSize else {
            throw NodeError(.tooLarge, "A setting has at most \(ProgramSetting.maximumValueSize) bytes.")
        }
        try await asNode { try await store.setTextSetting(name, to: value) }
        return Done()
    }
}

/// Programs' settings have names of their own in the store, so that none of them is one of ours.
private enum ProgramSetting {
    static let maximumNameSize = 64
    static let maximumValueSize = 1_024

    static func key(_ name: String) throws(NodeError) -> String {
        guard (1...maximumNameSize).contains(name.utf8.count) else {
            throw NodeError(.invalidParameter, "A setting's name has 1 to \(maximumNameSize) bytes.")
        }
        return "program." + name
    }
}
