/// Where the daemon's lines go.
public protocol DaemonOutput: Sendable {
    /// Takes a line, without its end. Never waits; whoever sends much waits for room after it.
    func send(_ line: [UInt8])
    /// Waits while more than ``DaemonLimits/waitingOutput`` bytes wait for the program to read. Returns also when nobody
    /// will read any more, and when the task is cancelled.
    func waitForRoom() async
}

/// What the daemon needs to know of what is around it.
public struct DaemonEnvironment: Sendable {
    /// The version of the program.
    public var version: String
    /// The version of the protocol that peers are told.
    public var libraryVersion: String
    /// The passphrase of `KAMUNE_DB_PASSPHRASE`.
    public var passphrase: JSONSecret?
    /// Where passphrases may be kept.
    public var keychain: any Keychain

    /// What is around the daemon.
    public init(
        version: String, libraryVersion: String, passphrase: JSONSecret? = nil, keychain: any Keychain
    ) {
        self.version = version
        self.libraryVersion = libraryVersion
        self.passphrase = passphrase
        self.keychain = keychain
    }
}
