import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Named values that belong to the session (§8.4).
struct SessionData: Equatable, Sendable {
    var fields: [String: [UInt8]]

    init(fields: [String: [UInt8]]) {
        self.fields = fields
    }

    init(decoding data: ArraySlice<UInt8>) throws(ProtocolError) {
        do {
            let wire = try WireSessionData(serializedBytes: Array(data))
            fields = wire.fields.mapValues { Array($0) }
        } catch {
            throw .peerMisbehaved(.malformedMessage(.sessionData))
        }
    }

    func encoded() throws(ProtocolError) -> [UInt8] {
        var wire = WireSessionData()
        wire.fields = fields.mapValues { .init($0) }
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        do {
            return try wire.serializedBytes(options: options)
        } catch {
            throw .system(.encoding)
        }
    }
}
