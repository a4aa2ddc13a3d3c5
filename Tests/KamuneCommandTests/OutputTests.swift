import ArgumentParser
import Foundation
import Kamune
import KamuneNode
import KamuneTerminal
import Testing

@testable import KamuneCommand

@Suite("What is printed")
struct OutputTests {
    @Test("every error of the library has its exit code")
    func exitCodes() {
        let expected: [(KamuneError.Code, Int32)] = [
            (.refusedByPeer, 2), (.refusedByUs, 3), (.unreachable, 4), (.nameNotResolved, 4), (.timedOut, 5),
            (.protocolViolation, 6), (.authenticationFailed, 6), (.incompatible, 6), (.connectionLost, 7),
            (.sessionEnded, 7), (.addressUnavailable, 8), (.invalidAddress, 64), (.cancelled, 130), (.system, 1),
            (.misuse, 1), (.overloaded, 1), (.messageTooLarge, 1),
        ]
        for (code, status) in expected {
            #expect(Failure(KamuneError(code, "x")).status.rawValue == status, "\(code)")
        }
    }

    @Test("exit codes are distinct and explained")
    func table() {
        #expect(Set(ExitStatus.allCases.map(\.rawValue)).count == ExitStatus.allCases.count)
        // However it is broken into rows, none of which a narrow terminal has to break.
        let words = ExitStatus.table.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for status in ExitStatus.allCases { #expect(words.contains("\(status.rawValue) \(status.meaning)")) }
        #expect(ExitStatus.table.split(separator: "\n").allSatisfy { $0.count < 80 })
    }

    @Test("an error that repeats what a peer said is made fit to be shown")
    func cleanErrors() {
        #expect(Failure(KamuneError(.protocolViolation, "bad \u{1B}[2J name")).message == "bad \u{FFFD}[2J name")
    }

    @Test("an ending is success when there was something to end")
    func endings() {
        #expect(ChatEnding.quit.failure(wasUnderWay: true) == nil)
        #expect(ChatEnding.quit.failure(wasUnderWay: false)?.status == .interrupted)
        #expect(ChatEnding.signal(SIGINT).failure(wasUnderWay: true) == nil)
        #expect(ChatEnding.signal(SIGINT).failure(wasUnderWay: false)?.status == .interrupted)
        #expect(ChatEnding.signal(SIGTERM).failure(wasUnderWay: false)?.status == .terminated)
        #expect(ChatEnding.ended(ConversationEnd(by: .peer, error: nil)).failure(wasUnderWay: true) == nil)
        #expect(ChatEnding.ended(ConversationEnd(by: .us, error: nil)).failure(wasUnderWay: true) == nil)
        let lost = ChatEnding.ended(
            ConversationEnd(by: .failure, error: NodeError(.connectionLost, "gone")))
        #expect(lost.failure(wasUnderWay: true)?.status == .connectionLost)
    }

    @Test("colours need a terminal that can, and no NO_COLOR")
    func colours() {
        #expect(Style.isWanted(isTerminal: true, environment: EnvironmentVariables(["TERM": "xterm"])))
        #expect(!Style.isWanted(isTerminal: false, environment: EnvironmentVariables(["TERM": "xterm"])))
        #expect(
            !Style.isWanted(isTerminal: true, environment: EnvironmentVariables(["TERM": "xterm", "NO_COLOR": "0"])))
        #expect(Style.isWanted(isTerminal: true, environment: EnvironmentVariables(["TERM": "xterm", "NO_COLOR": ""])))
        #expect(!Style.isWanted(isTerminal: true, environment: EnvironmentVariables(["TERM": "dumb"])))
        #expect(!Style.isWanted(isTerminal: true, environment: EnvironmentVariables([:])))
        #expect(Style(isEnabled: false)(.warning, "x") == "x")
        #expect(Style(isEnabled: true)(.strong, "x") == "\u{1B}[1mx\u{1B}[0m")
    }

