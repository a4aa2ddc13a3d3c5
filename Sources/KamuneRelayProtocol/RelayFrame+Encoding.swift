extension RelayFrame {
    /// The frame's bytes, in the order of the fields, without those that are zero or empty, as the Go library writes them.
    ///
    /// - Throws: ``RelayProtocolError/messageTooLarge(size:)`` when a message, a token or a key does not fit a frame.
    public func encoded() throws(RelayProtocolError) -> [UInt8] {
        var output: [UInt8] = []
        switch self {
        case .message(let data): return try Self.encoded(message: data)
        case .register(let registration):
            var body = Body(content: registration.token)
            // A negative number is written as ten bytes, as if it had 64 bits.
            body.append(Field.mode, UInt64(bitPattern: Int64(registration.mode)))
            body.append(Field.extensions, UInt64(registration.extensions.rawValue))
            body.close(Field.register, into: &output)
        case .registered(let registered):
            var body = Body(content: registered.token)
            body.append(Field.tokenLifetime, UInt64(registered.tokenLifetime))
            body.append(Field.sessionLifetime, UInt64(registered.sessionLifetime))
            body.append(Field.extensions, UInt64(registered.extensions.rawValue))
            body.close(Field.registered, into: &output)
        case .ping: Body().close(Field.ping, into: &output)
        case .pong: Body().close(Field.pong, into: &output)
        case .auth(let key, let extensions):
            var body = key.withUnsafeBytes { Body(content: $0) }
            body.append(Field.extensions, UInt64(extensions.rawValue))
            body.close(Field.auth, into: &output)
        case .refused(let reason):
            var body = Body()
            body.append(Field.reason, UInt64(reason.code))
            body.close(Field.refused, into: &output)
        case .unknown: break
        }
        guard output.count <= RelayLimits.maximumPlaintextSize else { throw .messageTooLarge(size: output.count) }
        return output
    }

    /// The bytes of a message's frame.
    ///
    /// - Throws: ``RelayProtocolError/messageTooLarge(size:)``.
    public static func encoded(message data: some Collection<UInt8>) throws(RelayProtocolError) -> [UInt8] {
        guard data.count <= RelayLimits.maximumMessageSize else { throw .messageTooLarge(size: data.count) }
        var output: [UInt8] = []
        output.reserveCapacity(data.count + 8)
        let inner = data.isEmpty ? 0 : 1 + Body.varintSize(UInt64(data.count)) + data.count
        Body.appendHeader(Field.message, size: inner, to: &output)
        if !data.isEmpty {
            Body.appendHeader(Field.content, size: data.count, to: &output)
            output.append(contentsOf: data)
        }
        return output
    }

    /// A message within a frame, as its fields are added.
    private struct Body {
        private var bytes: [UInt8] = []

        init() {}

        init(content: some Collection<UInt8>) {
            // Like every empty field, an empty content is not written.
            guard !content.isEmpty else { return }
            Self.appendHeader(Field.content, size: content.count, to: &bytes)
            bytes.append(contentsOf: content)
        }

        mutating func append(_ field: UInt32, _ value: UInt64) {
            guard value != 0 else { return }
            Self.appendVarint(UInt64(field) << 3, to: &bytes)
            Self.appendVarint(value, to: &bytes)
        }

        func close(_ kind: UInt32, into output: inout [UInt8]) {
            Self.appendHeader(kind, size: bytes.count, to: &output)
            output.append(contentsOf: bytes)
        }

        static func varintSize(_ value: UInt64) -> Int {
            value < 0x80 ? 1 : (70 - value.leadingZeroBitCount) / 7
        }

        /// The tag and the length of a field whose value follows.
        static func appendHeader(_ field: UInt32, size: Int, to output: inout [UInt8]) {
            appendVarint(UInt64(field) << 3 | 2, to: &output)
            appendVarint(UInt64(size), to: &output)
        }

        static func appendVarint(_ value: UInt64, to output: inout [UInt8]) {
            var rest = value
            while rest >= 0x80 {
                output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            output.append(UInt8(truncatingIfNeeded: rest))
        }
    }
}
