import KamuneCrypto
import KamuneTestKit
import Testing

@testable import KamuneProtocol

/// What version 0.7 takes and refuses, of messages that are written in unusual ways, damaged or forged.
@Suite("Decoders, against version 0.7")
struct DecoderVectorTests {
    let file: EnvelopeVectors

    init() throws {
        file = try Resources.load("envelope")
    }

    @Test("envelopes")
    func envelopes() throws {
        #expect(file.decode.count == 39)
        var verdicts: [String: Int] = [:]
        for vector in file.decode {
            let comment = Comment(rawValue: vector.name)
            let peer = try PublicIdentity(rawEd25519: vector.public)
            let result = Result { () throws(ProtocolError) in
                try Envelope(parsing: vector.payload.bytes).verified(by: peer)
            }
            verdicts[vector.error ?? "ok", default: 0] += 1
            switch (vector.error, result) {
            case (nil, .success(let opened)):
                #expect(opened.metadata.id == vector.id, comment)
                #expect(opened.metadata.sequence == vector.seq, comment)
                #expect(opened.data.elementsEqual(try #require(vector.data).bytes), comment)
                // 0 stands for every route that is not known.
                #expect((opened.metadata.route != nil) == vector.routeValid, comment)
                #expect((opened.metadata.route?.rawValue ?? 0) == vector.route, comment)
            case ("parse", .failure(.peerMisbehaved(.malformedEnvelope(let reason)))):
                #expect(!reason.hasPrefix("metadata"), comment)
            case ("metadata", .failure(.peerMisbehaved(.malformedEnvelope(let reason)))):
                #expect(reason.hasPrefix("metadata"), comment)
            case ("signature", .failure(.authenticationFailed(.invalidSignature))):
                break
            default:
                Issue.record("\(vector.name): \(vector.error ?? "ok"), but here \(result)")
            }
            #expect(vector.ok == (vector.error == nil))
        }
        #expect(verdicts == ["ok": 22, "signature": 12, "parse": 3, "metadata": 2])
    }

    @Test("bytes")
    func bytesValue() throws {
        #expect(file.bytesValueDecode.count == 8)
        #expect(file.bytesValueDecode.filter(\.ok).count == 7)
        for vector in file.bytesValueDecode {
            let value = try? BytesValue.decode(vector.bytes.bytes[...])
            #expect(value.map(Array.init) == (vector.ok ? vector.value?.bytes : nil), "\(vector.name)")
            #expect((value != nil) == vector.ok, "\(vector.name)")
        }
    }

    @Test("session data")
    func sessionData() throws {
        #expect(file.sessionDataDecode.count == 10)
        #expect(file.sessionDataDecode.filter(\.ok).count == 7)
        for vector in file.sessionDataDecode {
            if vector.ok {
                let data = try SessionData(decoding: vector.bytes.bytes[...])
                #expect(data.fields == vector.dictionary, "\(vector.name)")
            } else {
                #expect(throws: ProtocolError.peerMisbehaved(.malformedMessage(.sessionData)), "\(vector.name)") {
                    try SessionData(decoding: vector.bytes.bytes[...])
                }
            }
        }
    }

    @Test("introductions")
    func introductions() throws {
        #expect(file.introductionDecode.count == 10)
        var accepted = 0
        for vector in file.introductionDecode {
            let result = Result { () throws(ProtocolError) in
                try PeerIntroduction(try Envelope(parsing: vector.payload.bytes), localVersion: .current)
            }
            switch (vector.name, result) {
            case ("raw 32-byte key", .failure(.peerMisbehaved(.malformedIdentity))),
                ("another party's key", .failure(.authenticationFailed(.invalidSignature))),
                ("wrong route", .failure(.peerMisbehaved(.unexpectedRoute(expected: .identity, actual: _)))):
                #expect(!vector.ok)
            case ("empty name and version", .failure(.incompatible(.version(local: "0.7.0", remote: "")))):
                // What was recorded is the decoder alone, which takes it. The version is judged after it, there as here.
                #expect(vector.ok)
            case (_, .success(let introduction)):
                #expect(vector.ok, "\(vector.name)")
                #expect(introduction.name == vector.peerName, "\(vector.name)")
                #expect(introduction.identity.spki == vector.spki?.bytes, "\(vector.name)")
                #expect(introduction.version.description == vector.appVersion, "\(vector.name)")
                #expect(introduction.capabilities.isEmpty, "\(vector.name)")
                accepted += 1
            default:
                Issue.record("\(vector.name): \(result)")
            }
        }
        #expect(accepted == 6)
    }
}
