import Foundation
import KamuneBroker
import KamuneTestSupport

/// The broker's part of the golden vectors, recorded from kamune 0.7.
struct BrokerVectors: Decodable {
    struct Step: Decodable {
        let from: String
        let to: String
        let source: String?
        let kind: String
        let packet: HexBytes?
        let peerPrivate: HexBytes?
        let brokerPrivate: HexBytes?
        let nonce: HexBytes?
        let plain: HexBytes?
    }

    struct Named: Decodable {
        let name: String
        let packet: HexBytes
    }

    struct Echo: Decodable {
        let ip: String
        let port: UInt16
        let packet: HexBytes
    }

    struct EchoCheck: Decodable {
        let packet: HexBytes
        let ok: Bool
        let ip: String?
        let port: UInt16?
    }

    struct Register: Decodable {
        let name: String
        let token: HexBytes
        let `public`: HexBytes
        let ip: String
        let port: UInt16
        let packet: HexBytes
    }

    struct Seal: Decodable {
        let name: String
        let peerPrivate: HexBytes
        let peerPublic: HexBytes
        let brokerPrivate: HexBytes
        let nonce: HexBytes
        let plain: HexBytes
        let type: Int
        let token: HexBytes
        let ttl: UInt32?
        let otherPublic: HexBytes?
        let ip: String?
        let port: UInt16?
        let packet: HexBytes
    }

    struct Open: Decodable {
        struct Case: Decodable {
            let name: String
            let packet: HexBytes
            let ok: Bool
        }
        let peerPrivate: HexBytes
        let cases: [Case]
    }

    struct Broker: Decodable {
        let steps: [Step]
        let ignored: [Named]
        let echoResponses: [Echo]
        let echoParse: [EchoCheck]
        let registers: [Register]
        let notifySeal: [Seal]
        let notifyOpen: Open
    }

    let broker: Broker

    static let all: Broker = {
        guard let url = Bundle.module.url(forResource: "broker", withExtension: "json", subdirectory: "Resources"),
            let file = try? VectorFile.load(BrokerVectors.self, at: url)
        else { preconditionFailure("The broker's vectors cannot be read.") }
        return file.broker
    }()
}

extension IPEndpoint {
    /// A literal of a test.
    init(_ text: String) {
        guard let endpoint = IPEndpoint(parsing: text) else { preconditionFailure("not an endpoint: \(text)") }
        self = endpoint
    }
}

extension IPAddress {
    /// A literal of a test.
    init(_ text: String) {
        guard let address = IPAddress(parsing: text) else { preconditionFailure("not an address: \(text)") }
        self = address
    }
}
