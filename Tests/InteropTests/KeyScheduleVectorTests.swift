import KamuneCrypto
import KamuneTestKit
import Testing

@testable import KamuneProtocol

/// What follows from the shared secret (§7, §9.1), as version 0.7 derives it.
@Suite("Key schedule, against version 0.7")
struct KeyScheduleVectorTests {
    struct File: Decodable {
        struct Labels: Decodable {
            let transcript, c2s, s2c, root, token: String
        }
        struct Handshake: Decodable {
            let key, salt: HexBytes
            let sessionKey: String

            var message: HandshakeMessage {
                HandshakeMessage(key: key.bytes, salt: salt.bytes, sessionKey: sessionKey)
            }
        }
        struct Session: Decodable {
            let name, sessionId: String
            let secret: HexBytes
            let request, response: Handshake
            let c2sKey, s2cKey, transcript: HexBytes
            let c2sChallengeInfo, c2sChallenge, s2cChallengeInfo, s2cChallenge: HexBytes
            let resumptionRoot: HexBytes
            let resumptionTokens: [HexBytes]
        }
        let labels: Labels
        let sessions: [Session]
    }

    let file: File

    init() throws {
        file = try Resources.load("keyschedule")
    }

    @Test("labels")
    func labels() {
        #expect(ProtocolConstants.transcriptLabel == file.labels.transcript)
        #expect(ProtocolConstants.initiatorToResponderLabel == file.labels.c2s)
        #expect(ProtocolConstants.responderToInitiatorLabel == file.labels.s2c)
        #expect(ProtocolConstants.resumptionRootLabel == file.labels.root)
        #expect(ProtocolConstants.resumptionTokenLabel == file.labels.token)
    }

    @Test("keys, transcript, challenges, resumption")
    func sessions() {
        #expect(file.sessions.count == 4)
        for session in file.sessions {
            let schedule = KeySchedule(
                sharedSecret: session.secret.secret, sessionID: session.sessionId, request: session.request.message,
                response: session.response.message)
            let comment = Comment(rawValue: session.name)
            #expect(schedule.transcriptHash == session.transcript.bytes, comment)
            #expect(schedule.sessionKey(of: .initiator).exposed() == session.c2sKey.bytes, comment)
            #expect(schedule.sessionKey(of: .responder).exposed() == session.s2cKey.bytes, comment)
            #expect(schedule.challengeInfo(of: .initiator) == session.c2sChallengeInfo.bytes, comment)
            #expect(schedule.challengeInfo(of: .responder) == session.s2cChallengeInfo.bytes, comment)
            #expect(schedule.challenge(of: .initiator).exposed() == session.c2sChallenge.bytes, comment)
            #expect(schedule.challenge(of: .responder).exposed() == session.s2cChallenge.bytes, comment)
            let root = schedule.resumptionRoot()
            #expect(root.withUnsafeBytes { Array($0) } == session.resumptionRoot.bytes, comment)
            #expect(session.resumptionTokens.count == 20)
            for (index, token) in session.resumptionTokens.enumerated() {
                #expect(root.token(at: UInt32(index)).exposed() == token.bytes, "\(session.name), token \(index)")
            }
        }
    }

    /// The same, for sessions that two programs really held.
    @Test("the secrets of recorded sessions", arguments: HandshakeRecording.established)
    func recorded(_ recording: HandshakeRecording) throws {
        func message(_ route: Route, _ name: String) throws -> HandshakeMessage {
            let data = try #require(recording.frames.first { $0.routeName == name }?.data)
            return try HandshakeMessage(decoding: data.bytes[...], route: route)
        }
        let secrets = recording.secrets
        let request = try message(.requestHandshake, "RequestHandshake")
        let response = try message(.acceptHandshake, "AcceptHandshake")
        let id = try #require(secrets.id)
        #expect(id == (recording.kind == "cold" ? request.sessionKey + response.sessionKey : request.sessionKey))
        let privateKey = try MLKEM768PrivateKey(seed: try #require(secrets.mlkemSeed).secret)
        #expect(privateKey.publicKey == request.key)
        let sharedSecret = try privateKey.decapsulate(response.key)
        #expect(sharedSecret.exposed() == secrets.sharedSecret?.bytes)

        let schedule = KeySchedule(sharedSecret: sharedSecret, sessionID: id, request: request, response: response)
        #expect(schedule.transcriptHash == secrets.transcript?.bytes)
        #expect(schedule.sessionKey(of: .initiator).exposed() == secrets.c2sKey?.bytes)
        #expect(schedule.sessionKey(of: .responder).exposed() == secrets.s2cKey?.bytes)
        #expect(schedule.challenge(of: .initiator).exposed() == secrets.c2sChallenge?.bytes)
        #expect(schedule.challenge(of: .responder).exposed() == secrets.s2cChallenge?.bytes)
        #expect(schedule.resumptionRoot().withUnsafeBytes { Array($0) } == secrets.resumptionRoot?.bytes)
    }

    @Test("what each side judges in a handshake message")
    func fieldChecks() throws {
        let checks = try HandshakeRecording.file.get().handshakeFieldChecks
        #expect(checks.count == 17)
        #expect(checks.filter(\.ok).count == 4)
        for check in checks {
            let message = HandshakeMessage(
                key: [1], salt: [UInt8](repeating: 2, count: check.saltSize), sessionKey: check.sessionKey)
            let field: ProtocolError.HandshakeField = check.saltSize == 16 ? .sessionKey : .salt
            let encoded = try message.encoded()
            for route in [Route.requestHandshake, .acceptHandshake] {
                if check.ok {
                    #expect(try HandshakeMessage(decoding: encoded[...], route: route) == message, "\(check)")
                } else {
                    #expect(throws: ProtocolError.peerMisbehaved(.invalidHandshakeField(field)), "\(check)") {
                        try HandshakeMessage(decoding: encoded[...], route: route)
                    }
                }
            }
        }
    }

    @Test("who may talk with whom")
    func versionChecks() throws {
        let file = try HandshakeRecording.file.get()
        let local = try #require(AppVersion(file.localVersion))
        #expect(local == .current)
        #expect(file.versionChecks.count == 23)
        #expect(file.versionChecks.filter(\.ok).count == 8)
        for check in file.versionChecks {
            let remote = AppVersion(check.remote)
            let accepted = remote.map { local.compatibility(with: $0) == .compatible } ?? false
            #expect(accepted == check.ok, "\(check.remote)")
        }
    }
}
