import Foundation
import Kamune
import KamuneNode
import KamuneStore
import KamuneTerminal
import Testing

@testable import KamuneCommand

@Suite("Whom a typed line is for")
struct PromptMachineTests {
    private let ada: PromptMachine.Addressee
    private let bob: PromptMachine.Addressee

    init() async throws {
        let store = try Store.inMemory()
        func addressee(_ name: String) async throws -> PromptMachine.Addressee {
            let peer = try await store.accept(
                try Identity.generate().publicKey, name: name, at: .init(timeIntervalSince1970: 0))
            return PromptMachine.Addressee(id: ContactID(peer.id), key: peer.key, name: TerminalText(name))
        }
        (ada, bob) = (try await addressee("Ada"), try await addressee("Bob"))
    }

    private func machine(for addressee: PromptMachine.Addressee? = nil) -> PromptMachine {
        var machine = PromptMachine(maximumSize: 1_000)
        _ = machine.address(addressee, at: .zero)
        return machine
    }

    private let enter = InputEvent.key(Key(.enter))

    @Test("a line goes to whom the prompt names")
    func named() {
        var machine = machine(for: ada)
        #expect(machine.prompt == "to Ada> ")
        #expect(machine.typed(.text("hello"), at: .seconds(1)) == .draw)
        #expect(machine.typed(enter, at: .seconds(1)) == .submit(.init(text: "hello", addressee: ada)))
        machine.setAway(true)
        #expect(machine.prompt == "to Ada (away)> ")
        #expect(machine.typed(line: "later", at: .seconds(2)) == .submit(.init(text: "later", addressee: ada)))
        #expect(machine.address(nil, at: .seconds(3)) == nil)
        #expect(machine.prompt == "> ")
        #expect(machine.typed(line: "x", at: .seconds(9)) == .submit(.init(text: "x", addressee: nil)))
    }

    @Test("what was begun for one is not sent to the next, and waits for the one")
    func drafts() {
        var machine = machine(for: ada)
        _ = machine.typed(.text("I love "), at: .seconds(10))
        #expect(machine.address(nil, at: .seconds(11)) == "I love ")
        #expect(machine.editor.isEmpty)
        #expect(machine.address(bob, at: .milliseconds(11_500)) == nil)
        // Whoever goes on typing does not look.
        #expect(machine.typed(.text("you"), at: .milliseconds(12_100)) == .ring)
        let isTold = machine.tellsOfPause()
        #expect(machine.typed(enter, at: .milliseconds(12_200)) == .ring)
        let isToldAgain = machine.tellsOfPause()
        #expect(isTold && !isToldAgain)
        #expect(machine.typed(.text("x"), at: .milliseconds(13_100)) == .ring)
        #expect(machine.editor.isEmpty)
        // After a pause they do.
        #expect(machine.typed(.text("hello Bob"), at: .milliseconds(14_100)) == .draw)
        #expect(machine.typed(enter, at: .milliseconds(14_101)) == .submit(.init(text: "hello Bob", addressee: bob)))
        #expect(machine.address(ada, at: .seconds(20)) == nil)
        #expect(machine.editor.text == "I love ")
    }

    @Test("keys that were read before something came into view are for what stood there before")
    func earlierKeys() throws {
        var machine = machine()
        let idAsked = machine.ask("Talk? ", about: ada.key, at: .seconds(5))
        let id = try #require(idAsked)
        #expect(machine.typed(.text("y"), at: .milliseconds(4_999)) == .ring)
        #expect(machine.typed(line: "y", at: .milliseconds(4_999)) == .ring)
        #expect(machine.typed(.text("y"), at: .seconds(5)) == .draw)
        #expect(machine.typed(enter, at: .seconds(5)) == .answer(id, "y"))
    }

