/// Takes the median of several runs: one that was disturbed does not count.
enum Sampling {
    /// The processor time of one call in microseconds, for code that stays on its thread.
    ///
    /// - Parameters:
    ///   - iterations: Calls in one run.
    ///   - runs: Runs of which the median counts.
    static func microseconds(
        iterations: Int, runs: Int = 5, _ body: () throws -> Void
    ) rethrows -> Double {
        try body()
        var samples: [Double] = []
        for _ in 0..<runs {
            let start = CPUClock.thread
            for _ in 0..<iterations { try body() }
            samples.append(Double(CPUClock.thread - start) / Double(iterations) / 1_000)
        }
        return median(samples)
    }

    static func median(_ samples: [Double]) -> Double {
        let sorted = samples.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    static func percentile(_ percent: Double, of samples: [Double]) -> Double {
        let sorted = samples.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * percent / 100))]
    }
}
