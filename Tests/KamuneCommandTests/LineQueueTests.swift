import Testing

@testable import KamuneCommand

@Suite("Lines that nobody reads")
struct LineQueueTests {
    @Test("lines wait in order, and none is waited for")
    func order() async {
        let queue = LineQueue(limit: 100)
        async let first = queue.next()
        queue.add("one")
        queue.add("two")
        #expect(await first == .init(text: "one", missed: 0))
        #expect(await queue.next() == .init(text: "two", missed: 0))
        queue.add("three")
        queue.finish()
        queue.add("too late")
        #expect(await queue.next() == .init(text: "three", missed: 0))
        #expect(await queue.next() == nil)
    }

    @Test("they are bounded in bytes, and what is left out is counted")
    func bound() async {
        let queue = LineQueue(limit: 10)
        for text in ["größe", "x", "abc", "y", "z"] { queue.add(text) }
        // Seven bytes and one; then the three find no room, and two more do.
        #expect(await queue.next() == .init(text: "größe", missed: 0))
        #expect(await queue.next() == .init(text: "x", missed: 0))
        #expect(await queue.next() == .init(text: "y", missed: 1))
        #expect(await queue.next() == .init(text: "z", missed: 0))
        queue.add(String(repeating: "long ", count: 3))
        queue.add("later")
        #expect(await queue.next() == .init(text: "later", missed: 1))
    }

    @Test("who waits for a line is told when none will come")
    func finishing() async {
        let queue = LineQueue(limit: 10)
        async let none = queue.next()
        queue.finish()
        #expect(await none == nil)
    }
}
