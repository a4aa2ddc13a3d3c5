import KamuneCrypto
import KamuneTestKit
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

/// Whole conversations between two programs of version 0.7, frame by frame, with every secret in them.
struct HandshakeRecording: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let kind: String
    let initiator: Party
    let responder: Party
    let hpke: Exchange
    private let session: Secrets?
    /// Whether it ends in a session.
    var isEstablished: Bool { secrets.id != nil }
    /// What the session was made of; nothing where resumption was refused.
    var secrets: Secrets { session ?? Secrets() }
    let resume: Resumption?
    let relayTokens: RelayTokens?
    let frames: [Frame]

    struct Party: Decodable, Sendable {
        let seed: HexBytes
        let spki: HexBytes

        func identity() throws -> Identity { try Identity(algorithm: .ed25519, seed: seed.secret) }
    }

    struct Exchange: Decodable, Sendable {
        let iSeed: HexBytes
        let rSeed: HexBytes
        let i2rKey: HexBytes
        let i2rBaseNonce: HexBytes
        let r2iKey: HexBytes
        let r2iBaseNonce: HexBytes
    }

    struct Secrets: Decodable, Sendable {
        var id: String?
        var mlkemSeed: HexBytes?
        var sharedSecret: HexBytes?
        var c2sKey: HexBytes?
        var s2cKey: HexBytes?
        var transcript: HexBytes?
        var c2sChallenge: HexBytes?
        var s2cChallenge: HexBytes?
        var resumptionRoot: HexBytes?
        var resumptionTokens: [HexBytes]?
    }

    struct RelayTokens: Decodable, Sendable {
        let iX25519: HexBytes
        let rX25519: HexBytes
        let tokens: [HexBytes]
    }

    struct Resumption: Decodable, Sendable {
        let sessionId: String
        let token: HexBytes
        let accepted: Bool
    }

    struct Frame: Decodable, Sendable {
        let n: Int
        let dir: String
        let layer: String
        let size: Int
        let bytes: HexBytes
        let plain: HexBytes?
        let sealed: HexBytes?
        let routeName: String?
        let seq: UInt64?
        let data: HexBytes?
        let pad: Int?

        var sender: Role { dir == "i>r" ? .initiator : .responder }
    }

    var testDescription: String { name }

    /// The file, and the small tables that come with it.
    struct File: Decodable {
        struct FieldCheck: Decodable {
            let saltSize: Int
            let sessionKey: String
            let ok: Bool
        }

        struct VersionCheck: Decodable {
            let remote: String
            let ok: Bool
        }

        let localVersion: String
        let sessions: [HandshakeRecording]
        let handshakeFieldChecks: [FieldCheck]
        let versionChecks: [VersionCheck]
    }

    static let file = Result { try Resources.load("handshake", as: File.self) }
    static let all = (try? file.get().sessions) ?? []
    /// Those that end in a session.
    static let established = all.filter(\.isEstablished)
}

