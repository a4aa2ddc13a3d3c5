import Testing

@testable import KamuneProtocol

@Suite("Errors")
struct ErrorTests {
    private static let errors: [ProtocolError] =
        [
            .malformedExchange(reason: "r"), .malformedEnvelope(reason: "r"), .malformedMessage(.ping),
            .malformedIdentity(reason: "r"), .invalidHandshakeField(.salt), .invalidHandshakeField(.sessionKey),
            .invalidHandshakeField(.key), .unexpectedFrame, .unexpectedRoute(expected: .ping, actual: .pong),
            .unexpectedRoute(expected: .ping, actual: nil), .forbiddenRoute(rawValue: 99), .invalidAcknowledgement,
            .outOfSequence(expected: 4, actual: 3), .outOfSequence(expected: 4, actual: 5),
            .oversizedMessage(size: 2, limit: 1),
        ].map { ProtocolError.peerMisbehaved($0) }
        + [
            .undecryptable(.tunnel), .undecryptable(.session), .invalidSignature, .challengeMismatch,
            .capabilityDowngrade, .sessionMismatch, .invalidSuccession(.tooMany), .invalidSuccession(.tooLarge),
            .invalidSuccession(.malformed), .invalidSuccession(.signature), .invalidSuccession(.gap),
            .invalidSuccession(.loop),
        ].map { ProtocolError.authenticationFailed($0) }
        + [.version(local: "1", remote: "2"), .identityAlgorithm(oid: "1.2")].map { ProtocolError.incompatible($0) }
        + [.refused(.resumption(reason: "r"))]
        + [.messageTooLarge(size: 2, limit: 1), .heldBack, .awaitingAcknowledgement, .ended]
        .map { ProtocolError.misuse($0) }
        + [.cryptography, .encoding, .numbersExhausted].map { ProtocolError.system($0) }

    @Test("Each says in words of its own what happened, in whole sentences")
    func sentences() {
        let sentences = Self.errors.map(\.description)
        #expect(Set(sentences).count == sentences.count)
        for sentence in sentences {
            #expect(sentence.first?.isUppercase == true && sentence.last == ".", "\(sentence)")
            #expect(!sentence.contains("\n") && !sentence.contains("ProtocolError"), "\(sentence)")
        }
    }
}
