import KamuneTestKit

@testable import KamuneProtocol

/// The file of messages and envelopes.
struct EnvelopeVectors: Decodable {
    /// Metadata as the vectors spell it out; without seconds there is no timestamp.
    struct Fields: Decodable {
        let id: String
        let secs: Int64?
        let nanos: Int32?
        let seq: UInt64
        let route: Int32

        var metadata: Metadata {
            var metadata = Metadata(
                id: id, timestamp: secs.map { Timestamp(seconds: $0, nanoseconds: nanos ?? 0) }, sequence: seq,
                route: .identity)
            metadata.rawRoute = route
            return metadata
        }
    }

    struct MetadataCase: Decodable {
        let bytes: HexBytes
        let metadata: Metadata
        let secs: Int64?

        private enum Key: CodingKey {
            case bytes
        }

        init(from decoder: any Decoder) throws {
            let fields = try Fields(from: decoder)
            metadata = fields.metadata
            secs = fields.secs
            bytes = try decoder.container(keyedBy: Key.self).decode(HexBytes.self, forKey: .bytes)
        }
    }

    struct Value: Decodable {
        let value, bytes: HexBytes
    }

    struct Introduce: Decodable {
        let name, appVersion: String
        let publicKey, bytes: HexBytes
    }

    struct Handshake: Decodable {
        let key, salt, bytes: HexBytes
        let sessionKey: String
    }

    struct ResumeRequest: Decodable {
        let sessionId: String
        let token, bytes: HexBytes
    }

    struct ResumeAccept: Decodable {
        let accepted: Bool
        let reason: String
        let bytes: HexBytes
    }

    struct Entry: Decodable {
        let key: String
        let value: HexBytes
    }

    struct SessionDataCase: Decodable {
        let fields: [Entry]
        let sorted: HexBytes
        let observed: [HexBytes]

        var dictionary: [String: [UInt8]] { fields.dictionary }
    }

    struct EnvelopeCase: Decodable {
        let name, inner: String
        let md: Fields
        let seed, metadata, data, signingInput, signature, unpadded, padding, padded: HexBytes
        let base, bump: Int
    }

    struct Decode: Decodable {
        let name: String
        let payload, `public`: HexBytes
        let ok: Bool
        let error: String?
        let route: Int32?
        let routeValid: Bool?
        let seq: UInt64?
        let id: String?
        let data: HexBytes?
    }

    struct ValueDecode: Decodable {
        let name: String
        let bytes: HexBytes
        let ok: Bool
        let value: HexBytes?
    }

    struct SessionDataDecode: Decodable {
        let name: String
        let bytes: HexBytes
        let ok: Bool
        let fields: [Entry]?

        var dictionary: [String: [UInt8]]? { fields?.dictionary }
    }

    struct IntroductionDecode: Decodable {
        let name: String
        let payload: HexBytes
        let ok: Bool
        let peerName, appVersion: String?
        let spki: HexBytes?
    }

    let label: String
    let metadata: [MetadataCase]
    let bytesValue: [Value]
    let introduce: [Introduce]
    let handshake: [Handshake]
    let resumeRequest: [ResumeRequest]
    let resumeAccept: [ResumeAccept]
    let sessionData: [SessionDataCase]
    let envelopes: [EnvelopeCase]
    let decode: [Decode]
    let bytesValueDecode: [ValueDecode]
    let sessionDataDecode: [SessionDataDecode]
    let introductionDecode: [IntroductionDecode]
}

extension [EnvelopeVectors.Entry] {
    fileprivate var dictionary: [String: [UInt8]] {
        Dictionary(map { ($0.key, $0.value.bytes) }, uniquingKeysWith: { $1 })
    }
}
