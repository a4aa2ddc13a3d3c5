import Kamune
import KamuneNode
import KamuneTerminal

/// The line that is being typed, and whom it is for: a state machine without a terminal.
///
/// What a person types goes to whom they see. A line that was begun belongs to its conversation, and waits for it when that
/// is over. When somebody else comes into view, be it a new conversation or a question, keys that were meant for what stood
/// there before do nothing: those that were typed earlier, and while somebody is in the midst of typing those that follow
/// too, until the typing pauses.
struct PromptMachine: Sendable {
    /// Whom a line is for.
    struct Addressee: Hashable, Sendable {
        let id: ContactID
        let key: PublicIdentity
        let name: TerminalText
    }

    /// A line that is complete.
    struct Line: Equatable, Sendable {
        let text: String
        /// Whom the person saw when they typed it; nil when that was nobody.
        let addressee: Addressee?
    }

    /// What is to be done about what was typed.
    enum Action: Equatable, Sendable {
        case none
        /// The line has changed, or its cursor.
        case draw
        /// The key did nothing.
        case ring
        /// The screen shall be drawn anew.
        case redraw
        case submit(Line)
        /// The question of this number is answered.
        case answer(UInt64, String)
        case endOfInput
    }

    private struct Question {
        let id: UInt64
        let prompt: String
        /// Whom it is about.
        let subject: PublicIdentity
    }

    /// How long typing pauses at least before keys count for what has come into view.
    static let pause = Duration.seconds(1)
    /// How many lines that were begun wait for their conversations.
    private static let maximumDrafts = 16
    /// How much of a name stands in the prompt, in columns.
    private static let nameLimit = 24

    /// The longest line, in bytes.
    private let maximumSize: Int
    /// The line for the one who is in view, or for the question.
    private(set) var editor: TextEditor
    private(set) var addressee: Addressee?
    /// Whether the one in view cannot get the line at once.
    private var isAway = false
    private var question: Question?
    private var lastQuestion: UInt64 = 0
    /// The lines that were begun for others, and under a question that for the one in view. Nobody's has no peer.
    private var drafts: [(owner: ContactID?, editor: TextEditor)] = []
    /// When a key was last typed.
    private var lastKey: Duration?
    /// Whom the last question was about that the person has answered, if nothing else has come into view since.
    private var expected: PublicIdentity?
    /// Since when what is in view is so: earlier keys were for something else.
    private var shown: Duration?
    /// Whether keys do nothing until typing has paused.
    private var isPausing = false
    /// Whether the person knows.
    private var wasTold = false

    init(maximumSize: Int) {
        self.maximumSize = maximumSize
        editor = TextEditor(maximumSize: maximumSize)
    }

    /// What stands in front of the line; fit to be drawn.
    var prompt: String {
        if let question { return question.prompt }
        guard let addressee else { return "> " }
        let name = TerminalText(addressee.name.content, maximumColumns: Self.nameLimit)
        return isAway ? "to \(name) (away)> " : "to \(name)> "
    }

    /// The number of the question that stands in the place of the line.
    var askedQuestion: UInt64? { question?.id }

    // MARK: What comes into view

    /// Somebody else is to get what is typed from now on, or nobody.
    ///
    /// - Returns: What was begun for the one before, and waits now; nil when nothing was.
    mutating func address(_ new: Addressee?, at now: Duration) -> String? {
        isAway = false
        let former = addressee
        addressee = new
        guard new?.id != former?.id else { return nil }
        if question == nil {
            let begun = setAside(for: former?.id)
            show(takeDraft(of: new?.id), about: new?.key, at: now)
            return begun
        }
        // The line waits under the question already, and another one comes up after it.
        return drafts.last(where: { $0.owner == former?.id && !$0.editor.isEmpty })?.editor.text
    }

    /// The one in view is gone for a while, or back.
    mutating func setAway(_ isAway: Bool) {
        self.isAway = isAway
    }

