/// A message that a program wants to send, with the command that says so.
struct OutgoingMessage: Sendable {
    /// The command's.
    let id: String
    let session: String
    let body: [UInt8]

    /// Whether it can be stored together with others: one that might be refused for its size would take them with it.
    var joinsOthers: Bool { body.count <= DaemonLimits.joinedMessageSize }
}
