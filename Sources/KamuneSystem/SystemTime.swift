/// The system's clocks. This is the one place that reads them and that sleeps by them.
package struct SystemTime: TimeSource {
    /// All are alike.
    package init() {}

    /// Civil time by the system's clock, to a nanosecond.
    package var wall: Duration { Self.read(CLOCK_REALTIME) }

    /// That of `ContinuousClock`, so that one can sleep by it, since the machine was started.
    package var monotonic: Duration { Self.read(Self.continuous) }

    /// Sleeps by the system's clock.
    ///
    /// - Throws: When the task is cancelled.
    package func sleep(until deadline: Duration) async throws(CancellationError) {
        let rest = deadline - monotonic
        guard rest > .zero else {
            if Task.isCancelled { throw CancellationError() }
            return
        }
        do {
            try await ContinuousClock().sleep(for: rest)
        } catch {
            throw CancellationError()
        }
    }

    /// Nanoseconds of a clock that every process of the machine reads alike, and that never goes back.
    package static var machineNanoseconds: UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    /// The processor time of this thread so far, in nanoseconds.
    package static var threadNanoseconds: UInt64 { nanoseconds(CLOCK_THREAD_CPUTIME_ID) }

    /// The processor time of all threads of this process so far, in nanoseconds.
    package static var processNanoseconds: UInt64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

    #if canImport(Darwin)
    private static var continuous: clockid_t { CLOCK_MONOTONIC_RAW }
    #else
    private static var continuous: clockid_t { CLOCK_BOOTTIME }
    #endif

    private static func read(_ clock: clockid_t) -> Duration {
        let time = timespec(clock)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        let time = timespec(clock)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension timespec {
    fileprivate init(_ clock: clockid_t) {
        self.init()
        clock_gettime(clock, &self)
    }
}
