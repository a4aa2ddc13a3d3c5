import ArgumentParser

/// Two hosts on this machine with an emulated link between them, and what is measured on it. A tool of the tests and of
/// scripts/ladder and scripts/simulate; not for users.
@main
struct NetworkLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "KamuneNetworkLab",
        abstract: "Emulates links for real TCP and UDP, measures sessions on them, and simulates conversations.",
        subcommands: [
            LadderCommand.self, LinkCommand.self, AnswerCommand.self, MeasureCommand.self, FloodCommand.self,
            SimulateCommand.self, WatchCommand.self, TraverseCommand.self, MeetCommand.self, BrokerCommand.self,
            MapCommand.self,
        ] + natCommands)

    #if canImport(Glibc)
    private static let natCommands: [any ParsableCommand.Type] = [NATCommand.self, GatewayCommand.self]
    #else
    private static let natCommands: [any ParsableCommand.Type] = []
    #endif
}
