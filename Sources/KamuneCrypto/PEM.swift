/// One block of PEM (RFC 7468): within it the strict form of §3, without headers; around it any text, as §2 has it and
/// “openssl … -text” writes it. Lines may be indented, and a byte order mark may stand in front.
enum PEM {
    /// The labels that we write and read (RFC 7468 §10 and §13).
    static let privateKeyLabel = "PRIVATE KEY"
    static let publicKeyLabel = "PUBLIC KEY"

    private static let encryptedLabel = "ENCRYPTED PRIVATE KEY"
    private static let lineLength = 64

    /// The longest label that an error repeats.
    private static let maximumLabelLength = 64

    /// Writes a block: lines of 64 characters, each with a line feed.
    static func encode(_ der: UnsafeRawBufferPointer, label: String) -> SecretBytes {
        let begin = Array("-----BEGIN \(label)-----\n".utf8)
        let end = Array("-----END \(label)-----\n".utf8)
        let body = Base64.encodedSize(der.count)
        let lines = (body + lineLength - 1) / lineLength
        let size = begin.count + body + lines + end.count
        return SecretBytes(unsafeUninitializedCapacity: size) { text in
            text.copyBytes(from: begin)
            // The body is encoded to where its last line ends, then its lines move forward to their places.
            let source = begin.count + lines
            Base64.encode(der, into: UnsafeMutableRawBufferPointer(rebasing: text[source..<(source + body)]))
            for line in 0..<lines {
                let length = min(lineLength, body - line * lineLength)
                let target = begin.count + line * (lineLength + 1)
                for offset in 0..<length {
                    text[target + offset] = text[source + line * lineLength + offset]
                }
                text[target + length] = UInt8(ascii: "\n")
            }
            UnsafeMutableRawBufferPointer(rebasing: text[(size - end.count)...]).copyBytes(from: end)
        }
    }

    /// Reads a block and returns what it holds.
    ///
    /// - Throws: ``CryptoError/encryptedKey``, ``CryptoError/unexpectedPEMLabel(found:expected:)`` or
    ///   ``CryptoError/malformedPEM(reason:)``.
    static func decode(_ text: UnsafeRawBufferPointer, label: String) throws(CryptoError) -> SecretBytes {
        if text.starts(with: [0xff, 0xfe]) || text.starts(with: [0xfe, 0xff]) {
            throw .malformedPEM(reason: "it is in UTF-16; save it in UTF-8")
        }
        var lines = Lines(text)
        guard let found = nextLabel(&lines) else {
            let isBlank = text.allSatisfy { Lines.blanks.contains($0) || $0 == UInt8(ascii: "\n") }
            throw .malformedPEM(reason: isBlank ? "it is empty" : "it has no line “-----BEGIN …-----”")
        }
        guard found != encryptedLabel else { throw .encryptedKey }

        let body = SecretBody(capacity: text.count)
        var endLabel: String?
        while endLabel == nil {
            guard let current = lines.next() else { throw .malformedPEM(reason: "it has no END line") }
            if current.first == UInt8(ascii: "-") {
                guard let found = Self.label(of: current, after: "-----END ") else {
                    throw .malformedPEM(reason: "its END line is malformed")
                }
                endLabel = found
            } else if current.starts(with: "Proc-Type:".utf8) && current.hasSuffix("ENCRYPTED") {
                throw .encryptedKey
            } else {
                guard !current.contains(UInt8(ascii: ":")) else {
                    throw .malformedPEM(reason: "it has headers before its body")
                }
                body.append(current)
            }
        }
        guard found == label else { throw .unexpectedPEMLabel(found: found, expected: label) }
        guard endLabel == label else { throw .malformedPEM(reason: "BEGIN and END name different things") }
        guard nextLabel(&lines) == nil else { throw .malformedPEM(reason: "it holds more than one block") }
        guard let contents = body.decoded() else { throw .malformedPEM(reason: "its body is not base64") }
        guard contents.count > 0 else { throw .malformedPEM(reason: "its body is empty") }
        return contents
    }

    /// What the next block is called; nil when none begins any more.
    private static func nextLabel(_ lines: inout Lines) -> String? {
        while let line = lines.next() {
            if let label = label(of: line, after: "-----BEGIN ") { return label }
        }
        return nil
    }

    private static func label(of line: UnsafeRawBufferPointer, after prefix: String) -> String? {
        guard line.starts(with: prefix.utf8), line.hasSuffix("-----"), line.count >= prefix.utf8.count + 5 else {
            return nil
        }
        let label = line[prefix.utf8.count..<(line.count - 5)]
        guard !label.isEmpty, label.count <= maximumLabelLength,
            label.allSatisfy({ (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "-") })
        else { return nil }
        return String(decoding: label, as: UTF8.self)
    }

    /// The lines of a text without what ends them, LF or CR LF, and without blanks around them.
    private struct Lines {
        static let blanks: Set<UInt8> = [0x20, 0x09, 0x0d]
        private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

        private var rest: Slice<UnsafeRawBufferPointer>

        init(_ text: UnsafeRawBufferPointer) {
            rest = text.starts(with: Self.byteOrderMark) ? text.dropFirst(Self.byteOrderMark.count) : text[...]
        }

        mutating func next() -> UnsafeRawBufferPointer? {
            guard !rest.isEmpty else { return nil }
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            var line = rest[..<end]
            rest = end == rest.endIndex ? rest[end...] : rest[(end + 1)...]
            while let last = line.last, Self.blanks.contains(last) { line = line.dropLast() }
            while let first = line.first, Self.blanks.contains(first) { line = line.dropFirst() }
            return UnsafeRawBufferPointer(rebasing: line)
        }
    }

    /// Collects the body's characters in memory that is erased.
    private final class SecretBody {
        private let memory: UnsafeMutableRawBufferPointer
        private var count = 0

        init(capacity: Int) {
            memory = .allocate(byteCount: capacity, alignment: 1)
        }

        deinit {
            erase(memory)
            memory.deallocate()
        }

        /// Lines are disjoint parts of the text that gave the capacity, so they fit.
        func append(_ line: UnsafeRawBufferPointer) {
            UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: line)
            count += line.count
        }

        func decoded() -> SecretBytes? {
            Base64.decode(UnsafeRawBufferPointer(rebasing: memory[..<count]))
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func hasSuffix(_ suffix: String) -> Bool {
        self.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }
}
