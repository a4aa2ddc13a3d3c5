import Foundation
import Kamune

/// Passphrases as bytes: read with care, and brought to one form.
enum Passphrase {
    /// The longest, in bytes. More is something else than a passphrase.
    static let sizeLimit = 1_024

    /// Reads from a descriptor up to the end of the line or of the input. Byte by byte, so that what follows the line is
    /// left to whoever reads on. Nil at the end of the input.
    static func readLine(_ descriptor: Int32) throws(Failure) -> SecretBox? {
        var problem: Failure?
        var length = 0
        var isAtEnd = false
        let line = SecretBytes(unsafeUninitializedCapacity: sizeLimit + 1) { buffer in
            while length < buffer.count {
                let place = UnsafeMutableRawBufferPointer(rebasing: buffer[length..<(length + 1)])
                let count: Int
                do {
                    count = try retrying { systemRead(descriptor, place) }
                } catch {
                    problem = Failure(
                        .locked, "The passphrase cannot be read from descriptor \(descriptor): \(error).")
                    return
                }
                if count == 0 {
                    isAtEnd = length == 0
                    break
                }
                if place[0] == UInt8(ascii: "\n") { break }
                length += 1
            }
            if length > 0, length <= sizeLimit, buffer[length - 1] == UInt8(ascii: "\r") { length -= 1 }
        }
        if let problem { throw problem }
        if isAtEnd { return nil }
        guard length <= sizeLimit else {
            throw Failure(
                .locked, "The passphrase is longer than \(sizeLimit) bytes, so it is taken for something else.")
        }
        return SecretBox(
            line.withUnsafeBytes { normalized(UnsafeRawBufferPointer(rebasing: $0[..<length])) })
    }

    /// The passphrase in Unicode's form NFC, so that it gives the same bytes however a keyboard composes its letters. What
    /// is not UTF-8 stays as it is.
    static func normalized(_ bytes: UnsafeRawBufferPointer) -> SecretBytes {
        guard !bytes.allSatisfy({ $0 < 0x80 }), let text = String(validating: bytes, as: UTF8.self) else {
            return SecretBytes(copying: bytes)
        }
        // A string cannot be erased: the price of letters beyond ASCII.
        return SecretBytes(copying: Array(text.precomposedStringWithCanonicalMapping.utf8))
    }

    /// A passphrase from an environment variable.
    static func from(_ text: String) -> SecretBox {
        Array(text.utf8).withUnsafeBytes { SecretBox(normalized($0)) }
    }
}

/// Where a passphrase comes from.
enum PassphraseSource: Equatable, Sendable {
    /// A line from a file descriptor.
    case descriptor(Int32)
    /// The environment variable of this name.
    case environment(String)
    /// The person, at the terminal.
    case terminal

    /// What was asked for: the descriptor, else the variable (an empty one counts as absent), else the terminal if there is
    /// one; nil when there is nothing.
    static func choose(
        descriptor: Int32?, variable: String, environment: [String: String], hasTerminal: Bool
    ) -> PassphraseSource? {
        if let descriptor { return .descriptor(descriptor) }
        if !environment[variable, default: ""].isEmpty { return .environment(variable) }
        return hasTerminal ? .terminal : nil
    }
}
