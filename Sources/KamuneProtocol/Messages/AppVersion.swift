/// The version that a peer announces in its introduction, and the rule on who may talk with whom (§6.2).
public struct AppVersion: Equatable, Sendable, CustomStringConvertible {
    /// Incompatible changes; below 1, the minor number counts as well.
    public let major: Int
    /// Additions.
    public let minor: Int
    /// Corrections. Never compared.
    public let patch: Int

    init(major: Int, minor: Int, patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads "major.minor.patch". Like 0.7 it takes signs and leading zeros, and nothing but integers.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let major = Int(parts[0]), let minor = Int(parts[1]), let patch = Int(parts[2]) else {
            return nil
        }
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// How two versions get along.
    public enum Compatibility: Equatable, Sendable {
        /// They speak the same protocol.
        case compatible
        /// They can talk, but one of them knows more than the other: worth a warning.
        case differentMinor
        /// They cannot talk.
        case incompatible
    }

    /// Whether a peer of version `other` can be talked to.
    public func compatibility(with other: AppVersion) -> Compatibility {
        guard major == other.major else { return .incompatible }
        if minor == other.minor { return .compatible }
        return major == 0 ? .incompatible : .differentMinor
    }

    /// "major.minor.patch"
    public var description: String { "\(major).\(minor).\(patch)" }
}
