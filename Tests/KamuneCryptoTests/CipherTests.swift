import KamuneCrypto
import KamuneTestSupport
import Testing

@Suite("XChaCha20-Poly1305 and HChaCha20")
struct CipherTests {
    @Test("HChaCha20, draft-irtf-cfrg-xchacha-03 §2.2.1")
    func hchacha20() {
        let key: HexBytes = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        let nonce: HexBytes = "000000090000004a0000000031415927"
        let expected: HexBytes = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
        var output = [UInt8](repeating: 0, count: 32)
        key.bytes.withUnsafeBytes { key in
            nonce.bytes.withUnsafeBytes { nonce in
                output.withUnsafeMutableBytes { HChaCha20.derive(key: key, nonce: nonce, into: $0) }
            }
        }
        #expect(output == expected.bytes)
    }

    static let draftKey: HexBytes = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
    static let draftNonce: HexBytes = "404142434445464748494a4b4c4d4e4f5051525354555657"
    static let draftData: HexBytes = "50515253c0c1c2c3c4c5c6c7"
    static let draftText = """
        Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.
        """
    static let draftCiphertext: HexBytes = """
        bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb
        96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e
        """
    static let draftTag: HexBytes = "c0875924c1c7987947deafd8780acf49"

    @Test("XChaCha20-Poly1305, draft-irtf-cfrg-xchacha-03 appendix A.3.1")
    func draft() throws {
        let cipher = try XChaCha20Poly1305(key: Self.draftKey.secret)
        let nonce = try XChaCha20Poly1305.Nonce(Self.draftNonce.bytes)
        let frame = Self.draftNonce.bytes + Self.draftCiphertext.bytes + Self.draftTag.bytes
        #expect(cipher.seal(Array(Self.draftText.utf8), nonce: nonce, associatedData: Self.draftData.bytes) == frame)
        #expect(try cipher.open(frame, associatedData: Self.draftData.bytes) == Array(Self.draftText.utf8))
    }

    @Test("a frame with any bit changed, cut at any length, or with other data does not open")
    func damaged() throws {
        let cipher = try XChaCha20Poly1305(key: Self.draftKey.secret)
        var random = SeededRandom(1)
        let frame = cipher.seal(
            Array("a short message".utf8), nonce: .random(using: &random), associatedData: [1, 2, 3])
        for index in frame.indices {
            for bit in 0..<8 {
                var altered = frame
                altered[index] ^= 1 << bit
                #expect(
                    thrownError { _ = try cipher.open(altered, associatedData: [1, 2, 3]) } == .authenticationFailed)
            }
            let cut = Array(frame[..<index])
            let error = thrownError { _ = try cipher.open(cut, associatedData: [1, 2, 3]) }
            #expect(
                error == (index < XChaCha20Poly1305.overhead ? .malformedCiphertext : .authenticationFailed), "\(index)"
            )
        }
        #expect(thrownError { _ = try cipher.open(frame, associatedData: [1, 2]) } == .authenticationFailed)
        #expect(thrownError { _ = try cipher.open(frame + [0], associatedData: [1, 2, 3]) } == .authenticationFailed)
        #expect(try cipher.open(frame, associatedData: [1, 2, 3]) == Array("a short message".utf8))
    }

    @Test("keys and nonces of a wrong size are refused")
    func sizes() {
        for count in [0, 31, 33] {
            #expect(
                thrownError {
                    _ = try XChaCha20Poly1305(key: SecretBytes(copying: [UInt8](repeating: 0, count: count)))
                }
                    == .invalidLength(expected: 32, actual: count))
        }
        #expect(
            thrownError { _ = try XChaCha20Poly1305.Nonce([1, 2, 3]) } == .invalidLength(expected: 24, actual: 3))
    }

    @Test("HKDF's longest output, and extraction and expansion one by one")
    func hkdf() {
        let secret = SecretBytes(copying: [UInt8](repeating: 0x0b, count: 22))
        let key = HKDFSHA512.extract(secret: secret, salt: Array(0...12))
        let whole = HKDFSHA512.derive(secret: secret, salt: Array(0...12), info: [1], count: HKDFSHA512.maximumCount)
        #expect(HKDFSHA512.expand(key: key, info: [1], count: HKDFSHA512.maximumCount).exposed() == whole.exposed())
        #expect(whole.count == 255 * 64)
    }
}

