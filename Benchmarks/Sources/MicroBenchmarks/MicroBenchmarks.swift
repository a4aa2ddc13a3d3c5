import KamuneBenchmark
import KamuneCrypto

/// Prints what each small part costs, primitives and what is built from them in one run:
///
///     swift run -c release --package-path Benchmarks MicroBenchmarks
@main
enum MicroBenchmarks {
    static func main() throws {
        var report = BenchmarkReport()
        try CipherBenchmarks.run(&report)
        try SignatureBenchmarks.run(&report)
        try KeyBenchmarks.run(&report)
        for algorithm in IdentityAlgorithm.allCases {
            try SessionBenchmarks.run(algorithm, &report)
        }
        print(report.table)
    }
}
