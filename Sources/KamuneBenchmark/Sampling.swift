/// Takes the best of several runs: whatever else the machine does can only make a run slower, never quicker.
public enum Sampling {
    /// The processor time of one call in microseconds, for code that stays on its thread.
    ///
    /// - Parameters:
    ///   - iterations: Calls in one run.
    ///   - runs: Runs of which the quickest counts.
    public static func microseconds(
        iterations: Int, runs: Int = 5, _ body: () throws -> Void
    ) rethrows -> Double {
        try body()
        var best = Double.infinity
        for _ in 0..<runs {
            let start = CPUClock.thread
            for _ in 0..<iterations { try body() }
            best = min(best, Double(CPUClock.thread - start) / Double(iterations) / 1_000)
        }
        return best
    }

    /// The middle of the samples; 0 without any.
    public static func median(_ samples: [Double]) -> Double {
        let sorted = samples.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    /// The sample that so many percent of the samples do not exceed; 0 without any.
    public static func percentile(_ percent: Double, of samples: [Double]) -> Double {
        let sorted = samples.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * percent / 100))]
    }
}
