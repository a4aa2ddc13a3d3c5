import KamuneCrypto
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The one message of each side that the session's keys come from (§6.3): key material, salt and half an identifier.
struct HandshakeMessage: Equatable, Sendable {
    /// The initiator's ML-KEM-768 encapsulation key, or the responder's ciphertext.
    var key: [UInt8]
    /// 16 random bytes.
    var salt: [UInt8]
    /// Half of the session's identifier; in a resumed handshake the whole of it.
    var sessionKey: String

    init(key: [UInt8], salt: [UInt8], sessionKey: String) {
        self.key = key
        self.salt = salt
        self.sessionKey = sessionKey
    }

    /// Decodes and checks the peer's message. The key is judged where it is used.
    init(decoding data: ArraySlice<UInt8>, route: Route) throws(ProtocolError) {
        let wire: WireHandshake
        do {
            wire = try WireHandshake(serializedBytes: Array(data))
        } catch {
            throw .peerMisbehaved(.malformedMessage(route))
        }
        key = Array(wire.key)
        salt = Array(wire.salt)
        sessionKey = wire.sessionKey
        try Self.check(saltSize: salt.count, sessionKey: sessionKey)
    }

    static func check(saltSize: Int, sessionKey: String) throws(ProtocolError) {
        guard saltSize == ProtocolConstants.handshakeSaltSize else {
            throw .peerMisbehaved(.invalidHandshakeField(.salt))
        }
        let length = ProtocolConstants.sessionIDLength
        let text = sessionKey.utf8
        // 0.7 takes either length in both kinds of handshake, and so do we.
        guard text.count == length / 2 || text.count == length,
            text.allSatisfy(ProtocolConstants.base32Alphabet.contains)
        else { throw .peerMisbehaved(.invalidHandshakeField(.sessionKey)) }
    }

    func encoded() throws(ProtocolError) -> [UInt8] {
        var wire = WireHandshake()
        wire.key = .init(key)
        wire.salt = .init(salt)
        wire.sessionKey = sessionKey
        return try wire.encoded()
    }
}

extension SwiftProtobuf.Message {
    func encoded() throws(ProtocolError) -> [UInt8] {
        do {
            return try serializedBytes()
        } catch {
            throw .system(.encoding)
        }
    }
}
