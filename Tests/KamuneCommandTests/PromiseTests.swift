import Testing

@testable import KamuneCommand

@Suite("Promises")
struct PromiseTests {
    @Test("all who wait get the first value")
    func fulfilled() async {
        let promise = Promise<Int>()
        async let first = promise.wait()
        async let second = promise.wait()
        #expect(promise.fulfill(1))
        #expect(!promise.fulfill(2))
        #expect(await first == 1)
        #expect(await second == 1)
        #expect(await promise.wait() == 1)
        #expect(promise.value == 1)
    }

    @Test("a cancelled task stops waiting")
    func cancelled() async {
        let promise = Promise<Int>()
        let task = Task { await promise.wait() }
        task.cancel()
        #expect(await task.value == nil)
        promise.fulfill(1)
    }
}
