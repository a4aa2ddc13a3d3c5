import KamuneSystem

/// The files below `/proc` that tell a process of itself.
enum ProcessFiles {
    /// What is wrong when they are missing, as in a root directory that was made by hand: on Linux the standard library reads
    /// a program's arguments there, and ends the program that asks for them in vain.
    static func check() -> Failure? {
        #if os(Linux)
        guard access("/proc/self/cmdline", R_OK) != 0 else { return nil }
        return Failure(.noProcessFiles)
        #else
        return nil
        #endif
    }
}
