import ArgumentParser
import KamuneTestKit

/// `link`: makes two hosts and carries their packets. What tests talk with through ``KamuneTestKit/EmulatedNetwork``.
struct LinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link",
        abstract: "Make two hosts with a link between them; ends with its standard input.",
        discussion: """
            To be started in a network namespace of its own (unshare --net), in which it makes a TUN device for each host. \
            Prints “ready” with two process numbers, whose network namespaces are the hosts: 10.77.0.1, fd77::1 and \
            10.77.0.2, fd77::2. Then takes lines, and answers each with one:

              forward delay=25ms loss=1% …    what the link does from the first host to the second;
                                              “backward” and “both” likewise
              blackout both 3000              nothing gets in for so many milliseconds
              statistics                      what it did so far, as JSON
            """)

    @Argument(help: "What the link does in each direction, such as 'delay=25ms loss=1% rate=50mbit queue=305k'.")
    var link: String = ""

    @Option(help: "The seed of its chances.")
    var seed: UInt64 = 1

    @Option(help: "What TCP uses on both hosts.")
    var congestionControl = "cubic"

    @Option(help: "When to end, in seconds.")
    var timeLimit = 300

    func run() throws {
        #if canImport(Glibc)
        let conditions = try LinkConditions(parsing: link)
        let hosts = try EmulatedHosts(congestionControl: congestionControl)
        var emulator = LinkEmulator(hosts: hosts, conditions: conditions, seed: seed)
        try emulator.run(forSeconds: UInt64(min(max(timeLimit, 1), 86_400)))
        #else
        throw ValidationError("Links can be emulated on Linux only.")
        #endif
    }
}
