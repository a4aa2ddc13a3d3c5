import KamuneSystem
import Testing

@Suite("System calls")
struct SystemCallTests {
    @Test("calls that a signal interrupted are repeated, and others fail with the system's words")
    func retryingCalls() throws {
        var results: [Int] = [-1, -1, 7]
        #expect(
            try retrying {
                errno = EINTR
                return results.removeFirst()
            } == 7)
        #expect(throws: SystemError(ENOSPC)) {
            try retrying { () -> Int in
                errno = ENOSPC
                return -1
            }
        }
        #expect("\(SystemError(ENOSPC))" == "No space left on device")
    }

    @Test("pairs and pipes carry bytes, and no child inherits them")
    func ends() throws {
        let pipe = try systemPipe()
        let pair = try systemSocketPair()
        for (from, to) in [(pipe.write, pipe.read), (pair.0, pair.1), (pair.1, pair.0)] {
            #expect([1, 2, 3].withUnsafeBytes { systemWrite(from, $0) } == 24)
            var received = [Int](repeating: 0, count: 4)
            #expect(received.withUnsafeMutableBytes { systemRead(to, $0) } == 24)
            #expect(received == [1, 2, 3, 0])
        }
        for end in [pipe.read, pipe.write, pair.0, pair.1] {
            #expect(fcntl(end, F_GETFD) & FD_CLOEXEC != 0)
            systemClose(end)
            #expect(fcntl(end, F_GETFD) == -1)
        }
    }

    /// `getentropy` gives 256 bytes at once.
    @Test("system randomness fills all of a buffer, of any size", arguments: [0, 1, 255, 256, 257, 1_000])
    func randomness(size: Int) {
        var seen: Set<UInt8> = []
        var untouched = Set(0..<size)
        for _ in 0..<64 where !untouched.isEmpty {
            var bytes = [UInt8](repeating: 0, count: size)
            bytes.withUnsafeMutableBytes { fillWithSystemRandomness($0) }
            seen.formUnion(bytes)
            untouched = untouched.filter { bytes[$0] == 0 }
        }
        #expect(untouched.isEmpty)
        if size > 255 { #expect(seen.count > 100) }
    }

    @Test("erased memory is zero")
    func erasing() {
        var bytes = [UInt8](repeating: 1, count: 100)
        bytes.withUnsafeMutableBytes { systemErase(UnsafeMutableRawBufferPointer(rebasing: $0[10..<90])) }
        #expect(
            bytes == Array(repeating: 1, count: 10) + Array(repeating: 0, count: 80) + Array(repeating: 1, count: 10))
        systemErase(UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }

    @Test("the limit of open files is told, and never exceeds what may be asked for")
    func openFiles() throws {
        let limit = try #require(systemOpenFileLimit())
        #expect(limit.current > 0 && limit.current <= limit.greatest)
        setSystemOpenFileLimit(limit.current)
        #expect(try #require(systemOpenFileLimit()) == limit)
    }

    @Test("the process takes some memory, and says how much")
    func memory() {
        #expect(ResidentMemory.bytes > 1_000_000)
    }
}
