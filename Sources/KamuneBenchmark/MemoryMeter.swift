import KamuneSystem

/// Follows the memory of the process while something runs, by looking every few milliseconds.
struct MemoryMeter {
    private let start: Int
    private let watcher: Task<Int, Never>

    /// Begins.
    init() {
        let start = ResidentMemory.bytes
        self.start = start
        watcher = Task.detached(priority: .high) {
            var peak = start
            while !Task.isCancelled {
                peak = max(peak, ResidentMemory.bytes)
                try? await SystemTime().sleep(for: .milliseconds(5))
            }
            return max(peak, ResidentMemory.bytes)
        }
    }

    /// Ends it: how much more the process had at the most than at the beginning, in MiB.
    func end() async -> Double {
        watcher.cancel()
        return Double(await watcher.value - start) / 1_048_576
    }
}
