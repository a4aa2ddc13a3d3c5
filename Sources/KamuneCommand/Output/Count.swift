/// Numbers of things in words.
enum Count {
    static func messages(_ count: Int) -> String { of(count, "message", "messages") }

    static func of(_ count: Int, _ one: String, _ many: String) -> String {
        count == 1 ? "1 \(one)" : "\(count) \(many)"
    }
}
