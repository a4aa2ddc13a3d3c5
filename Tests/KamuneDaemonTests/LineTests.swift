import Foundation
import KamuneSystem
import Testing

@testable import KamuneDaemon

@Suite("Lines")
struct LineTests {
    private func cut(_ pieces: [String], limit: Int = 8) -> [LineCutter.Cut] {
        var cutter = LineCutter(limit: limit)
        var cuts: [LineCutter.Cut] = []
        for piece in pieces {
            cuts += Array(piece.utf8).withUnsafeBytes { cutter.take($0) }
            #expect(cutter.heldCount <= limit)
        }
        return cuts + cutter.finish()
    }

    private func line(_ text: String) -> LineCutter.Cut { .line(Array(text.utf8)) }

    @Test("Lines are cut wherever they come apart")
    func cutting() {
        #expect(cut(["a\nb", "c\n", "\r\nd\r", "\ne"]) == [line("a"), line("bc"), line(""), line("d"), line("e")])
        #expect(cut([]) == [])
        #expect(cut(["\n"]) == [line("")])
    }

    @Test("A line that is too long is told once, and the next is followed")
    func tooLong() {
        #expect(cut(["12345678\n123456789\nx\n"]) == [line("12345678"), .tooLong, line("x")])
        #expect(cut(["1234", "5678", "9", "0123456789", "\nx"]) == [.tooLong, line("x")])
        #expect(cut(["123456789"]) == [.tooLong])
    }

    @Test("A line of 100 MiB is not held")
    func hugeLine() {
        var cutter = LineCutter()
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        var cuts: [LineCutter.Cut] = []
        for _ in 0..<100 {
            cuts += piece.withUnsafeBytes { cutter.take($0) }
            #expect(cutter.heldCount <= DaemonLimits.lineSize)
        }
        #expect(cuts == [.tooLong])
        cuts = Array("\n{}\n".utf8).withUnsafeBytes { cutter.take($0) }
        #expect(cuts == [line("{}")])
    }

    @Test("Times are written as RFC 3339 has them")
    func instants() {
        #expect(Instant(Date(timeIntervalSince1970: 0)).description == "1970-01-01T00:00:00Z")
        #expect(Instant(Date(timeIntervalSince1970: 1_709_208_000.25)).description == "2024-02-29T12:00:00.25Z")
        #expect(Instant(Date(timeIntervalSince1970: -1)).description == "1969-12-31T23:59:59Z")
        #expect(Instant(Date(timeIntervalSince1970: 0.9999999)).description == "1970-01-01T00:00:01Z")
        #expect(Instant(.distantFuture).description == "4001-01-01T00:00:00Z")
        #expect(Instant(Date(timeIntervalSince1970: .infinity)).description == Instant.none)
        #expect(Instant(Date(timeIntervalSince1970: .nan)).description == Instant.none)
        #expect(Instant(Date(timeIntervalSince1970: 1e300)).description == Instant.none)
    }

    @Test("Base64 is read and written")
    func base64() {
        for size in 0..<70 {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 200) }
            let text = Base64Text.encode(bytes)
            #expect(text == Data(bytes).base64EncodedString())
            #expect(Base64Text.decode(text, isStrict: true) == bytes)
            let loose = text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            #expect(Base64Text.decode(loose, isStrict: false) == bytes)
        }
        for wrong in ["A", "A===", "AA", "AAA", "AA=A", "AAAA=", "====", "A*AA", "AA-A", "é", "AAAAA==="] {
            #expect(Base64Text.decode(wrong, isStrict: true) == nil, "\(wrong)")
        }
        #expect(Base64Text.decode("AA\r\n==\n", isStrict: true) == [0])
    }

    @Test("An address is taken apart")
    func hostPort() {
        #expect(HostPort.split("[::1]:80") == ("::1", "80"))
        #expect(HostPort.split("a.b:9") == ("a.b", "9"))
        #expect(HostPort.split("a") == ("a", ""))
        #expect(HostPort.join("::1", "80") == "[::1]:80")
    }
}
