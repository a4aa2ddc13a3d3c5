import Foundation
import Kamune
import KamuneSystem

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
                do throws(SystemError) {
                    count = try retrying { Job.usingTerminal { systemRead(descriptor, place) } }
                } catch {
                    problem = Failure(.passphraseUnreadable(descriptor: descriptor, error))
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
        guard length <= sizeLimit else { throw tooLong }
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

    /// A passphrase from an environment variable, treated as one that is read: up to the end of the line, and no longer
    /// than allowed.
    static func from(_ value: [UInt8]) throws(Failure) -> SecretBox {
        var line = value.prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard line.count <= sizeLimit else { throw tooLong }
        return line.withUnsafeBytes { SecretBox(normalized($0)) }
    }

    /// What an earlier version made of a variable; nil when it is the same. Bytes that are not UTF-8 were all alike to it,
    /// and it took what follows the line too.
    static func earlierForm(of value: [UInt8]) -> SecretBox? {
        let text = String(decoding: value, as: UTF8.self).precomposedStringWithCanonicalMapping
        let earlier = SecretBytes(copying: Array(text.utf8))
        if let present = try? from(value), SecretBytes.constantTimeEqual(present.secret, earlier) { return nil }
        return SecretBox(earlier)
    }

    private static let tooLong = Failure(.passphraseTooLong(limit: sizeLimit))
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
        descriptor: Int32?, variable: String, environment: EnvironmentVariables, hasTerminal: Bool
    ) -> PassphraseSource? {
        if let descriptor { return .descriptor(descriptor) }
        if environment.bytes(variable) != nil { return .environment(variable) }
        return hasTerminal ? .terminal : nil
    }
}
