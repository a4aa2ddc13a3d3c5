import KamuneTestSupport

@testable import KamuneCrypto
@testable import KamuneProtocol

/// The input decides which statements somebody shows who holds some of the keys: honest ones, altered ones, ones of the
/// attacker's own making, and no ones at all.
func fuzzSuccession(_ input: [UInt8]) throws {
    let (victim, attacker) = (try People.victim.get(), try People.attacker.get())
    let honest = try SuccessionPeople.honest.get()
    var choices = Choices(input)
    var announced: [[UInt8]] = []
    for _ in 0..<choices.below(11) {
        switch choices.below(6) {
        case 0, 1: announced.append(honest[choices.below(honest.count)].encoded)
        case 2: announced.append(choices.mutated(honest[choices.below(honest.count)].encoded))
        case 3: announced.append(choices.bytes())
        case 4: announced.append(SuccessionStatement.label + choices.bytes())
        default:
            // From the victim to the attacker, with the signatures of another statement.
            let forged = try SuccessionStatement(from: attacker, to: victim, milliseconds: 0).encoded
            let body = SuccessionStatement.label + counted(victim.publicKey.spki) + counted(attacker.publicKey.spki)
            announced.append(choices.mutated(body + [UInt8](repeating: 0, count: 8) + forged.suffix(132)))
        }
    }
    let introduced = [attacker, try SuccessionPeople.friend.get()][choices.below(2)].publicKey
    let succession: Succession
    do throws(ProtocolError) {
        succession = try Succession(announced: announced, introducing: introduced)
    } catch {
        return try expectPeersFault(error)
    }
    let statements = succession.statements
    try expect(statements.count <= 8, "too many statements were taken")
    var head = introduced
    var keys: Set = [introduced]
    for statement in statements.reversed() {
        try expect(statement.new == head, "statements with a gap were taken")
        try expect(keys.insert(statement.old).inserted, "a key was taken twice")
        head = statement.old
        try expect(honest.contains(statement), "a statement was taken that nobody has signed")
        let again = try SuccessionStatement(verifying: statement.encoded)
        try expect(again == statement, "a statement changes when it is read again")
    }
}

private func counted(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8(truncatingIfNeeded: bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
}

/// Who has changed identities honestly: from the victim to a friend, and over two steps to the attacker.
private enum SuccessionPeople {
    static let friend = Result { try person(3) }

    static let honest = Result {
        let (victim, attacker) = (try People.victim.get(), try People.attacker.get())
        let (first, second) = (try person(4), try person(5))
        return [
            try SuccessionStatement(from: victim, to: try friend.get(), milliseconds: 1),
            try SuccessionStatement(from: first, to: second, milliseconds: 2),
            try SuccessionStatement(from: second, to: attacker, milliseconds: 3),
            try SuccessionStatement(from: attacker, to: second, milliseconds: 4),
        ]
    }

    private static func person(_ seed: UInt64) throws -> Identity {
        var random = SeededRandom(seed)
        return try Identity.generate(.ed25519, using: &random)
    }
}
