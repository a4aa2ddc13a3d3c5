/// What the keys of a line editor do: those of readline and of graphical programs, as far as they agree.
package enum EditorAction: Hashable, Sendable {
    case edit(TextEditor.Command)
    /// The text is complete.
    case submit
    /// Nothing more will be typed; where there is text, a letter is deleted.
    case endOfInput
    /// The screen shall be drawn anew.
    case redraw

    /// What a key does; nil for one that means nothing to an editor.
    package init?(_ key: Key) {
        guard let action = Self.action(of: key) else { return nil }
        self = action
    }

    private static func action(of key: Key) -> EditorAction? {
        let isWordwise = !key.modifiers.isDisjoint(with: [.control, .alt])
        switch key.code {
        // Alt-Enter breaks the line; so does Shift-Enter, where a terminal tells it apart.
        case .enter: return key.modifiers.isEmpty ? .submit : .edit(.insert("\n"))
        case .backspace: return .edit(key.modifiers.contains(.alt) ? .deleteWordBackward : .deleteBackward)
        case .delete: return .edit(isWordwise ? .deleteWordForward : .deleteForward)
        case .left: return .edit(isWordwise ? .moveWordLeft : .moveLeft)
        case .right: return .edit(isWordwise ? .moveWordRight : .moveRight)
        case .up: return .edit(isWordwise ? .older : .moveUp)
        case .down: return .edit(isWordwise ? .newer : .moveDown)
        case .home: return .edit(isWordwise ? .moveToStart : .moveToLineStart)
        case .end: return .edit(isWordwise ? .moveToEnd : .moveToLineEnd)
        case .character(let scalar):
            switch key.modifiers {
            case .control: return control(scalar)
            case .alt: return alt(scalar)
            default: return nil
            }
        default: return nil
        }
    }

    private static func control(_ scalar: Unicode.Scalar) -> EditorAction? {
        switch scalar {
        case "a": .edit(.moveToLineStart)
        case "b": .edit(.moveLeft)
        case "d": .endOfInput
        case "e": .edit(.moveToLineEnd)
        case "f": .edit(.moveRight)
        case "j": .submit
        case "k": .edit(.deleteToLineEnd)
        case "l": .redraw
        case "n": .edit(.newer)
        case "p": .edit(.older)
        case "u": .edit(.deleteToLineStart)
        case "w": .edit(.deleteWordBackward)
        case "y": .edit(.insertDeleted)
        case "_": .edit(.undo)
        default: nil
        }
    }

    private static func alt(_ scalar: Unicode.Scalar) -> EditorAction? {
        switch scalar {
        case "b": .edit(.moveWordLeft)
        case "f": .edit(.moveWordRight)
        case "d": .edit(.deleteWordForward)
        case "<": .edit(.moveToStart)
        case ">": .edit(.moveToEnd)
        case "_": .edit(.redo)
        default: nil
        }
    }
}
