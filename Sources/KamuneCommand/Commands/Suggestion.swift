/// The word that somebody may have meant who typed another.
enum Suggestion {
    /// The nearest of several words; nil when none is near.
    static func nearest(to word: String, among words: [String]) -> String? {
        let typed = Array(word.lowercased())
        let limit = max(1, typed.count / 3)
        let best = words.map { (word: $0, distance: distance(typed, Array($0.lowercased()))) }
            .min { $0.distance < $1.distance }
        guard let best, best.distance > 0, best.distance <= limit else { return nil }
        return best.word
    }

    /// How many letters must be put in, taken out, exchanged with their neighbour or replaced to make one word of another
    /// (optimal string alignment).
    static func distance(_ a: [Character], _ b: [Character]) -> Int {
        // What is longer is no name that anybody mistypes.
        guard a.count <= 64, b.count <= 64 else { return .max }
        var rows = [Array(0...b.count)]
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