extension HandshakeRecording {
    /// The frame's plaintext, taken apart.
    func envelope(_ frame: Frame) throws -> RecordedEnvelope {
        try RecordedEnvelope(try #require(frame.plain).bytes, frame, self)
    }

    func configuration(of role: Role) throws -> HandshakeConfiguration {
        let party = role == .initiator ? initiator : responder
        // Cold handshakes show the name; resumed ones do not use it.
        let introduction = frames.first { $0.sender == role && $0.routeName == "Identity" }
        let name = try introduction.map { try WireIntroduce(serializedBytes: try #require($0.data).bytes).name }
        return HandshakeConfiguration(identity: try party.identity(), name: name, capabilities: .none)
    }

    /// The encapsulations of a role, as they were recorded.
    func encapsulator(of role: Role) throws -> RecordedEncapsulator {
        let merged = try MergedExchange(decoding: frames[1].bytes.bytes)
        switch role {
        case .initiator:
            return RecordedEncapsulator(
                tunnel: .init(
                    publicKey: merged.publicKey, encapsulatedKey: frames[2].bytes.bytes, key: hpke.i2rKey.bytes,
                    baseNonce: hpke.i2rBaseNonce.bytes))
        case .responder:
            let request = frames.first { $0.routeName == "RequestHandshake" }
            let accept = frames.first { $0.routeName == "AcceptHandshake" }
            var mlkem: RecordedEncapsulator.MLKEM?
            if let request = request?.data, let accept = accept?.data, let secret = secrets.sharedSecret {
                mlkem = .init(
                    publicKey: Array(try WireHandshake(serializedBytes: request.bytes).key),
                    ciphertext: Array(try WireHandshake(serializedBytes: accept.bytes).key),
                    sharedSecret: secret.bytes)
            }
            return RecordedEncapsulator(
                tunnel: .init(
                    publicKey: frames[0].bytes.bytes, encapsulatedKey: merged.encapsulatedKey,
                    key: hpke.r2iKey.bytes, baseNonce: hpke.r2iBaseNonce.bytes),
                mlkem: mlkem)
        }
    }

    /// Who draws the randomness of the session's frames.
    enum SessionPlayer {
        /// `SessionState`, which is handed every message.
        case state
        /// `SessionMachine`, which makes the tokens of its pings and its key for relays by itself.
        case machine
    }

    /// Everything that a role drew at random, in the order in which our machines draw it.
    func script(of role: Role, session player: SessionPlayer = .state) throws -> ScriptedRandomSource {
        var chunks = [role == .initiator ? hpke.iSeed.bytes : hpke.rSeed.bytes]
        for frame in frames where frame.sender == role && frame.plain != nil {
            if frame.routeName == "RequestHandshake" || frame.routeName == "AcceptHandshake" {
                let message = try WireHandshake(serializedBytes: try #require(frame.data).bytes)
                if role == .initiator { chunks.append(try #require(secrets.mlkemSeed).bytes) }
                chunks.append(Array(message.salt))
                // A resumed handshake repeats the session's identifier instead of drawing half of one.
                if kind == "cold" { chunks.append(Base32.draw(of: message.sessionKey)) }
            }
            let envelope = try envelope(frame)
            if player == .machine, envelope.metadata.route == .ping {
                chunks.append(Array(try BytesValue.decode(try #require(frame.data).bytes[...])))
            }
            if player == .machine, envelope.metadata.route == .sessionData, let keys = relayTokens {
                chunks.append(role == .initiator ? keys.iX25519.bytes : keys.rX25519.bytes)
            }
            chunks += envelope.draws
        }
        return ScriptedRandomSource(chunks)
    }
}

/// What is drawn for an envelope, read back from what was sent.
struct RecordedEnvelope {
    let metadata: Metadata
    let draws: [[UInt8]]

    init(_ plaintext: [UInt8], _ frame: HandshakeRecording.Frame, _ recording: HandshakeRecording) throws {
        let party = frame.sender == .initiator ? recording.initiator : recording.responder
        let verified = try Envelope(parsing: plaintext).verified(by: try PublicIdentity(spki: party.spki.bytes))
        metadata = verified.metadata
        #expect(verified.data.elementsEqual(try #require(frame.data).bytes))
        #expect(verified.padding.count == frame.pad)

        var draws: [[UInt8]] = []
        if !metadata.id.isEmpty { draws.append(Base32.draw(of: metadata.id)) }
        let base = plaintext.count - Self.fieldSize(verified.padding.count)
        let bump = try #require(
            (0...3).first { Padding.count(base: base, bump: $0) == verified.padding.count },
            "no raise of the bucket explains the padding")
        // A percentage that falls into the raise's share of 80, 15, 4 and 1.
        draws.append([[0, 80, 95, 99][bump]])
        if !verified.padding.isEmpty { draws.append(Array(verified.padding)) }
        if let sealed = frame.layer == "session" ? frame.bytes : frame.sealed {
            draws.append(Array(sealed.bytes.prefix(XChaCha20Poly1305.nonceSize)))
        }
        self.draws = draws
    }

    private static func fieldSize(_ count: Int) -> Int {
        count == 0 ? 0 : WireWriter.fieldSize(contentSize: count)
    }
}

enum Base32 {
    /// Bytes that the alphabet turns into this text.
    static func draw(of text: String) -> [UInt8] {
        text.utf8.map { UInt8(ProtocolConstants.base32Alphabet.firstIndex(of: $0) ?? 0) }
    }
}
