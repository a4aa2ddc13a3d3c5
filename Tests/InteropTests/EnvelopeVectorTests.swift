import Foundation
import KamuneCrypto
import KamuneTestKit
import SwiftProtobuf
import Testing

@testable import KamuneProtocol

@Suite("Envelopes and messages of version 0.7")
struct EnvelopeVectorTests {
    let file: EnvelopeVectors

    init() throws {
        file = try Resources.load("envelope")
    }

    @Test("metadata encodes to the recorded bytes, and decodes from them")
    func metadata() throws {
        #expect(file.metadata.count == 16)
        for vector in file.metadata {
            let metadata = vector.metadata
            var encoded: [UInt8] = []
            metadata.encode(to: &encoded)
            #expect(encoded == vector.bytes.bytes, "\(vector)")
            #expect(try Metadata.decode(vector.bytes.bytes) == metadata, "\(vector)")
        }
    }

    @Test("messages encode to the recorded bytes, and decode from them")
    func messages() throws {
        #expect(file.bytesValue.count == 13)
        for vector in file.bytesValue {
            var encoded: [UInt8] = []
            BytesValue.encode(vector.value.bytes, to: &encoded)
            #expect(encoded == vector.bytes.bytes)
            #expect(encoded.count == BytesValue.encodedSize(vector.value.bytes))
            #expect(try BytesValue.decode(vector.bytes.bytes[...]).elementsEqual(vector.value.bytes))
        }
        #expect(file.introduce.count == 4)
        for vector in file.introduce {
            var wire = WireIntroduce()
            wire.name = vector.name
            wire.publicKey = .init(vector.publicKey.bytes)
            wire.appVersion = vector.appVersion
            #expect(try wire.encoded() == vector.bytes.bytes)
        }
        #expect(file.handshake.count == 3)
        for vector in file.handshake {
            let message = HandshakeMessage(
                key: vector.key.bytes, salt: vector.salt.bytes, sessionKey: vector.sessionKey)
            #expect(try message.encoded() == vector.bytes.bytes)
        }
        #expect(file.resumeRequest.count == 4)
        for vector in file.resumeRequest {
            let peer = try Identity.generate(.ed25519).publicKey
            let ticket = ResumptionTicket(
                sessionID: vector.sessionId, token: vector.token.secret, peer: peer, peerCapabilities: .none)
            #expect(try ticket.request() == vector.bytes.bytes)
        }
        #expect(file.resumeAccept.count == 4)
        for vector in file.resumeAccept {
            let wire = try WireResumeAccept(serializedBytes: vector.bytes.bytes)
            #expect(wire.accepted == vector.accepted)
            #expect(wire.reason == vector.reason)
            #expect(try wire.encoded() == vector.bytes.bytes)
        }
        #expect(try ResumptionAnswer.encode(accepted: true) == file.resumeAccept[0].bytes.bytes)
        #expect(try ResumptionAnswer.encode(accepted: false) == file.resumeAccept[1].bytes.bytes)
    }

    @Test("session data encodes in the order of its keys, and decodes in any order")
    func sessionData() throws {
        #expect(file.sessionData.count == 5)
        for vector in file.sessionData {
            let fields = vector.dictionary
            #expect(fields.count == vector.fields.count)
            #expect(try SessionData(fields: fields).encoded() == vector.sorted.bytes)
            for observed in vector.observed {
                #expect(try SessionData(decoding: observed.bytes[...]).fields == fields)
            }
        }
    }

    @Test("envelopes are signed, padded and put together as recorded")
    func envelopes() throws {
        #expect(file.envelopes.count == 21)
        for vector in file.envelopes {
            let identity = try Identity(algorithm: .ed25519, seed: vector.seed.secret)
            #expect(
                Envelope.signingInput(metadata: vector.metadata.bytes, dataSize: vector.data.bytes.count)
                    + vector.data.bytes == vector.signingInput.bytes, "\(vector.name)")
            #expect(try identity.sign(vector.signingInput.bytes) == vector.signature.bytes, "\(vector.name)")
            #expect(vector.unpadded.bytes.count == vector.base)

            var random = ScriptedRandomSource([[[0, 80, 95, 99][vector.bump]], vector.padding.bytes])
            let sealed = try Envelope.seal(
                metadata: vector.md.metadata, dataSize: vector.data.bytes.count,
                appendData: { $0.append(contentsOf: vector.data.bytes) }, signedBy: identity, random: &random)
            #expect(sealed == vector.padded.bytes, "\(vector.name)")

            for payload in [vector.padded.bytes, vector.unpadded.bytes] {
                let opened = try Envelope(parsing: payload).verified(by: identity.publicKey)
                #expect(opened.metadata == vector.md.metadata)
                #expect(opened.data.elementsEqual(vector.data.bytes))
            }
        }
    }

    @Test("the fields of a handshake message, and versions")
    func tables() throws {
        let tables = try HandshakeRecording.file.get()
        #expect(tables.handshakeFieldChecks.count == 17)
        for check in tables.handshakeFieldChecks {
            let isTaken =
                (try? HandshakeMessage.check(saltSize: check.saltSize, sessionKey: check.sessionKey)) != nil
            #expect(isTaken == check.ok, "\(check)")
        }
        #expect(tables.versionChecks.count == 23)
        #expect(tables.localVersion == AppVersion.current.description)
        for check in tables.versionChecks {
            let isTaken = AppVersion(check.remote).map { AppVersion.current.compatibility(with: $0) != .incompatible }
            #expect((isTaken ?? false) == check.ok, "\(check)")
        }
    }
}

extension Metadata {
    static func decode(_ bytes: [UInt8]) throws -> Metadata {
        try bytes.withUnsafeBytes { try Metadata(decoding: $0) }
    }
}
