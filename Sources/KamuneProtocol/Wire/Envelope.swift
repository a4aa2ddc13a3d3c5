import KamuneCrypto

/// The envelope around every message (§4.1): data, signature, metadata, padding. As it arrives, nothing in it can be
/// believed yet; ``verified(by:)`` turns it into what can.
struct Envelope: Sendable {
    enum Field {
        static let data: UInt8 = 1
        static let signature: UInt8 = 2
        static let metadata: UInt8 = 3
        static let padding: UInt8 = 4
    }

    private let bytes: [UInt8]
    private var dataRange = 0..<0
    private var signatureRange = 0..<0
    private var metadataRange = 0..<0
    private var paddingRange = 0..<0

    /// Reads the plaintext of a frame. No signature is checked here.
    init(parsing plaintext: [UInt8]) throws(ProtocolError) {
        bytes = plaintext
        var data = 0..<0
        var signature = 0..<0
        var metadata = 0..<0
        var padding = 0..<0
        do {
            try plaintext.withBytes { buffer throws(WireReader.Malformed) in
                var reader = WireReader(buffer)
                while let tag = try reader.nextTag() {
                    switch (tag.field, tag.type) {
                    case (UInt32(Field.data), .lengthDelimited): data = try reader.lengthDelimited()
                    case (UInt32(Field.signature), .lengthDelimited): signature = try reader.lengthDelimited()
                    case (UInt32(Field.metadata), .lengthDelimited): metadata = try reader.lengthDelimited()
                    case (UInt32(Field.padding), .lengthDelimited): padding = try reader.lengthDelimited()
                    default: try reader.skip(tag)
                    }
                }
            }
        } catch {
            throw .peerMisbehaved(.malformedEnvelope(reason: error.reason))
        }
        dataRange = data
        signatureRange = signature
        metadataRange = metadata
        paddingRange = padding
    }

    /// The route that the envelope claims, before any signature is checked: needed only to tell an introduction from a
    /// request to resume, which name the key to check with.
    func claimedRoute() throws(ProtocolError) -> Route? {
        try decodeMetadata().route
    }

    /// The message as it arrived, not yet believed: an introduction holds the very key that its signature is checked with.
    var unverifiedData: ArraySlice<UInt8> { bytes[dataRange] }

    /// Checks the signature, then decodes the metadata.
    func verified(by identity: PublicIdentity) throws(ProtocolError) -> VerifiedEnvelope {
        var input = Self.signingInput(metadata: bytes[metadataRange], dataSize: dataRange.count)
        input.append(contentsOf: bytes[dataRange])
        guard identity.isValidSignature(bytes[signatureRange], for: input) else {
            throw .authenticationFailed(.invalidSignature)
        }
        return VerifiedEnvelope(
            metadata: try decodeMetadata(), data: bytes[dataRange], padding: bytes[paddingRange])
    }

    private func decodeMetadata() throws(ProtocolError) -> Metadata {
        do {
            return try bytes.withBytes { buffer throws(WireReader.Malformed) in
                try Metadata(decoding: UnsafeRawBufferPointer(rebasing: buffer[metadataRange]))
            }
        } catch {
            throw .peerMisbehaved(.malformedEnvelope(reason: "metadata: \(error.reason)"))
        }
    }
}

/// An envelope whose signature was found right. Only ``Envelope/verified(by:)`` makes one.
struct VerifiedEnvelope: Sendable {
    let metadata: Metadata
    /// The encoded inner message.
    let data: ArraySlice<UInt8>
    let padding: ArraySlice<UInt8>

    fileprivate init(metadata: Metadata, data: ArraySlice<UInt8>, padding: ArraySlice<UInt8>) {
        self.metadata = metadata
        self.data = data
        self.padding = padding
    }

    /// The message, if it bears the one route that is due.
    func expecting(_ route: Route) throws(ProtocolError) -> VerifiedEnvelope {
        guard metadata.route == route else {
            throw .peerMisbehaved(.unexpectedRoute(expected: route, actual: metadata.route))
        }
        return self
    }
}
