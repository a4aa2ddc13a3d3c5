import KamuneTransport
import Testing

@testable import Kamune

@Suite("Mailbox")
struct MailboxTests {
    @Test("elements come out in the order in which they went in, then the end")
    func order() async throws {
        let mailbox = Mailbox<Int>(limit: 4)
        for index in 0..<200 { mailbox.add(index) }
        mailbox.finish()
        for index in 0..<200 { #expect(try await mailbox.next() == index) }
        #expect(try await mailbox.next() == nil)
        #expect(try await mailbox.next() == nil)
    }

    @Test("an error is told once")
    func failure() async throws {
        let mailbox = Mailbox<Int>(limit: 4)
        mailbox.add(1)
        mailbox.finish(throwing: .cancellation)
        mailbox.add(2)
        #expect(try await mailbox.next() == 1)
        let first = await error { () async throws(KamuneError) in try await mailbox.next() }
        #expect(first?.code == .cancelled)
        #expect(try await mailbox.next() == nil)
    }

    @Test("a waiting consumer gets what comes")
    func waiting() async throws {
        let mailbox = Mailbox<Int>(limit: 4)
        async let element = mailbox.next()
        async let other = mailbox.next()
        mailbox.add(7)
        mailbox.add(8)
        #expect(Set([try await element, try await other]) == [7, 8])
        async let end = mailbox.next()
        mailbox.finish()
        #expect(try await end == nil)
    }

    @Test("the producer waits while the mailbox is full")
    func producer() async throws {
        let mailbox = Mailbox<Int>(limit: 2)
        mailbox.add(1)
        #expect(!mailbox.isFull)
        mailbox.add(2)
        #expect(mailbox.isFull)
        let producer = Task {
            await mailbox.waitForRoom()
            mailbox.add(3)
        }
        #expect(try await mailbox.next() == 1)
        #expect(try await mailbox.next() == 2)
        #expect(try await mailbox.next() == 3)
        await producer.value
        mailbox.finish()
        await mailbox.waitForRoom()
    }

    @Test("what is bounded is the sum of the sizes, and half has to be free before the producer goes on")
    func sizes() async throws {
        let mailbox = Mailbox<Int>(limit: 100)
        for index in 0..<3 { mailbox.add(index, size: 33) }
        #expect(!mailbox.isFull)
        mailbox.add(3, size: 1)
        #expect(mailbox.isFull)
        let producer = Task {
            await mailbox.waitForRoom()
            mailbox.add(4, size: 1)
            mailbox.finish()
        }
        for index in 0..<5 {
            let element = try await mailbox.next()
            #expect(element == index)
        }
        let end = try await mailbox.next()
        #expect(end == nil)
        await producer.value
    }

    @Test("what waits counts in the budget of who brought it, and a full budget stops the producer")
    func budgets() async throws {
        let budget = MemoryBudget(limit: 100)
        var mailbox: Mailbox<Int>? = Mailbox<Int>(limit: 1_000)
        // With nothing here there is room, whatever else is held: nobody would say when there is more.
        budget.add(150)
        #expect(mailbox?.isFull == false)
        mailbox?.add(1, size: 40, in: budget)
        #expect(budget.held == 190)
        #expect(mailbox?.isFull == true)
        budget.remove(150)
        #expect(mailbox?.isFull == false)
        mailbox?.add(2, size: 60, in: budget)
        #expect(mailbox?.isFull == true)
        let first = try await mailbox?.next()
        #expect(first == 1)
        #expect(budget.held == 60)
        mailbox?.finish()
        mailbox?.add(3, size: 60, in: budget)
        #expect(budget.held == 60)
        mailbox = nil
        #expect(budget.held == 0)
    }

    @Test("several that come together come out in their order, one to each who waits, and what remains counts")
    func several() async throws {
        let budget = MemoryBudget(limit: 100)
        let mailbox = Mailbox<Int>(limit: 1_000)
        mailbox.add([1, 2, 3], size: { $0 * 10 }, in: budget)
        #expect(budget.held == 60)
        #expect(mailbox.count == 3)
        #expect(mailbox.takeReady(atMost: 5) == [1, 2, 3])
        #expect(budget.held == 0)

        async let one = mailbox.next()
        async let other = mailbox.next()
        mailbox.add([4, 5, 6], size: { $0 * 10 }, in: budget)
        #expect(Set([try await one, try await other]) == [4, 5])
        #expect(budget.held == 60)
        #expect(try await mailbox.next() == 6)
        #expect(budget.held == 0)

        mailbox.finish()
        mailbox.add([7], size: { _ in 10 }, in: budget)
        #expect(budget.held == 0)
        #expect(try await mailbox.next() == nil)
    }

    @Test("a cancelled consumer leaves its place")
    func cancellation() async throws {
        let mailbox = Mailbox<Int>(limit: 2)
        let consumer = Task { await error { () async throws(KamuneError) in try await mailbox.next() } }
        consumer.cancel()
        #expect(await consumer.value?.code == .cancelled)
        mailbox.add(1)
        #expect(try await mailbox.next() == 1)
    }
}
