import KamuneSystem

/// Where the program begins: takes what is around the process, and ends with the exit code of the command.
@main
enum Main {
    static func main() async {
        StandardStream.reserve()
        if let failure = ProcessFiles.check() ?? OpenFileLimit.raise() {
            // Before anything that could fail for want of a file, the context of commands included.
            StandardStream(STDERR_FILENO).write("kamune: \(failure.message ?? "")\n")
            exit(failure.status.rawValue)
        }
        let context = CommandContext.ofProcess()
        let arguments = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc))
        let texts = arguments.dropFirst().compactMap { argument in
            argument.map { ArgumentText.encode(Array(UnsafeRawBufferPointer(start: $0, count: strlen($0)))) }
        }
        let status = await Program.run(texts, in: context)
        context.terminalMode.giveBack()
        exit(status)
    }
}
