import Foundation
import Kamune
import KamuneNode
import KamuneTerminal

/// What the identity commands read and print.
enum IdentityReport {
    /// Prints everything that others may know of an identity.
    ///
    /// - Parameter path: The file that it is in; nil for the store.
    static func print(
        to output: StandardStream, _ identity: PublicIdentity, path: FilePath?, name: String? = nil
    ) throws(Failure) {
        var rows = FingerprintCard.rows(identity, name: name)
        if identity.algorithm == .ed25519 { rows += FingerprintCard.row("public key", [identity.fingerprint.base64]) }
        if let path { rows += FingerprintCard.row("file", [path.shown.description]) }
        try output.print(rows.joined(separator: "\n"))
    }

    /// A line about an identity that is not in use any more.
    static func line(_ identity: IdentityInfo) -> String {
        let until = identity.retired.map { ", retired \(Times.localDay($0))" } ?? ""
        let key = !identity.hasPrivateKey ? "its private key is erased" : "its private key is still kept"
        let vouches = identity.vouches ? "; vouches for the one in use" : ""
        return
            "  \(identity.fingerprint) (\(FingerprintCard.name(of: identity.publicKey.key.algorithm)), made "
            + "\(Times.localDay(identity.created))\(until))\(vouches); \(key)"
    }

    /// What is said when the store has no identity.
    static let none = Failure(.noIdentity)

    /// Makes an identity the one in use by `body`, and says why that cannot be.
    static func adopting(_ body: () async throws -> IdentityInfo) async throws -> IdentityInfo {
        do {
            return try await body()
        } catch let error as NodeError {
            throw switch error.code {
            case .identityExists: Failure(.identityExists)
            case .conflict: Failure(.identityKnown)
            default: error
            }
        }
    }

    /// Reads the identity, and says how to make one when there is none.
    static func load(_ file: IdentityFile) throws -> Identity {
        do throws(FileFailure) {
            return try file.load()
        } catch .missing(let path, _) {
            throw Failure(.noIdentityFile(path))
        }
    }

    /// The public key in a PEM file of either kind.
    static func publicKey(in path: FilePath) throws(FileFailure) -> PublicIdentity {
        let pem = try PrivateFile.read(path, limit: IdentityFile.sizeLimit, secret: false, what: "file")
        do throws(CryptoError) {
            return try Identity(pem: pem).publicKey
        } catch .unexpectedPEMLabel("PUBLIC KEY", _) {
            // Only now: a private key shall not become a string, which cannot be erased.
            do throws(CryptoError) {
                return try PublicIdentity(pem: pem.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
            } catch {
                throw .unusable(path: path, reason: TerminalText(error.description).description)
            }
        } catch {
            return try IdentityFile.parse(pem, path: path).publicKey
        }
    }
}
