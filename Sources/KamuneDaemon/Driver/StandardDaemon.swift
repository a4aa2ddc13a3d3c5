public import KamuneSystem

/// The daemon on two file descriptors: commands come in on one, events go out on the other, as on standard input and output.
public enum StandardDaemon {
    /// Serves one program until it says `shutdown`, closes either descriptor, or somebody asks to stop. SIGPIPE must be
    /// ignored.
    ///
    /// - Parameters:
    ///   - stop: Returns when the daemon is to end.
    /// - Throws: When the system gives no pipe.
    public static func run(
        _ backend: any DaemonBackend, _ environment: DaemonEnvironment, input: Int32 = STDIN_FILENO,
        output: Int32 = STDOUT_FILENO, until stop: @escaping @Sendable () async -> Void
    ) async throws {
        let lines = try LineInput(input)
        let queue = LineOutput(output)
        let daemon = Daemon(backend: backend, output: queue, environment: environment)
        await daemon.start(processID: getpid())
        let end = Gate()
        let reading = Task {
            await follow(lines, daemon)
            end.open()
        }
        let stopping = Task {
            await stop()
            end.open()
        }
        let writing = Task {
            await queue.waitUntilEnded()
            end.open()
        }
        await end.wait()
        // Whoever waits for the program to read on would wait for ever.
        queue.liftLimit()
        await daemon.shutDown()
        lines.stop()
        await queue.finish(within: DaemonLimits.closing, by: .system)
        for task in [reading, stopping, writing] { task.cancel() }
    }

    /// Follows lines until there are no more, or one has ended the daemon.
    private static func follow(_ lines: LineInput, _ daemon: Daemon) async {
        while let cuts = await lines.next() {
            var rest = Array(cuts.reversed())
            while !rest.isEmpty {
                var together: [[UInt8]] = []
                while case .line(let line)? = rest.last {
                    rest.removeLast()
                    together.append(line)
                }
                await daemon.receive(contentsOf: together)
                // A passphrase may have been in one.
                for index in together.indices {
                    together[index].withUnsafeMutableBytes {
                        _ = $0.initializeMemory(as: UInt8.self, repeating: 0)
                    }
                }
                if rest.popLast() != nil { await daemon.receiveTooLongLine() }
                guard await daemon.isRunning else { return }
            }
        }
    }
}
