import KamuneProtocol
import Testing

@testable import Kamune

@Suite("Errors of the protocol, as the library's user sees them")
struct ErrorTests {
    private static let codes: [(ProtocolError, KamuneError.Code, KamuneError.Category)] = [
        (.peerMisbehaved(.unexpectedFrame), .protocolViolation, .peerMisbehaved),
        (.authenticationFailed(.invalidSignature), .authenticationFailed, .authenticationFailed),
        (.incompatible(.version(local: "0.7.0", remote: "0.6.0")), .incompatible, .incompatible),
        (.refused(.resumption(reason: "")), .refusedByPeer, .refused),
        (.misuse(.messageTooLarge(size: 2, limit: 1)), .messageTooLarge, .misuse),
        (.misuse(.ended), .sessionEnded, .misuse),
        (.misuse(.heldBack), .misuse, .misuse),
        (.misuse(.awaitingAcknowledgement), .misuse, .misuse),
        (.system(.cryptography), .system, .internal),
    ]

    @Test("Whose matter an error is stays whose matter it is", arguments: codes)
    func categories(_ error: ProtocolError, _ code: KamuneError.Code, _ category: KamuneError.Category) {
        let seen = KamuneError(error)
        #expect(seen.code == code)
        #expect(seen.category == category)
        #expect(seen.message == error.description)
        #expect(seen.cause as? ProtocolError == error)
    }
}
