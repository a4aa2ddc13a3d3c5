import Synchronization

/// What a process has written so far, for tests that wait for something in it.
final class Transcript: Sendable {
    private struct Waiter {
        let id: UInt64
        let condition: Condition
        let continuation: CheckedContinuation<Bool, Never>
    }

    /// What somebody waits for.
    private enum Condition: Sendable {
        case text(@Sendable (String) -> Bool)
        /// More bytes than this.
        case more(than: Int)

        /// Whether it is met.
        ///
        /// - Parameter text: Is asked for once, since it takes its time.
        func holds(_ bytes: [UInt8], _ text: inout String?) -> Bool {
            switch self {
            case .more(let count): return bytes.count > count
            case .text(let condition):
                let plain = text ?? Transcript.plain(String(decoding: bytes, as: UTF8.self))
                text = plain
                return condition(plain)
            }
        }
    }

    private struct State {
        var bytes: [UInt8] = []
        var isEnded = false
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Everything so far, as it was written.
    var raw: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }

    /// Everything so far, without what only steers a terminal.
    var text: String { Self.plain(raw) }

    func append(_ bytes: some Sequence<UInt8>) {
        wake { $0.bytes += bytes }
    }

    func end() {
        wake { $0.isEnded = true }
    }

    private func wake(_ change: (inout State) -> Void) {
        let ready = state.withLock { state -> [(CheckedContinuation<Bool, Never>, Bool)] in
            change(&state)
            if state.waiters.isEmpty { return [] }
            var text: String?
            var ready: [(CheckedContinuation<Bool, Never>, Bool)] = []
            state.waiters.removeAll { waiter in
                let holds = waiter.condition.holds(state.bytes, &text)
                if holds || state.isEnded { ready.append((waiter.continuation, holds)) }
                return holds || state.isEnded
            }
            return ready
        }
        for (continuation, holds) in ready { continuation.resume(returning: holds) }
    }

    /// Waits until the text meets a condition. False when it ends without, or the time is over.
    func wait(within limit: Duration, until condition: @escaping @Sendable (String) -> Bool) async -> Bool {
        await wait(within: limit, for: .text(condition))
    }

    /// What comes after so many bytes, waiting for it; empty at the end, and when the time is over.
    func bytes(after count: Int, within limit: Duration) async -> [UInt8] {
        _ = await wait(within: limit, for: .more(than: count))
        return state.withLock { Array($0.bytes.dropFirst(count)) }
    }

    private func wait(within limit: Duration, for condition: Condition) async -> Bool {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let timer = Task {
            try await Task.sleep(for: limit)
            state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0).continuation }
            }?.resume(returning: false)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            let immediate = state.withLock { state -> Bool? in
                var text: String?
                if condition.holds(state.bytes, &text) { return true }
                if state.isEnded { return false }
                state.waiters.append(Waiter(id: id, condition: condition, continuation: continuation))
                return nil
            }
            if let immediate { continuation.resume(returning: immediate) }
        }
    }

    /// Text without control sequences (ECMA-48 §5.4), carriage returns and bells.
    static func plain(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var isInSequence = false
        var previous: Unicode.Scalar?
        for scalar in text.unicodeScalars {
            defer { previous = scalar }
            if isInSequence {
                if scalar == "[", previous == "\u{1B}" { continue }
                isInSequence = !(0x40...0x7e).contains(scalar.value)
            } else if scalar == "\u{1B}" {
                isInSequence = true
            } else if scalar != "\r", scalar != "\u{07}" {
                result.append(scalar)
            }
        }
        return String(result)
    }
}
