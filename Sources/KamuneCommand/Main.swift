import KamuneSystem

/// Where the program begins: takes what is around the process, and ends with the exit code of the command.
@main
enum Main {
    static func main() async {
        StandardStream.reserve()
        OpenFileLimit.raise()
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
