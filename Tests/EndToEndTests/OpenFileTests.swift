import Testing

@Suite("Few open files")
struct OpenFileTests {
    /// Starts the command with a limit that it cannot raise.
    private func start(_ arguments: [String], files: Int, home: Home) throws -> Child {
        let limit = ["-c", #"ulimit -Sn "$0" && ulimit -Hn "$0" && exec "$@""#, "\(files)"]
        return try Child(
            program: "/bin/sh", limit + [Binary.path()] + arguments + home.storeArguments(for: arguments), home: home,
            environment: ["XDG_DATA_HOME": home.path, "HOME": home.path, "TERM": "xterm"])
    }

    private static let listen = ["listen", "127.0.0.1:0", "--verify", "all"]

    /// How many files the program says that it needs.
    private static func needed(in text: String) -> Int? {
        let sentence =
            #/kamune: The system allows this program \d+ open files, and it needs (\d+); raise the limit, such as by “ulimit -n \d+”\.\n/#
        return text.wholeMatch(of: sentence).flatMap { Int($0.1) }
    }

    @Test(
        "with too few, the program says at once how many it needs", arguments: [6, 8, 10, 14, 18, 20, 24, 26, 28, 30])
    func tooFew(files: Int) async throws {
        let child = try start(Self.listen, files: files, home: try Home())
        await child.expectExit(11)
        #expect(child.output.raw.isEmpty)
        #expect(Self.needed(in: child.errors.text) != nil, "\(child.errors.text)")
    }

    @Test("with as many as it says, and not with one less, it listens, keeps what it learns, and takes a peer")
    func enough() async throws {
        let home = try Home()
        let refused = try start(Self.listen, files: 12, home: home)
        await refused.expectExit(11)
        let needed = try #require(Self.needed(in: refused.errors.text))
        await (try start(Self.listen, files: needed - 1, home: home)).expectExit(11)

        let listener = try start(Self.listen, files: needed, home: home)
        #expect(await listener.errors.wait(within: Child.patience) { Listening.address(in: $0) != nil })
        let address = try #require(Listening.address(in: listener.errors.text))
        let dial = try Child(["dial", address, "--verify", "all"], home: try Home())
        dial.write("hello\n")
        dial.closeInput()
        await dial.expectExit(0)
        listener.closeInput()
        await listener.expectExit(0)
        #expect(listener.output.raw == "hello\n")
    }
}
