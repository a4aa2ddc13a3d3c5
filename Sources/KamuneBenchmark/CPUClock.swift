import KamuneSystem

/// How much processor time was used, in nanoseconds. Unlike the time of day it does not count what other programs do.
enum CPUClock {
    /// By this thread: for code that runs without a suspension.
    static var thread: Int64 { Int64(SystemTime.threadNanoseconds) }

    /// By all threads of this process: for code that runs on several.
    static var process: Int64 { Int64(SystemTime.processNanoseconds) }

    /// Time of day that never goes back.
    static var wall: Int64 { Int64(SystemTime.machineNanoseconds) }
}

/// Hides a value from the optimizer, so that the work behind it is done.
@inline(never)
public func consume<Value>(_ value: Value) {
    withExtendedLifetime(value) {}
}
