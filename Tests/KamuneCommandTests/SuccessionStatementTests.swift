import Foundation
import Kamune
import Testing

@testable import KamuneCommand

@Suite("Statements about a new identity")
struct SuccessionStatementTests {
    private static let noon = Date(timeIntervalSince1970: 1_784_937_599)

    @Test("a statement says who follows whom", arguments: IdentityAlgorithm.allCases, IdentityAlgorithm.allCases)
    func roundTrip(from: IdentityAlgorithm, to: IdentityAlgorithm) throws {
        let (old, new) = (try Identity.generate(from), try Identity.generate(to))
        let bytes = try SuccessionStatement.make(from: old, to: new, at: Self.noon)
        let statement = try #require(SuccessionStatement(verifying: bytes))
        #expect(statement.old == old.publicKey && statement.new == new.publicKey && statement.time == Self.noon)
    }

    @Test("no byte of it can be changed, left out or added")
    func altered() throws {
        let (old, new) = (try Identity.generate(), try Identity.generate())
        let bytes = try SuccessionStatement.make(from: old, to: new, at: Self.noon)
        for index in bytes.indices {
            var altered = bytes
            altered[index] ^= 1
            #expect(SuccessionStatement(verifying: altered) == nil, "byte \(index)")
            #expect(SuccessionStatement(verifying: Array(bytes[..<index])) == nil, "first \(index) bytes")
        }
        #expect(SuccessionStatement(verifying: bytes + [0]) == nil)
    }

    @Test("nobody names somebody else's key, or their own, as the successor")
    func forged() throws {
        let (old, new, eve) = (try Identity.generate(), try Identity.generate(), try Identity.generate())
        let honest = try SuccessionStatement.make(from: old, to: new, at: Self.noon)
        let forged = try SuccessionStatement.make(from: old, to: eve, at: Self.noon)
        // Eve's signature in the place of the new one's, and the other way round.
        #expect(SuccessionStatement(verifying: honest.dropLast(64) + forged.suffix(64)) == nil)
        #expect(SuccessionStatement(verifying: try SuccessionStatement.make(from: old, to: old, at: Self.noon)) == nil)
    }
}