@Suite("The HPKE tunnel")
struct TunnelTests {
    @Test("frames open once, in order, on the other side, unaltered")
    func order() throws {
        var random = SeededRandom(2)
        let key = try TunnelPrivateKey.generate(using: &random)
        var encapsulator = SystemEncapsulator()
        let encapsulation = try encapsulator.encapsulateTunnel(to: key.publicKey)
        let encapsulatedKey = encapsulation.encapsulatedKey
        var sealer = encapsulation.sealer
        let frames = try (0..<3).map { try sealer.seal([UInt8($0)]) }

        func opener() throws -> TunnelOpener { try TunnelOpener(encapsulatedKey: encapsulatedKey, privateKey: key) }
        var right = try opener()
        for (index, frame) in frames.enumerated() { #expect(try right.open(frame) == [UInt8(index)]) }

        var repeated = try opener()
        _ = try repeated.open(frames[0])
        #expect(thrownError { _ = try repeated.open(frames[0]) } == .authenticationFailed)
        var skipping = try opener()
        #expect(thrownError { _ = try skipping.open(frames[1]) } == .authenticationFailed)
        for index in frames[0].indices {
            var altered = frames[0]
            altered[index] ^= 0x80
            var fresh = try opener()
            #expect(thrownError { _ = try fresh.open(altered) } == .authenticationFailed)
            var cut = try opener()
            #expect(thrownError { _ = try cut.open(Array(frames[0][..<index])) } != nil)
        }
    }

    @Test("what one side sealed does not open for itself")
    func reflection() throws {
        var random = SeededRandom(3)
        let alice = try TunnelPrivateKey.generate(using: &random)
        let bob = try TunnelPrivateKey.generate(using: &random)
        var encapsulator = SystemEncapsulator()
        let toBob = try encapsulator.encapsulateTunnel(to: bob.publicKey)
        var sealer = toBob.sealer
        let toAlice = try encapsulator.encapsulateTunnel(to: alice.publicKey)
        var fromBob = try TunnelOpener(encapsulatedKey: toAlice.encapsulatedKey, privateKey: alice)
        let frame = try sealer.seal([1, 2, 3])
        #expect(thrownError { _ = try fromBob.open(frame) } == .authenticationFailed)
    }

    @Test("an opener survives what does not open: the expected message still does")
    func persistence() throws {
        var random = SeededRandom(13)
        let key = try TunnelPrivateKey.generate(using: &random)
        var encapsulator = SystemEncapsulator()
        let encapsulation = try encapsulator.encapsulateTunnel(to: key.publicKey)
        var opener = try TunnelOpener(encapsulatedKey: encapsulation.encapsulatedKey, privateKey: key)
        var sealer = encapsulation.sealer
        let frames = try (0..<4).map { try sealer.seal([UInt8](repeating: UInt8($0), count: 5)) }
        for (index, frame) in frames.enumerated() {
            // Everything but the one that is due: earlier, later, altered in any bit, cut, or longer.
            for (other, wrong) in frames.enumerated() where other != index {
                #expect(thrownError { _ = try opener.open(wrong) } == .authenticationFailed)
            }
            for bit in 0..<(8 * frame.count) {
                var altered = frame
                altered[bit / 8] ^= 1 << (bit % 8)
                #expect(thrownError { _ = try opener.open(altered) } == .authenticationFailed)
            }
            for count in frame.indices {
                let error = thrownError { _ = try opener.open(Array(frame[..<count])) }
                #expect(error == (count < TunnelSuite.overhead ? .malformedCiphertext : .authenticationFailed))
            }
            #expect(thrownError { _ = try opener.open(frame + [0]) } == .authenticationFailed)
            #expect(try opener.open(frame) == [UInt8](repeating: UInt8(index), count: 5))
        }
    }

    @Test("an encapsulated key with any byte altered, or for somebody else, opens nothing")
    func alteredEncapsulation() throws {
        var random = SeededRandom(14)
        let key = try TunnelPrivateKey.generate(using: &random)
        let other = try TunnelPrivateKey.generate(using: &random)
        var encapsulator = SystemEncapsulator()
        let encapsulation = try encapsulator.encapsulateTunnel(to: key.publicKey)
        let encapsulatedKey = encapsulation.encapsulatedKey
        var sealer = encapsulation.sealer
        let frame = try sealer.seal([1, 2, 3])
        for index in encapsulatedKey.indices {
            var altered = encapsulatedKey
            altered[index] ^= 0x01
            #expect(
                thrownError {
                    var opener = try TunnelOpener(encapsulatedKey: altered, privateKey: key)
                    _ = try opener.open(frame)
                } == .authenticationFailed, "byte \(index)")
        }
        var misdirected = try TunnelOpener(encapsulatedKey: encapsulatedKey, privateKey: other)
        #expect(thrownError { _ = try misdirected.open(frame) } == .authenticationFailed)
        for count in [0, 1_119, 1_121] {
            let wrong = [UInt8](repeating: 1, count: count)
            #expect(
                thrownError { _ = try TunnelOpener(encapsulatedKey: wrong, privateKey: key) }
                    == .invalidLength(expected: 1_120, actual: count))
        }
        for point in Self.lowOrderPoints {
            for topBit in [UInt8(0), 0x80] {
                var bad = encapsulatedKey.dropLast(32) + point.bytes
                bad[bad.endIndex - 1] |= topBit
                #expect(
                    thrownError { _ = try TunnelOpener(encapsulatedKey: Array(bad), privateKey: key) }
                        == .lowOrderPoint)
            }
        }
    }

    @Test("contexts and seeds of a wrong size are refused")
    func sizes() {
        for (keySize, nonceSize) in [(31, 12), (33, 12), (0, 12), (32, 11), (32, 13), (32, 0)] {
            let expected = CryptoError.invalidLength(
                expected: keySize == 32 ? 12 : 32, actual: keySize == 32 ? nonceSize : keySize)
            let nonce = [UInt8](repeating: 0, count: nonceSize)
            let key = [UInt8](repeating: 0, count: keySize)
            #expect(
                thrownError { _ = try TunnelOpener(key: SecretBytes(copying: key), baseNonce: nonce) } == expected)
            #expect(
                thrownError { _ = try TunnelSealer(key: SecretBytes(copying: key), baseNonce: nonce) } == expected)
        }
        #expect(
            thrownError { _ = try TunnelPrivateKey(seed: SecretBytes(copying: [1])) }
                == .invalidLength(expected: 32, actual: 1))
        #expect(
            thrownError { _ = try MLKEM768PrivateKey(seed: SecretBytes(copying: [1])) }
                == .invalidLength(expected: 64, actual: 1))
        #expect(
            thrownError { _ = try X25519PrivateKey(seed: SecretBytes(copying: [1])) }
                == .invalidLength(expected: 32, actual: 1))
    }

    @Test("keys that cannot be keys are refused")
    func malformedKeys() throws {
        var random = SeededRandom(4)
        let key = try TunnelPrivateKey.generate(using: &random)
        var encapsulator = SystemEncapsulator()
        for count in [0, 1, 1_215, 1_217] {
            let short = [UInt8](repeating: 1, count: count)
            #expect(thrownError { _ = try encapsulator.encapsulateTunnel(to: short).encapsulatedKey } != nil)
        }
        // Coefficients beyond the modulus (FIPS 203 §7.2): the library itself only notices when the key is used.
        var badKEM = key.publicKey
        badKEM.replaceSubrange(0..<3, with: [0xff, 0xff, 0xff])
        #expect(thrownError { _ = try encapsulator.encapsulateTunnel(to: badKEM).encapsulatedKey } != nil)
        // Points of low order in the X25519 half (RFC 7748 §6.1).
        for point in Self.lowOrderPoints {
            let bad = Array(key.publicKey.prefix(1_184)) + point.bytes
            #expect(thrownError { _ = try encapsulator.encapsulateTunnel(to: bad).encapsulatedKey } == .lowOrderPoint)
        }
        for count in [0, 1_119, 1_121] {
            let short = [UInt8](repeating: 1, count: count)
            #expect(thrownError { _ = try TunnelOpener(encapsulatedKey: short, privateKey: key) } != nil)
        }
    }

    static let lowOrderPoints: [HexBytes] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]
}
