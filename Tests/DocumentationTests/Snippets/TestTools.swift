import KCP
import KamuneTestKit
import KamuneTransport
import Testing

func advance(act: @escaping @Sendable (Duration, ManualClock) async -> Void) async throws {
    @Sendable func reconnect(after delay: Duration, clock: ManualClock) async { await act(delay, clock) }
    let clock = ManualClock()
    async let outcome: Void = reconnect(after: .seconds(5), clock: clock)
    try await clock.waitForSleepers()
    clock.advance(by: .seconds(5))
    await outcome
}

func emulate(program path: String) async throws {
    let network = try await EmulatedNetwork(program: path, link: "delay=25ms loss=1%")
    let commandLine = network.command(["kamune", "listen", "0.0.0.0:9000"], on: .second)
    print(commandLine)
    try await network.setLink("delay=400ms")
}

func carry(
    _ conversation: inout KCPConversation, _ datagram: [UInt8], _ reply: [UInt8], now: KCPInstant,
    send: ([UInt8]) -> Void, setTimer: (KCPInstant?) -> Void
) throws {
    func wake(at deadline: KCPInstant?) { setTimer(deadline) }
    try conversation.receivedDatagram(datagram, now: now)  // each datagram of a batch
    let bytes = conversation.read()  // what has arrived in order
    let accepted = conversation.write(reply)  // as much as there is room for
    while let datagram = conversation.nextDatagram(now: now) { send(datagram) }
    wake(at: conversation.nextDeadline)  // nil: nothing to wait for
    print(bytes as Any, accepted)
}

struct MemoryConformance {
    @Test(.timeLimit(.minutes(1)), arguments: ConnectionConformance.Check.allCases)
    func conforms(check: ConnectionConformance.Check) async throws {
        try await ConnectionConformance { configuration in
            MemoryTransport.pair(configuration: configuration)
        }.run(check)
    }
}
