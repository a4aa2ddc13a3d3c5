import KamuneTestKit
import Testing

/// Two conversations as a whole, with their stores, the network and everything that can befall them, on virtual time. There
/// are more seeds in `scripts/simulate`. One after the other, since other tests have to keep to real time meanwhile.
@Suite("Simulated conversations", .serialized)
struct SimulationTests {
    @Test("nothing is lost, nothing comes twice, order is kept, and what is called delivered is", arguments: 0..<8)
    func promises(part: UInt64) async throws {
        for seed in part * 30..<(part + 1) * 30 { try await ConversationSimulation.run(seed: seed) }
    }

    @Test("and with the store as it is", arguments: 0..<4)
    func stores(part: UInt64) async throws {
        for seed in part * 10..<(part + 1) * 10 {
            let simulation = ConversationSimulation(
                seed: seed, stores: [try await KeptStore(), try await KeptStore()], isTraced: true)
            try await simulation.run()
        }
    }

    @Test("a store that is not right is found out", arguments: ModelStore.Fault.allCases)
    func faults(fault: ModelStore.Fault) async throws {
        var isFound = false
        for seed in 0..<UInt64(800) where !isFound {
            do {
                try await ConversationSimulation.run(seed: seed, fault: fault)
            } catch {
                isFound = true
                // It happens again in the same way.
                let again = await #expect(throws: ConversationSimulation.Failure.self) {
                    try await ConversationSimulation.run(seed: seed, fault: fault)
                }
                #expect(again?.description == error.description)
            }
        }
        #expect(isFound, "800 seeds do not find it")
    }
}
