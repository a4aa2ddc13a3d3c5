/// What a run of the benchmarks found.
public struct BenchmarkReport: Sendable, Codable, Equatable {
    /// What was measured, in the order of the run.
    public var rows: [Row] = []

    /// One measure.
    public struct Row: Sendable, Codable, Equatable {
        /// Which part of the run it belongs to.
        public var group: String
        /// What was measured.
        public var name: String
        /// The figure.
        public var value: Double
        /// What it counts: "µs", "messages/s", "KiB", "×".
        public var unit: String
        /// The same figure divided by what it is compared with: usually the sum of its primitives in this very run.
        public var ratio: Double?
        /// What the ratio should not exceed, or for a rate or where `atLeast` is set, should reach.
        public var goal: Double?
        /// Whether the goal is a lower bound.
        public var atLeast: Bool

        /// Whether the goal was reached; nil without a goal.
        public var isReached: Bool? {
            guard let goal else { return nil }
            let figure = ratio ?? value
            return atLeast ? figure >= goal : figure <= goal
        }
    }

    /// An empty report.
    public init() {}

    /// Appends a measure.
    public mutating func add(
        _ group: String, _ name: String, _ value: Double, _ unit: String, ratio: Double? = nil, goal: Double? = nil,
        atLeast: Bool = false
    ) {
        rows.append(
            Row(group: group, name: name, value: value, unit: unit, ratio: ratio, goal: goal, atLeast: atLeast))
    }

    /// The measure of a name, if it was taken.
    public func value(_ name: String) -> Double? {
        rows.first { $0.name == name }?.value
    }

    /// A table for people.
    public var table: String {
        let width = rows.map(\.name.count).max() ?? 0
        var lines: [String] = []
        var group = ""
        for row in rows {
            if row.group != group {
                group = row.group
                lines.append((lines.isEmpty ? "" : "\n") + group)
            }
            var line = "  " + row.name + String(repeating: " ", count: width - row.name.count)
            line += "  " + Self.padded(Self.figure(row.value), to: 10) + " " + row.unit
            if let ratio = row.ratio {
                line += String(repeating: " ", count: max(0, 12 - row.unit.count)) + Self.figure(ratio) + " ×"
            }
            if let goal = row.goal, let isReached = row.isReached {
                line += "  (\(row.atLeast ? "at least" : "at most") \(Self.figure(goal)): \(isReached ? "yes" : "NO"))"
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }

    private static func padded(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// Three significant digits or so: more would be noise.
    static func figure(_ value: Double) -> String {
        let magnitude = abs(value)
        if magnitude >= 100 || value == value.rounded() { return "\(Int(value.rounded()))" }
        let digits = magnitude >= 10 ? 1 : 2
        let scale = digits == 1 ? 10.0 : 100.0
        let scaled = Int((magnitude * scale).rounded())
        let fraction = "\(scaled % Int(scale))"
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return (value < 0 ? "-" : "") + "\(scaled / Int(scale)).\(zeros)\(fraction)"
    }
}
