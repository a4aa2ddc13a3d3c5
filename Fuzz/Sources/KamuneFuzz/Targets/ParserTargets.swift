import Foundation
import KamuneTestSupport
import SwiftProtobuf

@testable import KamuneCrypto
@testable import KamuneProtocol

/// The envelope's own reader takes what SwiftProtobuf takes, and finds the same in it; but that it refuses numbers of more
/// than 64 bits, as the Go library does, where SwiftProtobuf drops what is too much. The other way round SwiftProtobuf is no
/// judge: it refuses tags that are written longer than they must be, which are well formed and which Go takes too.
func fuzzEnvelope(_ input: [UInt8]) throws {
    let envelope: Envelope
    do throws(ProtocolError) {
        envelope = try Envelope(parsing: input)
    } catch .peerMisbehaved(.malformedEnvelope(let reason))
        where reason.hasSuffix(WireReader.Malformed.overlongVarint.reason)
    {
        return
    } catch {
        let wire = try? WireSignedTransport(serializedBytes: input)
        try expect(wire == nil, "an envelope was refused that another reader takes")
        return
    }
    // Nobody signs what a fuzzer makes.
    try expect((try? envelope.verified(by: People.victim.get().publicKey)) == nil, "a forged signature was taken")
    guard let wire = try? WireSignedTransport(serializedBytes: input) else { return }
    try expect(Array(envelope.unverifiedData) == Array(wire.data), "two readers find other data")
    let metadata = try? WireMetadata(serializedBytes: wire.metadata)
    let route: Route?
    do throws(ProtocolError) {
        route = try envelope.claimedRoute()
    } catch .peerMisbehaved(.malformedEnvelope(let reason))
        where reason.hasSuffix(WireReader.Malformed.overlongVarint.reason)
    {
        return
    } catch {
        try expect(metadata == nil, "metadata was refused that another reader takes")
        return
    }
    guard let metadata else { return }
    try expect(
        route == Route(rawValue: Int32(truncatingIfNeeded: metadata.route.rawValue)), "two readers find other routes")
}

func fuzzMetadata(_ input: [UInt8]) throws {
    let decoded = input.withUnsafeBytes { bytes -> Result<Metadata, WireReader.Malformed> in
        do throws(WireReader.Malformed) {
            return .success(try Metadata(decoding: bytes))
        } catch {
            return .failure(error)
        }
    }
    if case .failure(let error) = decoded, error.reason == WireReader.Malformed.overlongVarint.reason { return }
    let metadata = try? decoded.get()
    let wire = try? WireMetadata(serializedBytes: input)
    try expect(metadata != nil || wire == nil, "metadata was refused that another reader takes")
    guard let metadata, let wire else { return }
    try expect(
        metadata.id == wire.id && metadata.sequence == wire.sequence
            && metadata.rawRoute == Int32(truncatingIfNeeded: wire.route.rawValue)
            && (metadata.timestamp != nil) == wire.hasTimestamp
            && (metadata.timestamp?.seconds ?? 0) == wire.timestamp.seconds
            && (metadata.timestamp?.nanoseconds ?? 0) == wire.timestamp.nanos,
        "two readers find other fields")
    var encoded: [UInt8] = []
    metadata.encode(to: &encoded)
    let again = encoded.withUnsafeBytes { try? Metadata(decoding: $0) }
    try expect(again == metadata, "metadata changes when it is encoded")
}

/// The input is the message within an envelope. Where it names no key it gets the signer's: a fuzzer guesses none.
func fuzzIntroduction(_ input: [UInt8]) throws {
    let attacker = try People.attacker.get()
    var random = SeededRandom(3)
    var data = input
    if var wire = try? WireIntroduce(serializedBytes: input), wire.publicKey.isEmpty {
        wire.publicKey = .init(attacker.publicKey.spki)
        data = try wire.encoded()
    }
    let plaintext = try sealedEnvelope(.identity, data, signedBy: attacker, &random)
    let introduction: PeerIntroduction
    do throws(ProtocolError) {
        introduction = try PeerIntroduction(Envelope(parsing: plaintext), localVersion: .current)
    } catch {
        return try expectPeersFault(error)
    }
    try expect(introduction.identity == attacker.publicKey, "an introduction of another key was taken")
    try expect(introduction.version.major == 0 && introduction.version.minor == 7, "an unfit version was taken")
    try expect(introduction.capabilities.sorted.count <= 32, "too many capabilities were taken")
}