    @Test(
        "durations",
        arguments: [
            (Duration.zero, "0.00 ms"), (.microseconds(1_234), "1.23 ms"), (.seconds(61), "61000.00 ms"),
            (.nanoseconds(9_999), "0.00 ms"), (.microseconds(50), "0.05 ms"), (.seconds(Int64.max / 2), "very long"),
        ])
    func durations(duration: Duration, expected: String) {
        #expect(Times.milliseconds(duration) == expected)
    }

    @Test(
        "times for programs are in UTC, and whatever a peer says is some time",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_784_937_599.25, "2026-07-24T23:59:59.250Z"),
            (-0.5, "1969-12-31T23:59:59.500Z"), (.infinity, "9999-12-31T23:59:59.000Z"),
            (-.infinity, "1000-01-01T00:00:00.000Z"), (.nan, "1970-01-01T00:00:00.000Z"),
        ] as [(Double, String)])
    func stamps(seconds: Double, expected: String) {
        let date = Date(timeIntervalSince1970: seconds)
        #expect(Times.stamp(date) == expected)
        #expect(!Times.local(date).isEmpty && !Times.ofDay(date).isEmpty)
    }

    @Test("local times are parts of one another")
    func localTimes() {
        let date = Date(timeIntervalSince1970: 1_784_937_599)
        #expect(Times.local(date).wholeMatch(of: #/2026-07-2[45] \d\d:\d\d:59/#) != nil)
        #expect(Times.local(date).hasPrefix(Times.localMinute(date)))
        #expect(Times.localMinute(date).hasPrefix(Times.localDay(date)))
        #expect(Times.zone(date).wholeMatch(of: #/[+-]\d{4}/#) != nil)
    }

    @Test("a flood of events is a few lines")
    func limiter() {
        var limiter = ReportLimiter()
        let start = Duration.seconds(77)
        let first = (0..<100).map { _ in limiter.admit(at: start) }
        #expect(first.prefix(5).allSatisfy { $0 == .tell(missed: 0) })
        #expect(first[5] == .tellLast)
        #expect(first.dropFirst(6).allSatisfy { $0 == .drop })
        #expect(limiter.admit(at: start + .seconds(9)) == .drop)
        #expect(limiter.admit(at: start + .seconds(10)) == .tell(missed: 96))
        #expect(limiter.admit(at: start + .seconds(10)) == .tell(missed: 0))
    }

    @Test("cards show every form of a fingerprint, and no ML-DSA key in full", arguments: IdentityAlgorithm.allCases)
    func cards(algorithm: IdentityAlgorithm) throws {
        let identity = try Identity.generate(algorithm).publicKey
        let card = FingerprintCard.rows(identity, name: "Ada").joined(separator: "\n")
        let fingerprint = identity.fingerprint
        for part in [fingerprint.sum, fingerprint.pseudonym, fingerprint.emoji.joined(separator: " "), "“Ada”"] {
            #expect(card.contains(part))
        }
        let joined = card.filter { $0.isHexDigit }
        #expect(joined.contains(fingerprint.hex.filter(\.isHexDigit)) == (algorithm == .ed25519))
        #expect(card.split(separator: "\n").allSatisfy { TextWidth.of($0) <= 80 })
    }

    @Test("peers without a name are shown by pseudonym")
    func names() throws {
        let identity = try Identity.generate().publicKey
        func peer(_ name: String) -> Peer { Peer(name: name, identity: identity, version: "0.7.0", capabilities: []) }
        #expect(PeerName.shown(for: peer("Ada")).description == "Ada")
        #expect(PeerName.shown(for: peer("Ada"), knownAs: "Ada L.").description == "Ada L.")
        #expect(PeerName.shown(for: peer("A\u{1B}da")).description == "A\u{FFFD}da")
        for nameless in ["", " \n", "\u{200B}", identity.fingerprint.sum] {
            #expect(PeerName.shown(for: peer(nameless)).description == identity.fingerprint.pseudonym)
        }
        #expect(PeerName.claimed(by: peer(String(repeating: "x", count: 1_000))).description.count == 64)
    }
}
