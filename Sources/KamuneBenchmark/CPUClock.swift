#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// How much processor time was used, in nanoseconds. Unlike the time of day it does not count what other programs do.
enum CPUClock {
    /// By this thread: for code that runs without a suspension.
    static var thread: Int64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// By all threads of this process: for code that runs on several.
    static var process: Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    /// Time of day that never goes back.
    static var wall: Int64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// The memory of this process that is in use, in bytes, as the system counts it.
enum ResidentMemory {
    static var bytes: Int {
        #if canImport(Darwin)
        var info = mach_task_basic_info()
        var count = mach_msg_type_number_t(
            MemoryLayout<mach_task_basic_info>.size / MemoryLayout<natural_t>.size)
        let result = withUnsafeMutablePointer(to: &info) {
            $0.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                task_info(mach_task_self_, task_flavor_t(MACH_TASK_BASIC_INFO), $0, &count)
            }
        }
        return result == KERN_SUCCESS ? Int(info.resident_size) : 0
        #else
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 128)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return 0 }
        let fields = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
        #endif
    }
}

/// Hides a value from the optimizer, so that the work behind it is done.
@inline(never)
public func consume<Value>(_ value: Value) {
    withExtendedLifetime(value) {}
}
