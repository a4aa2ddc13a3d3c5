import KamuneCrypto
import KamuneTestSupport
import Testing

@testable import KamuneRelayProtocol

/// Tokens against the Go implementation's, and the rules that it has for them.
struct TokenTests {
    @Test("the vectors are there")
    func vectorsAreThere() throws {
        let file = try RelayVectors.file.get()
        #expect(file.staticTokens.count == 6)
        #expect(file.ecdhPool.count == 4)
        #expect(file.validateUserToken.count == 20)
        #expect(file.frames.count >= 20)
        #expect(file.frameDecode.count == 12)
        #expect(file.conversations.count == 14)
    }

    @Test("static tokens are the recorded ones, in either order of the keys")
    func staticTokens() throws {
        for vector in try RelayVectors.file.get().staticTokens {
            for (a, b) in [(vector.a, vector.b), (vector.b, vector.a)] {
                let token = try RelayToken.betweenKeys(a.bytes, b.bytes)
                #expect(token.bytes == vector.token.bytes)
                #expect(token.forBroker == vector.brokerToken.bytes)
            }
        }
    }

    @Test("a static token needs two keys of 32 bytes")
    func staticTokensOfOtherSizes() throws {
        for vector in try RelayVectors.file.get().staticTokenBadInput {
            #expect(!vector.ok)
            #expect(throws: RelayProtocolError.self) {
                try RelayToken.betweenKeys(
                    [UInt8](repeating: 1, count: vector.aSize), [UInt8](repeating: 2, count: vector.bSize))
            }
        }
    }

    @Test("both sides of an agreement derive the recorded tokens")
    func pool() throws {
        for vector in try RelayVectors.file.get().ecdhPool {
            for (own, peer) in [(vector.aPrivate, vector.bPublic), (vector.bPrivate, vector.aPublic)] {
                let secret = try X25519PrivateKey(seed: own.secret).sharedSecret(with: peer.bytes)
                #expect(secret.exposed() == vector.shared.bytes)
                #expect(RelayToken.pool(sharedSecret: secret).map(\.bytes) == vector.tokens.map(\.bytes))
                // More than 0.7 takes go on from there.
                let more = RelayToken.pool(sharedSecret: secret, count: 256)
                #expect(Set(more).count == 256)
                #expect(more.prefix(3).map(\.bytes) == vector.tokens.map(\.bytes))
                #expect(more.allSatisfy { RelayToken.isAcceptable($0.bytes) })
            }
        }
    }

    @Test("own tokens are taken as the Go relay takes them", arguments: RelayVectors.all?.validateUserToken ?? [])
    func acceptance(of vector: RelayVectors.UserToken) {
        #expect(RelayToken.isAcceptable(vector.token.bytes) == vector.ok)
    }

    @Test("the rule is exact at its edge")
    func edge() {
        // Σ n log2 n = 64 exactly: a product of 2^64, which just does not fit.
        #expect(!RelayToken.isAcceptable((0..<8).flatMap { [UInt8](repeating: $0, count: 4) }))
        #expect(!RelayToken.isAcceptable([UInt8](repeating: 0, count: 16) + Array(1...16)))
        // One byte of it moved.
        #expect(RelayToken.isAcceptable([0, 0, 0, 8] + (1..<8).flatMap { [UInt8](repeating: $0, count: 4) }))
        #expect(RelayToken.isAcceptable([UInt8](repeating: 0, count: 15) + Array(1...17)))
    }

    @Test("made tokens are accepted, differ, and pass through their text")
    func made() throws {
        var random = SeededRandom(13)
        let own = RelayToken.own(using: &random)
        let fromRelay = RelayToken.fromRelay(using: &random)
        #expect(own.bytes.count == 32)
        #expect(RelayToken.isAcceptable(own.bytes))
        #expect(fromRelay.bytes.count == 16)
        for token in [own, fromRelay] {
            #expect(RelayToken(hexadecimal: token.hexadecimal) == token)
            #expect(RelayToken(hexadecimal: token.hexadecimal.uppercased()) == token)
            #expect("\(token)" == "RelayToken")
            #expect(String(reflecting: token) == "RelayToken")
        }
        #expect(own != RelayToken.own(using: &random))
    }

    @Test("a draw that could be guessed is drawn again")
    func drawnAgain() {
        var random = ScriptedRandomSource([[UInt8](repeating: 7, count: 32), Array(0..<32)])
        #expect(RelayToken.own(using: &random).bytes == Array(0..<32))
    }

    @Test("what is no token's text is refused", arguments: ["", "0", "0g", "zz", " 00", "00 ", "0x00", "é0"])
    func malformedText(_ text: String) {
        #expect(RelayToken(hexadecimal: text) == nil)
        #expect(RelayToken(hexadecimal: String(repeating: "00", count: 65)) == nil)
    }

    @Test("a key shows nothing and is compared as a whole")
    func key() {
        let key = PreSharedKey(copying: Array("correct horse".utf8))
        #expect("\(key)" == "PreSharedKey")
        #expect(String(reflecting: key) == "PreSharedKey")
        #expect(Mirror(reflecting: key).children.isEmpty)
        #expect(key == PreSharedKey(copying: Array("correct horse".utf8)))
        #expect(key != PreSharedKey(copying: Array("correct horsf".utf8)))
        #expect(key != PreSharedKey(copying: Array("correct hors".utf8)))
        #expect(key != PreSharedKey(copying: []))
    }
}
