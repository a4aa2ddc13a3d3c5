#if canImport(Glibc)
import KamuneSystem
#endif

/// Keeps this process in memory, code included.
enum ResidentProcess {
    /// Asks for it; without the right to, nothing happens. A machine that is short of memory, or thrifty with it, else
    /// drops code that was not run for a while, and to read it again may take longer than any network.
    static func stay() {
        #if canImport(Glibc)
        _ = mlockall(MCL_CURRENT | MCL_FUTURE)
        #endif
    }
}
