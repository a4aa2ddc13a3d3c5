import Kamune
import KamuneSystem

/// How many files and sockets this program may have open.
enum OpenFileLimit {
    /// Takes as many as the system allows.
    ///
    /// The usual limit, 1,024 or 256, is for the sake of programs that wait by `select`, which have a bit for each. Ours do
    /// not, and a listener may have thousands of peers.
    ///
    /// - Returns: What is wrong when that is too few to begin with: some of what we stand on would end the program.
    static func raise() -> Failure? {
        guard let greatest = systemOpenFileLimit()?.greatest else { return nil }
        setSystemOpenFileLimit(greatest)
        guard let limit = systemOpenFileLimit()?.current else { return nil }
        let needed = openFiles(below: limit) + OpenFiles.needed
        guard limit < UInt64(needed) else { return nil }
        return Failure(
            .tooFewFiles(limit: limit, needed: needed, advised: roundedLimit(above: needed)))
    }

    /// What a person would choose, with room for some peers.
    private static func roundedLimit(above needed: Int) -> Int {
        var limit = 256
        while limit < 2 * needed { limit *= 2 }
        return limit
    }

    /// How many are open already: the standard streams, and whatever else was handed to us.
    private static func openFiles(below limit: UInt64) -> Int {
        // Whoever was handed more than these has a limit far beyond.
        (0..<Int32(min(limit, 1_024))).count { fcntl($0, F_GETFD) >= 0 }
    }
}
