// Identities, fingerprints and the options of transports are part of this library's interface, so one import brings them all.
@_exported public import enum KamuneCrypto.CipherSuite
@_exported public import enum KamuneCrypto.CryptoError
@_exported public import struct KamuneCrypto.Fingerprint
@_exported public import struct KamuneCrypto.Identity
@_exported public import enum KamuneCrypto.IdentityAlgorithm
@_exported public import struct KamuneCrypto.PublicIdentity
@_exported public import struct KamuneCrypto.SecretBytes
@_exported public import enum KamuneProtocol.HandshakeRefusal
@_exported public import struct KamuneProtocol.Reconnection
@_exported public import struct KamuneProtocol.Succession
@_exported public import struct KamuneProtocol.SuccessionStatement
@_exported public import enum KamuneStore.AcceptanceGrounds
@_exported public import enum KamuneTransport.CongestionControl
@_exported public import struct KamuneTransport.UDPOptions
