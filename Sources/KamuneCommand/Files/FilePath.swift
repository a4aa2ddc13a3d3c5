import ArgumentParser
import KamuneSystem
import KamuneTerminal

/// The path of a file, as the system has it: bytes, which need not be UTF-8.
struct FilePath: Hashable, Sendable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(_ text: String) {
        self.init(bytes: Array(text.utf8))
    }

    /// A file in this directory.
    func file(_ name: String) -> FilePath {
        FilePath(bytes: bytes + Array("/\(name)".utf8))
    }

    /// The same with a text at its end.
    static func + (path: FilePath, suffix: String) -> FilePath {
        FilePath(bytes: path.bytes + Array(suffix.utf8))
    }

    /// The directory that the file is in.
    var parent: FilePath {
        let slash = UInt8(ascii: "/")
        guard let last = bytes.lastIndex(of: slash) else { return "." }
        return last == 0 ? "/" : FilePath(bytes: Array(bytes[..<last]))
    }

    /// Whether it begins at the root.
    var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

    /// The same from the root on, for who may be in another directory.
    var absolute: FilePath {
        if isAbsolute { return self }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return self }
        let directory = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return FilePath(bytes: directory + [UInt8(ascii: "/")] + bytes)
    }

    /// The path as a text, for those who take no other.
    ///
    /// - Throws: ``FileFailure/notText(path:)`` when it is none.
    func text() throws(FileFailure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notText(path: self) }
        return text
    }

    /// The path for people; what is not fit to be shown is replaced.
    var shown: TerminalText { TerminalText(String(decoding: bytes, as: UTF8.self)) }

    /// Lends the path to a system call.
    func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Neither an argument nor a variable can hold a zero byte; the call takes the path up to one.
        let characters = bytes.map { CChar(bitPattern: $0) } + [0]
        return try characters.withUnsafeBufferPointer { buffer throws(Failure) in
            guard let base = buffer.baseAddress else { preconditionFailure("an array that is not empty has memory") }
            return try body(base)
        }
    }
}

extension FilePath: ExpressibleByStringLiteral {
    init(stringLiteral text: String) {
        self.init(text)
    }
}

extension FilePath: ExpressibleByArgument {
    init?(argument: String) {
        self.init(bytes: ArgumentText.decode(argument))
    }
}
