import Foundation
import KamuneTestSupport
import Testing

/// The file of vectors, recorded from the Go implementation; without the hole-punching broker's part.
struct RelayVectors: Decodable, Sendable {
    struct StaticToken: Decodable, Sendable {
        let a: HexBytes
        let b: HexBytes
        let token: HexBytes
        let brokerToken: HexBytes
    }

    struct BadInput: Decodable, Sendable {
        let aSize: Int
        let bSize: Int
        let ok: Bool
    }

    struct Pool: Decodable, Sendable {
        let aPrivate: HexBytes
        let bPrivate: HexBytes
        let aPublic: HexBytes
        let bPublic: HexBytes
        let shared: HexBytes
        let tokens: [HexBytes]
    }

    struct UserToken: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let token: HexBytes
        let ok: Bool

        var testDescription: String { name }
    }

    /// A frame's meaning and, for whole frames, its bytes.
    struct Frame: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: HexBytes
        let ok: Bool?
        let kind: String?
        let mode: Int32?
        let token: HexBytes?
        let ttl: UInt32?
        let sessionTtl: UInt32?
        let data: HexBytes?
        let psk: HexBytes?

        var testDescription: String { name }
    }

    struct Connection: Decodable, Sendable {
        let name: String
        let cSeed: HexBytes
        let sSeed: HexBytes
        let c2sKey: HexBytes
        let c2sBaseNonce: HexBytes
        let s2cKey: HexBytes
        let s2cBaseNonce: HexBytes

        // The decoder's strategy does not find a capital letter after a digit.
        enum CodingKeys: String, CodingKey {
            case name
            case cSeed
            case sSeed
            case c2sKey
            case c2sBaseNonce
            case s2cKey
            case s2cBaseNonce
        }
    }

    /// One step of a recorded conversation: a frame, or the end of a connection.
    struct Step: Decodable, Sendable {
        let n: Int
        let conn: String
        let dir: String?
        let layer: String?
        let kind: String?
        let mode: Int32?
        let token: HexBytes?
        let ttl: UInt32?
        let sessionTtl: UInt32?
        let data: HexBytes?
        let psk: HexBytes?
        let plain: HexBytes?
        let bytes: HexBytes?
        let closedBy: String?
    }

    struct Conversation: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let connections: [Connection]
        let frames: [Step]

        var testDescription: String { name }
    }

    let staticTokens: [StaticToken]
    let staticTokenBadInput: [BadInput]
    let ecdhPool: [Pool]
    let validateUserToken: [UserToken]
    let frames: [Frame]
    let frameDecode: [Frame]
    let conversations: [Conversation]

    /// The file, or why it cannot be read.
    static let file = Result {
        try VectorFile.load(
            RelayVectors.self,
            at: try #require(
                Bundle.module.url(forResource: "relay", withExtension: "json", subdirectory: "Resources"),
                "the test bundle has no relay.json"))
    }

    /// The file's contents; where they are missing, the test that they are there fails.
    static var all: RelayVectors? { try? file.get() }
}