    @Test("a question is not answered by a line that was begun for something else, and gives it back")
    func questions() throws {
        var machine = machine(for: ada)
        _ = machine.typed(.text("yes, and"), at: .seconds(1))
        let idAsked = machine.ask("Talk? ", about: bob.key, at: .seconds(60))
        let id = try #require(idAsked)
        #expect(machine.ask("Another? ", about: ada.key, at: .seconds(60)) == nil)
        #expect(machine.prompt == "Talk? " && machine.editor.isEmpty)
        // The line was not finished when the question came, so whoever types may be finishing it.
        for key in [.text("y"), enter, .paste(Paste(text: "yes\n"))] as [InputEvent] {
            #expect(machine.typed(key, at: .milliseconds(60_500)) == .ring)
        }
        #expect(machine.typed(.text("n"), at: .milliseconds(61_500)) == .draw)
        #expect(machine.typed(enter, at: .milliseconds(61_600)) == .answer(id, "n"))
        #expect(machine.settle(id, isAnswered: true, at: .milliseconds(61_700)) == "Talk? ")
        #expect(machine.settle(id, isAnswered: true, at: .milliseconds(61_700)) == nil)
        #expect(machine.editor.text == "yes, and")
        #expect(machine.typed(.text(" more"), at: .milliseconds(61_800)) == .draw)
        #expect(machine.typed(enter, at: .seconds(62)) == .submit(.init(text: "yes, and more", addressee: ada)))
    }

    @Test("what follows from an answer is no surprise: the question again, or the conversation that was accepted")
    func consequences() throws {
        var machine = machine()
        let firstAsked = machine.ask("Talk? ", about: ada.key, at: .seconds(1))
        let first = try #require(firstAsked)
        _ = machine.typed(.text("maybe"), at: .seconds(2))
        _ = machine.typed(enter, at: .seconds(2))
        _ = machine.settle(first, isAnswered: true, at: .seconds(2))
        let secondAsked = machine.ask("Talk? ", about: ada.key, at: .seconds(2))
        let second = try #require(secondAsked)
        #expect(machine.typed(line: "y", at: .seconds(2)) == .answer(second, "y"))
        _ = machine.settle(second, isAnswered: true, at: .seconds(2))
        _ = machine.address(ada, at: .seconds(2))
        #expect(machine.typed(line: "hello", at: .seconds(2)) == .submit(.init(text: "hello", addressee: ada)))
        // Somebody else than was accepted is one.
        let thirdAsked = machine.ask("Talk? ", about: bob.key, at: .seconds(9))
        let third = try #require(thirdAsked)
        _ = machine.typed(line: "y", at: .milliseconds(9_500))
        _ = machine.settle(third, isAnswered: true, at: .milliseconds(9_500))
        _ = machine.address(nil, at: .milliseconds(9_600))
        #expect(machine.typed(line: "hello", at: .milliseconds(9_700)) == .ring)
    }

    @Test("a question that is taken back leaves nothing of its answer to the line under it")
    func withdrawn() throws {
        var machine = machine(for: ada)
        let idAsked = machine.ask("Talk? ", about: bob.key, at: .seconds(1))
        let id = try #require(idAsked)
        _ = machine.typed(.text("ye"), at: .seconds(2))
        #expect(machine.settle(id, isAnswered: false, at: .milliseconds(2_100)) == "Talk? ")
        #expect(machine.typed(.text("s"), at: .milliseconds(2_200)) == .ring)
        #expect(machine.typed(enter, at: .milliseconds(2_300)) == .ring)
        #expect(machine.editor.isEmpty)
    }

    @Test("a paste of several lines is one message, and too long a one is none")
    func pastes() {
        var machine = machine(for: ada)
        #expect(machine.typed(.paste(Paste(text: "one\n/quit\ntouch x\n\n")), at: .seconds(1)) == .draw)
        #expect(
            machine.typed(enter, at: .seconds(1)) == .submit(.init(text: "one\n/quit\ntouch x", addressee: ada)))
        #expect(machine.typed(.paste(Paste(text: "x", excess: 1)), at: .seconds(1)) == .ring)
        #expect(machine.typed(.paste(Paste(text: String(repeating: "x", count: 1_001))), at: .seconds(1)) == .ring)
        #expect(machine.editor.isEmpty)
    }

    @Test("what a terminal says is no text, and keys that mean nothing do nothing")
    func otherInput() {
        var machine = machine(for: ada)
        #expect(machine.typed(.answer(.operatingSystem("11;rgb:0/0/0")), at: .seconds(1)) == .none)
        #expect(machine.typed(.key(Key(.function(5))), at: .seconds(1)) == .ring)
        #expect(machine.typed(.key(.control("d")), at: .seconds(1)) == .endOfInput)
        _ = machine.typed(.text("x"), at: .seconds(1))
        #expect(machine.typed(.key(.control("d")), at: .seconds(1)) == .ring)
        #expect(machine.typed(.key(.control("l")), at: .seconds(1)) == .redraw)
    }
}
