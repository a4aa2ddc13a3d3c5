import Kamune
import KamuneNode

/// A public key as people see and compare it, a row for each form.
enum FingerprintCard {
    private static let indentation = "  "
    private static let labelWidth = 13
    private static let bytesPerRow = 16

    /// The rows.
    ///
    /// - Parameter name: What its owner is called; nil for none.
    static func rows(_ identity: PublicIdentity, name: String? = nil) -> [String] {
        let fingerprint = identity.fingerprint
        var rows: [String] = []
        if let name { rows += row("name", ["“\(name)”"]) }
        rows += row("emoji", [fingerprint.emoji.joined(separator: " ")])
        rows += row("pseudonym", [fingerprint.pseudonym])
        switch identity.algorithm {
        case .ed25519:
            rows += row("hex", broken(fingerprint.hex))
        case .mldsa65:
            // The key itself would fill the screen.
            rows += row("SHA-256 hex", broken(hex(Base64URL.decode(fingerprint.sum) ?? [])))
        }
        rows += row("fingerprint", [fingerprint.sum])
        rows += row("algorithm", [self.name(of: identity.algorithm)])
        return rows
    }

    /// One row, or more with the same label.
    static func row(_ label: String, _ values: [String]) -> [String] {
        values.enumerated().map { index, value in
            let label = index == 0 ? label : ""
            return indentation + label + String(repeating: " ", count: max(labelWidth - label.count, 1)) + value
        }
    }

    /// What an algorithm is called in its standard.
    static func name(of algorithm: IdentityAlgorithm) -> String {
        switch algorithm {
        case .ed25519: "Ed25519"
        case .mldsa65: "ML-DSA-65"
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.count == 1 ? "0" + digits : digits
        }
        .joined(separator: ":")
    }

    private static func broken(_ hex: String) -> [String] {
        let pairs = hex.split(separator: ":")
        return stride(from: 0, to: pairs.count, by: bytesPerRow).map { start in
            pairs[start..<min(start + bytesPerRow, pairs.count)].joined(separator: ":")
        }
    }
}
