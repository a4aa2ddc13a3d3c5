import KamuneTestKit

@testable import KamuneProtocol

/// envelope.json: messages, signatures and envelopes.
struct EnvelopeFile: Decodable {
    struct MetadataFields: Decodable {
        let id: String
        let secs: Int64?
        let nanos: Int32?
        let seq: UInt64
        let route: Int32

        var value: Metadata {
            var metadata = Metadata(
                id: id, timestamp: secs.map { Timestamp(seconds: $0, nanoseconds: nanos ?? 0) }, sequence: seq,
                route: .identity)
            metadata.rawRoute = route
            return metadata
        }
    }

    struct MetadataVector: Decodable {
        let id: String
        let secs: Int64?
        let nanos: Int32?
        let seq: UInt64
        let route: Int32
        let bytes: HexBytes

        var value: Metadata { MetadataFields(id: id, secs: secs, nanos: nanos, seq: seq, route: route).value }
    }

    struct BytesVector: Decodable {
        let value: HexBytes
        let bytes: HexBytes
    }

    struct IntroduceVector: Decodable {
        let name: String
        let publicKey: HexBytes
        let appVersion: String
        let bytes: HexBytes
    }

    struct HandshakeVector: Decodable {
        let key: HexBytes
        let salt: HexBytes
        let sessionKey: String
        let bytes: HexBytes
    }

    struct ResumeRequestVector: Decodable {
        let sessionId: String
        let token: HexBytes
        let bytes: HexBytes
    }

    struct ResumeAcceptVector: Decodable {
        let accepted: Bool
        let reason: String
        let bytes: HexBytes
    }

    struct Entry: Decodable {
        let key: String
        let value: HexBytes
    }

    struct SessionDataVector: Decodable {
        let fields: [Entry]
        let sorted: HexBytes
        let observed: [HexBytes]
    }

    struct EnvelopeVector: Decodable {
        let name: String
        let seed: HexBytes
        let md: MetadataFields
        let metadata: HexBytes
        let data: HexBytes
        let signingInput: HexBytes
        let signature: HexBytes
        let unpadded: HexBytes
        let base: Int
        let bump: Int
        let padding: HexBytes
        let padded: HexBytes
    }

    struct DecodeVector: Decodable {
        let name: String
        let payload: HexBytes
        let `public`: HexBytes
        let ok: Bool
        let error: String?
        let route: Int32?
        let routeValid: Bool?
        let seq: UInt64?
        let id: String?
        let data: HexBytes?
    }

    struct BytesDecodeVector: Decodable {
        let name: String
        let bytes: HexBytes
        let ok: Bool
        let value: HexBytes?
    }

    struct SessionDataDecodeVector: Decodable {
        let name: String
        let bytes: HexBytes
        let ok: Bool
        let fields: [Entry]?
    }

    struct IntroductionVector: Decodable {
        let name: String
        let payload: HexBytes
        let ok: Bool
        let peerName: String?
        let spki: HexBytes?
        let appVersion: String?
    }

    let metadata: [MetadataVector]
    let bytesValue: [BytesVector]
    let introduce: [IntroduceVector]
    let handshake: [HandshakeVector]
    let resumeRequest: [ResumeRequestVector]
    let resumeAccept: [ResumeAcceptVector]
    let sessionData: [SessionDataVector]
    let envelopes: [EnvelopeVector]
    let decode: [DecodeVector]
    let bytesValueDecode: [BytesDecodeVector]
    let sessionDataDecode: [SessionDataDecodeVector]
    let introductionDecode: [IntroductionVector]
}
