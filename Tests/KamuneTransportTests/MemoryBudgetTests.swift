import Testing

@testable import KamuneTransport

@Suite("What is held for a peer")
struct MemoryBudgetTests {
    @Test("a budget is full when its bytes are held, and has room again when they are gone")
    func limit() {
        let budget = MemoryBudget(limit: 100)
        budget.add(99)
        #expect(budget.hasRoom)
        budget.add(50)
        #expect(!budget.hasRoom && budget.held == 149)
        budget.remove(49)
        #expect(!budget.hasRoom)
        budget.remove(1)
        #expect(budget.hasRoom)
    }

    @Test(
        "strangers who let everything lie leave room for the next, and never fill the pool", arguments: [1, 16, 1_000])
    func fairness(count: Int) {
        let pool = MemoryPool(limit: 1 << 20)
        let budgets = (0..<count).map { _ in MemoryBudget(in: pool) }
        var isGrowing = true
        while isGrowing {
            isGrowing = false
            for budget in budgets where budget.hasRoom {
                budget.add(16)
                isGrowing = true
            }
        }
        #expect(pool.held < pool.limit)
        let most = pool.limit / (count + 8)
        #expect(budgets.allSatisfy { abs($0.held - most) <= 32 })
        // A newcomer may hold nearly as much as they.
        let newcomer = MemoryBudget(in: pool)
        newcomer.add(most / 2)
        #expect(newcomer.hasRoom)
    }

    @Test("who is no stranger any more takes its bytes along, and what is forgotten gives them back")
    func leaving() {
        let pool = MemoryPool(limit: 1_000)
        let friend = MemoryBudget(in: pool)
        friend.add(500)
        do {
            let stranger = MemoryBudget(in: pool)
            stranger.add(400)
            #expect(pool.held == 900 && !stranger.hasRoom && !friend.hasRoom)
        }
        #expect(pool.held == 500)
        friend.leavePool()
        #expect(pool.held == 0 && friend.held == 500 && friend.hasRoom)
        friend.add(500)
        friend.remove(1_000)
        #expect(pool.held == 0 && friend.held == 0)
    }
}
