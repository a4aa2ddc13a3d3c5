import ArgumentParser
import Kamune
import KamuneNode
import KamuneTerminal

/// Whom to talk to, by what is known of the key.
struct ExpectationOptions: ParsableArguments {
    @Option(
        name: .customLong("expect"),
        help: ArgumentHelp(
            "Talk only to whoever has the key of this fingerprint, without asking.",
            discussion: "Whole, as sum, base64 or hex; or a PEM file with the key.", valueName: "fingerprint"))
    var text: String?

    /// The fingerprint; nil when none is demanded.
    func fingerprint() throws -> KeyFingerprint? { try text.map { try FingerprintArgument.read($0) } }
}
