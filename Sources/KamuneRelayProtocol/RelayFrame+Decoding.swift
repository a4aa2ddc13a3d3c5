extension RelayFrame {
    /// Reads a frame. What is not understood within it is ignored, and of a kind that comes twice the parts are merged, as
    /// protobuf has it.
    ///
    /// - Throws: ``RelayProtocolError/malformedFrame(reason:)``. Version 0.7 ignores such a frame and goes on.
    public init(decoding plaintext: [UInt8]) throws(RelayProtocolError) {
        let fields: Result<Fields, RelayProtocolError> = plaintext.withUnsafeBytes { bytes in
            do throws(RelayProtocolError) {
                return .success(try Fields(bytes))
            } catch {
                return .failure(error)
            }
        }
        self = try fields.get().frame(of: plaintext)
    }

    /// What was found so far, as places within the bytes.
    private struct Fields {
        private var kind: UInt32?
        private var content = 0..<0
        private var numbers: (first: UInt64, second: UInt64, third: UInt64, extensions: UInt64) = (0, 0, 0, 0)

        init(_ bytes: UnsafeRawBufferPointer) throws(RelayProtocolError) {
            var reader = FieldReader(bytes, 0..<bytes.count)
            while let field = try reader.next() {
                guard case .bytes(let number, let range) = field, Self.kinds.contains(number) else { continue }
                if kind != number {
                    self = Fields(kind: number)
                }
                try merge(bytes, range)
            }
        }

        private init(kind: UInt32) {
            self.kind = kind
        }

        private static let kinds: [UInt32] = [
            Field.register, Field.registered, Field.message, Field.ping, Field.pong, Field.auth, Field.refused,
        ]

        private mutating func merge(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(RelayProtocolError) {
            var reader = FieldReader(bytes, range)
            while let field = try reader.next() {
                switch field {
                case .bytes(Field.content, let range): content = range
                case .number(1, let value): numbers.first = value
                case .number(2, let value): numbers.second = value
                case .number(3, let value): numbers.third = value
                case .number(Field.extensions, let value): numbers.extensions = value
                case .number, .bytes, .other: break
                }
            }
        }

        func frame(of plaintext: [UInt8]) -> RelayFrame {
            let extensions = RelayExtensions(rawValue: UInt32(truncatingIfNeeded: numbers.extensions))
            switch kind {
            case Field.register:
                return .register(
                    Registration(
                        mode: Int32(truncatingIfNeeded: numbers.second), token: Array(plaintext[content]),
                        extensions: extensions))
            case Field.registered:
                return .registered(
                    Registered(
                        token: Array(plaintext[content]),
                        tokenLifetime: UInt32(truncatingIfNeeded: numbers.second),
                        sessionLifetime: UInt32(truncatingIfNeeded: numbers.third), extensions: extensions))
            case Field.message: return .message(plaintext[content])
            case Field.ping: return .ping
            case Field.pong: return .pong
            case Field.auth: return .auth(PreSharedKey(copying: plaintext[content]), extensions: extensions)
            case Field.refused: return .refused(RelayRefusal(code: UInt32(truncatingIfNeeded: numbers.first)))
            default: return .unknown
            }
        }
    }
}
