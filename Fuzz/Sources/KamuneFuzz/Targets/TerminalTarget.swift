@testable import KamuneTerminal

/// What comes from a terminal, and text that is drawn in one: whatever the bytes, no control is text, no row is wider than
/// the terminal, and the editor holds what was typed.
func fuzzTerminal(_ input: [UInt8]) throws {
    var choices = Choices(input)
    let columns = 2 + choices.below(120)
    let firstColumn = choices.below(columns + 1)
    let cut = Int(choices.byte())
    let bytes = choices.remaining()
    try fuzzDecoder(bytes, cut: cut)
    try fuzzText(String(decoding: bytes, as: UTF8.self), columns: columns, firstColumn: firstColumn)
}

private func fuzzDecoder(_ bytes: [UInt8], cut: Int) throws {
    var decoder = InputDecoder(maximumPasteSize: 100)
    var pieces = InputDecoder(maximumPasteSize: 100)
    let events = decoder.decode(bytes)
    let cut = min(cut, bytes.count)
    let parts = pieces.decode(bytes[..<cut]) + pieces.decode(bytes[cut...])
    try expect(joined(events) == joined(parts), "what was typed depends on how it is cut")
    var editor = TextEditor(maximumSize: 300)
    for event in events + decoder.settle() {
        let before = editor.room
        var typed = 0
        switch event {
        case .text(let text):
            try expect(text.unicodeScalars.allSatisfy { !isControl($0) }, "a control is text")
            if editor.perform(.insert(text)) { typed = text.utf8.count }
        case .paste(let paste):
            try expect(
                paste.text.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\t" || !isControl($0) },
                "a control was pasted")
            if editor.perform(.insert(paste.text)) { typed = paste.text.utf8.count }
        case .key(let key):
            switch EditorAction(key) {
            case .edit(let command): _ = editor.perform(command)
            case .submit: _ = editor.submit()
            default: break
            }
        default: break
        }
        try expect(editor.text.utf8.count + editor.room == 300, "the size is not what is there")
        if typed > 0 { try expect(before - editor.room == typed, "not everything that was typed is there") }
        let row = EditorRow(prompt: "> ", editor: editor, columns: 20)
        try expect(TextWidth.of(row.text) < 20 && row.cursorColumn < 20, "the row is wider than the terminal")
    }
}

private func fuzzText(_ text: String, columns: Int, firstColumn: Int) throws {
    let lines = TerminalText.lines(of: text)
    for line in lines {
        try expect(
            line.content.unicodeScalars.allSatisfy { !isControl($0) && $0.value != 0x2028 && $0.value != 0x2029 },
            "a control is drawn")
        try expect(TerminalText(line.content) == line, "what is clean is cleaned again")
    }
    let layout = TextLayout(columns: columns)
    let rows = layout.rows(of: lines, firstColumn: firstColumn)
    try expect(TextWidth.of(rows[0]) <= max(columns - firstColumn, 0), "the first row is wider than there is room")
    for row in rows.dropFirst() {
        try expect(TextWidth.of(row) <= columns, "a row is wider than the terminal")
        try expect(row.hasPrefix(layout.mark), "a row has no mark")
    }
    let name = TerminalText(text, maximumColumns: columns)
    try expect(name.columns <= columns, "a name is wider than there is room")
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .control }

/// Letters that came one by one are one text.
private func joined(_ events: [InputEvent]) -> [InputEvent] {
    events.reduce(into: []) { joined, event in
        if case .text(let more) = event, case .text(let text) = joined.last {
            joined[joined.count - 1] = .text(text + more)
        } else {
            joined.append(event)
        }
    }
}
