import Testing

/// A listener that runs, with the address that it says it listens on.
struct Listening {
    let child: Child
    let address: String

    init(
        _ arguments: [String] = [], home: Home, input: Child.Input = .pipe, environment: [String: String] = [:]
    ) async throws {
        child = try Child(["listen", "127.0.0.1:0"] + arguments, home: home, input: input, environment: environment)
        let transcript = input == .terminal ? child.output : child.errors
        let isListening = await transcript.wait(within: Child.patience) { Self.address(in: $0) != nil }
        let (output, errors) = (child.output.text, child.errors.text)
        try #require(isListening, "output: \(output) errors: \(errors)")
        address = try #require(Self.address(in: transcript.text))
    }

    var port: UInt16 { address.split(separator: ":").last.flatMap { UInt16($0) } ?? 0 }

    static func address(in text: String) -> String? {
        text.firstMatch(of: #/Listening on (127\.0\.0\.1:\d+)\n/#).map { String($0.1) }
    }
}
