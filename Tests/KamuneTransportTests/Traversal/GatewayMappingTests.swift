import KamuneBroker
import KamuneTestKit
import KamuneTraversal
import Testing

@testable import KamuneTransport

/// Asking a gateway over a socket.
struct GatewayMappingTests {
    @Test("A gateway that knows NAT-PMP only is asked by it, and gets back what it gave")
    func life() async throws {
        let gateway = try #require(RawDatagrams())
        let mapping = try await GatewayMapping.start(
            PortMapping(.udp, port: 5000), gateway: IPAddress(127, 0, 0, 1), port: gateway.port)
        var events = mapping.events.makeAsyncIterator()
        // PCP is answered by what NAT-PMP says of it.
        let pcp = try #require(await gateway.next())
        #expect(pcp.count == 60)
        #expect(pcp.first == 2)
        gateway.send([0, 0x81, 0, 1, 0, 0, 0, 1])
        var hasAddress = false
        var hasPort = false
        while !hasAddress || !hasPort {
            let request = try #require(await gateway.next())
            if request == [0, 0] {
                gateway.send([0, 128, 0, 0, 0, 0, 0, 1, 198, 51, 100, 7])
                hasAddress = true
            } else if request.first == 0 {
                #expect(request == [0, 1, 0, 0, 0x13, 0x88, 0x13, 0x88, 0, 0, 0x1C, 0x20])
                gateway.send([0, 129, 0, 0, 0, 0, 0, 1, 0x13, 0x88, 0x9C, 0x40, 0, 0, 0x0E, 0x10])
                hasPort = true
            }
        }
        #expect(await events.next() == .mapped(IPEndpoint(IPAddress(198, 51, 100, 7), 40_000)))
        await mapping.withdraw()
        #expect(await events.next() == .lost)
        #expect(await events.next() == nil)
        // Questions that were repeated meanwhile come first.
        var last = try #require(await gateway.next())
        while last != [0, 1, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 0, 0] { last = try #require(await gateway.next()) }
    }

    @Test("The default gateway is read from the table of routes, the one with the least metric")
    func gateway() {
        let header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        let table =
            header + """
                wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
                eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
                tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
                tun0\t00000000\t0100000A\t0003\t0\t0\t50\t00000080\t0\t0\t0
                eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
                """
        #expect(DefaultGateway.find(in: table) == IPAddress(192, 168, 1, 254))
        #expect(DefaultGateway.find(in: header) == nil)
        #expect(DefaultGateway.find(in: "noise\nnoise noise") == nil)
    }
}