func fuzzHandshakeMessage(_ input: [UInt8]) throws {
    for route in [Route.requestHandshake, .acceptHandshake] {
        guard let message = try? HandshakeMessage(decoding: input[...], route: route) else { continue }
        try expect(message.salt.count == 16, "a salt of another size was taken")
        try expect([12, 24].contains(message.sessionKey.utf8.count), "a session key of another size was taken")
        let again = try HandshakeMessage(decoding: try message.encoded()[...], route: route)
        try expect(again == message, "a handshake message changes when it is encoded")
        var encapsulator = SystemEncapsulator()
        if message.key.count != MLKEM768Size.publicKey {
            try expect(
                (try? encapsulator.encapsulateMLKEM768(to: message.key).ciphertext) == nil,
                "a key of another size was taken")
        }
    }
}

/// Request and answer.
func fuzzResumption(_ input: [UInt8]) throws {
    let attacker = try People.attacker.get()
    var random = SeededRandom(4)
    let request = try Envelope(parsing: try sealedEnvelope(.resumeRequest, input, signedBy: attacker, &random))
    if let request = try? ResumptionRequest(request) {
        try expect((try? request.verified(as: People.victim.get().publicKey)) == nil, "a forged request was taken")
        _ = try request.verified(as: attacker.publicKey)
    }
    let answer = try Envelope(parsing: try sealedEnvelope(.resumeAccept, input, signedBy: attacker, &random))
    do throws(ProtocolError) {
        try ResumptionAnswer.check(answer.verified(by: attacker.publicKey))
    } catch {
        try expectPeersFault(error)
    }
}

func fuzzSessionData(_ input: [UInt8]) throws {
    guard let data = try? SessionData(decoding: input[...]) else { return }
    try expect(
        try SessionData(decoding: try data.encoded()[...]) == data, "session data changes when it is encoded")
}

/// A key has one encoding, so whatever is taken is given back byte for byte.
func fuzzPublicKey(_ input: [UInt8]) throws {
    guard let key = try? PublicIdentity(spki: input) else { return }
    try expect(key.spki == input, "a key has two encodings")
    _ = key.fingerprint.sum
    _ = key.isValidSignature([UInt8](repeating: 0, count: key.algorithm.signatureSize)[...], for: input)
    try expect(try PublicIdentity(pem: key.pem) == key, "a key changes by PEM")
}

func fuzzPrivateKey(_ input: [UInt8]) throws {
    guard let identity = try? Identity(pkcs8: input) else { return }
    let encoded = identity.pkcs8DER()
    try expect(
        try Identity(pkcs8: encoded).publicKey == identity.publicKey, "a private key changes when it is encoded")
}

func fuzzPEM(_ input: [UInt8]) throws {
    let text = String(decoding: input, as: UTF8.self)
    if let key = try? PublicIdentity(pem: text) {
        try expect(try PublicIdentity(pem: key.pem) == key, "a public key changes by PEM")
    }
    if let identity = try? Identity(pem: text) {
        try expect(
            try Identity(pem: identity.pemRepresentation()).publicKey == identity.publicKey,
            "a private key changes by PEM")
    }
    _ = try? Identity(pem: SecretBytes(copying: input))
}

/// An error that blames the peer, as it must when the peer alone is to blame.
func expectPeersFault(_ error: ProtocolError) throws {
    switch error {
    case .misuse, .system: throw Finding(description: "the peer's bytes led to “\(error)”")
    case .peerMisbehaved, .authenticationFailed, .incompatible, .refused: break
    }
}

func sealedEnvelope(
    _ route: Route, _ data: [UInt8], rawRoute: Int32? = nil, sequence: UInt64 = 0, signedBy identity: Identity,
    _ random: inout SeededRandom
) throws -> [UInt8] {
    var metadata = Metadata(timestamp: Timestamp(seconds: 1_760_000_000), sequence: sequence, route: route)
    if let rawRoute { metadata.rawRoute = rawRoute }
    let data = data.prefix(ProtocolConstants.maximumTransportSize)
    return try Envelope.seal(
        metadata: metadata, dataSize: data.count, appendData: { $0.append(contentsOf: data) }, signedBy: identity,
        random: &random)
}