    /// A question comes into view.
    ///
    /// - Parameters:
    ///   - prompt: What stands in front of the answer; fit to be drawn.
    ///   - subject: Whom it is about.
    /// - Returns: Its number; nil while another one is asked.
    mutating func ask(_ prompt: String, about subject: PublicIdentity, at now: Duration) -> UInt64? {
        guard question == nil else { return nil }
        lastQuestion += 1
        _ = setAside(for: addressee?.id)
        question = Question(id: lastQuestion, prompt: prompt, subject: subject)
        show(TextEditor(maximumSize: maximumSize), about: subject, at: now)
        return lastQuestion
    }

    /// A question is not asked any more.
    ///
    /// - Parameter isAnswered: Whether the person has answered it; else it was taken back.
    /// - Returns: What stood in front of the line; nil when it was not asked.
    mutating func settle(_ id: UInt64, isAnswered: Bool, at now: Duration) -> String? {
        guard let question, question.id == id else { return nil }
        self.question = nil
        show(takeDraft(of: addressee?.id), about: nil, at: now)
        if isAnswered {
            // What stood there before is no surprise, and neither is what follows from the answer.
            isPausing = false
            expected = question.subject
        }
        return question.prompt
    }

    /// Brings a line into view. Who is not in the midst of typing looks at it, and so does who has just said that it may
    /// come.
    private mutating func show(_ new: TextEditor, about subject: PublicIdentity?, at now: Duration) {
        let isTyping = !editor.isEmpty || lastKey.map { now - $0 < Self.pause } ?? false
        isPausing = isTyping && (subject == nil || subject != expected)
        expected = nil
        editor = new
        shown = now
        if isPausing { lastKey = now }
        wasTold = false
    }

    /// Whether the person is to be told that keys do nothing until typing pauses: once for what is in view, when some have.
    mutating func tellsOfPause() -> Bool {
        guard isPausing, !wasTold else { return false }
        wasTold = true
        return true
    }

    private mutating func setAside(for owner: ContactID?) -> String? {
        let begun = editor.text
        drafts.append((owner, editor))
        if drafts.count > Self.maximumDrafts {
            drafts.remove(at: drafts.firstIndex { $0.editor.isEmpty } ?? 0)
        }
        return begun.isEmpty ? nil : begun
    }

    private mutating func takeDraft(of owner: ContactID?) -> TextEditor {
        guard let index = drafts.lastIndex(where: { $0.owner == owner }) else {
            return TextEditor(maximumSize: maximumSize)
        }
        return drafts.remove(at: index).editor
    }

    // MARK: What is typed

    /// Handles what came from the terminal.
    ///
    /// - Parameter time: When it was read.
    mutating func typed(_ event: InputEvent, at time: Duration) -> Action {
        switch event {
        case .mouse, .focus, .answer: return .none
        case .text(let text): return counts(at: time) ? edit(.insert(text)) : .ring
        case .paste(let paste):
            guard counts(at: time), paste.excess == 0 else { return .ring }
            // Several lines are one message, and sent by a key of their own.
            var text = paste.text
            while text.last?.isNewline == true { text.removeLast() }
            return edit(.insert(text))
        case .key(let key):
            guard counts(at: time), let action = EditorAction(key) else { return .ring }
            switch action {
            case .edit(let command): return edit(command)
            case .submit:
                let text = editor.submit()
                return entered(text)
            case .endOfInput: return editor.isEmpty ? .endOfInput : edit(.deleteForward)
            case .redraw: return .redraw
            }
        }
    }

    /// Handles a line that the system has edited.
    mutating func typed(line text: String, at time: Duration) -> Action {
        counts(at: time) ? entered(text) : .ring
    }

    private mutating func edit(_ command: TextEditor.Command) -> Action {
        editor.perform(command) ? .draw : .ring
    }

    private func entered(_ text: String) -> Action {
        if let question { return .answer(question.id, text) }
        return .submit(Line(text: text, addressee: addressee))
    }

    /// Whether a key counts for what is in view.
    private mutating func counts(at time: Duration) -> Bool {
        if let shown, time < shown { return false }
        defer { lastKey = time }
        if isPausing, let lastKey, time - lastKey < Self.pause { return false }
        isPausing = false
        return true
    }
}
