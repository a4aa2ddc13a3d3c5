/// A queue in an array. Taking from the front of an array moves all the others; here they are moved once in a while.
struct FirstInFirstOut<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var head = 0

    /// How many taken elements are kept before their places are given back.
    private static var slack: Int { 64 }

    var count: Int { elements.count - head }
    var isEmpty: Bool { head == elements.count }
    var last: Element? { isEmpty ? nil : elements.last }
    var first: Element? { isEmpty ? nil : elements[head] }

    /// All of them, in order.
    var contents: ArraySlice<Element> { elements[head...] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func append(contentsOf new: some Sequence<Element>) { elements.append(contentsOf: new) }

    /// How many stand before the first that fits.
    func firstIndex(where fits: (Element) -> Bool) -> Int? {
        elements[head...].firstIndex(where: fits).map { $0 - head }
    }

    mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        defer { advance(1) }
        return elements[head]
    }

    /// Takes so many out, or all when there are fewer.
    mutating func removeFirst(_ number: Int) -> [Element] {
        let taken = Array(elements[head...].prefix(number))
        advance(taken.count)
        return taken
    }

    private mutating func advance(_ number: Int) {
        head += number
        if head == elements.count {
            elements.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= Self.slack, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
    }
}
