import KamuneCrypto

extension Envelope {
    /// Signs a message, wraps it and pads it: the plaintext of a frame (§4.1).
    ///
    /// - Parameters:
    ///   - dataSize: The exact size of what `appendData` appends.
    ///   - paddingPrefix: What the padding begins with, for additions that 0.7 must not notice. The padding is at least
    ///     as long as this whenever the message is a challenge; where it is shorter, the prefix is cut.
    ///   - largestBucket: The last bucket that a random raise may reach.
    ///   - limits: What the way to the peer carries.
    static func seal(
        metadata: Metadata,
        dataSize: Int,
        appendData: (inout [UInt8]) -> Void,
        signedBy identity: Identity,
        paddingPrefix: [UInt8] = [],
        largestBucket: Int = .max,
        limits: FrameLimits = .none,
        random: inout some RandomSource
    ) throws(ProtocolError) -> [UInt8] {
        guard dataSize <= ProtocolConstants.maximumTransportSize else {
            throw .misuse(.messageTooLarge(size: dataSize, limit: ProtocolConstants.maximumTransportSize))
        }
        var metadataBytes: [UInt8] = []
        metadataBytes.reserveCapacity(64)
        metadata.encode(to: &metadataBytes)

        var signingInput = Self.signingInput(metadata: metadataBytes, dataSize: dataSize)
        let dataStart = signingInput.count
        appendData(&signingInput)
        let signature: [UInt8]
        do {
            signature = try identity.sign(signingInput)
        } catch {
            throw .system(.cryptography)
        }
        return try assemble(
            data: signingInput[dataStart...], signature: signature, metadata: metadataBytes,
            paddingPrefix: paddingPrefix, largestBucket: largestBucket, limits: limits, random: &random)
    }

    /// What a signature covers: label || varint(length of metadata) || metadata || data (§4.1). The data is appended by
    /// the caller, so that a large message is copied once.
    static func signingInput(metadata: some Collection<UInt8>, dataSize: Int) -> [UInt8] {
        let label = ProtocolConstants.signatureLabel.utf8
        var input: [UInt8] = []
        input.reserveCapacity(label.count + 2 + metadata.count + dataSize)
        input.append(contentsOf: label)
        WireWriter.appendVarint(UInt64(metadata.count), to: &input)
        input.append(contentsOf: metadata)
        return input
    }

    private static func assemble(
        data: ArraySlice<UInt8>, signature: [UInt8], metadata: [UInt8], paddingPrefix: [UInt8],
        largestBucket: Int, limits: FrameLimits, random: inout some RandomSource
    ) throws(ProtocolError) -> [UInt8] {
        let fields = [(Field.data, data), (Field.signature, signature[...]), (Field.metadata, metadata[...])]
            .filter { !$0.1.isEmpty }
        let base = fields.reduce(0) { $0 + WireWriter.fieldSize(contentSize: $1.1.count) }
        let paddingCount = Padding.count(
            base: base, bump: Padding.randomBump(using: &random), largestBucket: largestBucket, limits: limits)

        var output: [UInt8] = []
        output.reserveCapacity(base + paddingCount + 4)
        for (field, content) in fields {
            WireWriter.appendField(field, content, to: &output)
        }
        if paddingCount > 0 {
            WireWriter.appendFieldHeader(Field.padding, contentSize: paddingCount, to: &output)
            let prefix = paddingPrefix.prefix(paddingCount)
            output.append(contentsOf: prefix)
            random.append(paddingCount - prefix.count, to: &output)
        }
        return output
    }
}
