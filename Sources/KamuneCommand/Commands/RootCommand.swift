import ArgumentParser

/// The command itself.
struct RootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kamune",
        abstract: "Talk with one other person, end to end encrypted, with no server in between.",
        discussion: """
            Two people talk over a network that neither of them trusts. What they say is encrypted and signed on the way \
            from one to the other, and safe against a quantum computer. One of them listens, the other dials; it speaks \
            protocol 0.7 of kamune, so the other side may run the Go implementation.

            EXAMPLES:
              kamune demo                       see it work, on this machine alone
              kamune listen                     wait for somebody, on port 9000
              kamune dial example.org:9000      talk with whoever listens there
              echo hello | kamune dial example.org:9000
                                                send a line from a script
              kamune peers list                 whom you know
              kamune history search station     what was said

            Everything is kept in one encrypted file: who you are, whom you know, what was said. The passphrase is asked for, \
            or comes from KAMUNE_DB_PASSPHRASE or --passphrase-fd; KAMUNE_DB_PATH or --db name another file. listen and dial \
            keep nothing with --incognito.

            SHELL COMPLETION:
              kamune --generate-completion-script bash|zsh|fish
            """,
        version: programVersion,
        subcommands: [
            DemoCommand.self, ListenCommand.self, DialCommand.self, SendCommand.self, StartCommand.self,
            StopCommand.self, StatusCommand.self, PeersCommand.self, RequestsCommand.self, HistoryCommand.self,
            SettingsCommand.self, IdentityCommand.self,
            BackupCommand.self, RestoreCommand.self, PassphraseCommand.self, DaemonCommand.self, BenchCommand.self,
        ])

    /// The version of this program, and of the protocol that it speaks.
    static let programVersion = "kamune \(version) (protocol 0.7)"

    /// The version of this program.
    static let version = "1.0.0"
}
