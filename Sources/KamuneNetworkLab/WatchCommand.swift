import ArgumentParser
import KamuneSystem
import KamuneTransport

/// `watch`: what is told of changes of this host's addresses.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Print this machine's addresses, and again whenever they change, until killed.")

    func run() async throws {
        // What changes after the first line was printed is to be told.
        var changes = NetworkChanges().makeAsyncIterator()
        show(LocalAddresses.list())
        while let addresses = await changes.next() { show(addresses) }
    }

    private func show(_ addresses: [LocalAddress]) {
        let line = addresses.map { "\($0.interface) \($0.host) \($0.scope)" }.joined(separator: ", ")
        print(line.isEmpty ? "none" : line)
        fflush(nil)
    }
}
