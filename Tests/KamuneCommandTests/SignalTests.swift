import Foundation
import KamuneSystem
import Synchronization
import Testing

@testable import KamuneCommand

@Suite("Signals and streams that wait")
struct SignalTests {
    @Test("a signal ends at once, unless there is something to conclude: then the first one asks")
    func rule() {
        var rule = SignalRule()
        for number in SignalRule.asking { #expect(rule.received(number) == .end) }
        #expect(rule.received(SIGTSTP) == .stop)
        #expect(rule.received(SIGCONT) == .resume)
        #expect(rule.received(SIGWINCH) == .resize)
        #expect(rule.received(SIGUSR1) == .ignore)
        for first in [SIGINT, SIGTERM, SIGHUP] {
            for second in SignalRule.asking {
                var rule = SignalRule()
                rule.concludesFirst = true
                #expect(rule.received(SIGTSTP) == .stop)
                #expect(rule.received(first) == .ask)
                #expect(rule.received(SIGCONT) == .resume)
                #expect(rule.received(second) == .end)
            }
        }
        rule.concludesFirst = true
        #expect(rule.received(SIGQUIT) == .end)
    }

    @Test("what signals ask for is done")
    func owner() async {
        let done = Mutex<[String]>([])
        let signals = Signals(
            end: { number in done.withLock { $0.append("end \(number)") } },
            stop: { done.withLock { $0.append("stop") } },
            resume: { done.withLock { $0.append("resume") } })
        signals.whenResized { done.withLock { $0.append("resize") } }
        for number in [SIGTSTP, SIGCONT, SIGWINCH, SIGTERM] { signals.received(number) }
        #expect(signals.first.value == nil)
        signals.concludeFirst()
        signals.received(SIGHUP)
        #expect(await signals.first.wait() == SIGHUP)
        signals.received(SIGINT)
        #expect(done.withLock { $0 } == ["stop", "resume", "resize", "end \(SIGTERM)", "end \(SIGINT)"])
    }

    @Test("writing to a pipe that nobody reads waits, until it is given up")
    func abandoned() async throws {
        let ends = try systemPipe()
        defer { systemClose(ends.read) }
        defer { systemClose(ends.write) }
        let stream = StandardStream(ends.write, ending: WakePipe())
        let queue = BlockingQueue("test")
        async let result = queue.run { stream.write([UInt8](repeating: 0x78, count: 1_024 * 1_024)) }
        // Something arrives, so it is under way.
        var byte: UInt8 = 0
        #expect(withUnsafeMutableBytes(of: &byte) { systemRead(ends.read, $0) } == 1)
        stream.abandon()
        #expect(await result == SystemError(ECANCELED))
        // What has room still goes out.
        let other = try systemPipe()
        defer { systemClose(other.read) }
        let ending = WakePipe()
        ending.wake()
        #expect(StandardStream(other.write, ending: ending).write("last words") == nil)
        systemClose(other.write)
        // A number that nobody has; the one just closed may be another test's by now.
        #expect(StandardStream(Int32.max, ending: ending).write("x") == SystemError(EBADF))
    }
}
