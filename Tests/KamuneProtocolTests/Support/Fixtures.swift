import KamuneCrypto
import KamuneTestSupport

@testable import KamuneProtocol

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// People and times that all tests share.
enum Fixture {
    static let now = Timestamp(seconds: 1_760_000_000, nanoseconds: 123_456_789)

    /// Both clocks, `monotonic` after an arbitrary start.
    static func moment(_ monotonic: Duration = .zero) -> Moment {
        Moment(wall: now, monotonic: monotonic)
    }

    /// The same identity for the same number.
    static func identity(_ algorithm: IdentityAlgorithm = .ed25519, _ number: UInt64) throws -> Identity {
        var random = SeededRandom(number)
        return try Identity.generate(algorithm, using: &random)
    }

    static let alice = Result { try identity(1) }
    static let bob = Result { try identity(2) }
    static let mallory = Result { try identity(3) }

    private static func identity(_ number: UInt64) throws -> Identity { try identity(.ed25519, number) }

    /// A configuration whose version can be one that we do not have.
    static func configuration(
        _ identity: Identity, version: AppVersion = .current, capabilities: CapabilitySet = .all
    ) -> HandshakeConfiguration {
        HandshakeConfiguration(identity: identity, version: version, capabilities: capabilities)
    }

    /// Whether every byte of every frame is to be tried, where otherwise a sample is.
    static let isExhaustive = ProcessInfo.processInfo.environment["KAMUNE_EXHAUSTIVE"] != nil

    /// Positions within a frame of `count` bytes: all of them where asked for, otherwise both ends and a sample.
    static func positions(in count: Int, step: Int) -> [Int] {
        if isExhaustive { return Array(0..<count) }
        return (0..<count).filter { $0 < 8 || $0 >= count - 20 || $0 % step == 3 }
    }
}

extension ProtocolError {
    var isMalformedExchange: Bool {
        if case .peerMisbehaved(.malformedExchange) = self { true } else { false }
    }

    var isMalformedEnvelope: Bool {
        if case .peerMisbehaved(.malformedEnvelope) = self { true } else { false }
    }

    var isMalformedIdentity: Bool {
        if case .peerMisbehaved(.malformedIdentity) = self { true } else { false }
    }
}

extension [UInt8] {
    /// The same bytes but for one.
    func altered(at index: Int, by mask: UInt8 = 0x01) -> [UInt8] {
        var copy = self
        copy[index] ^= mask
        return copy
    }
}

extension SecretBytes {
    var exposed: [UInt8] { withUnsafeBytes { Array($0) } }
}
