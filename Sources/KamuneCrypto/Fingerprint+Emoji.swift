extension Fingerprint {
    /// The emoji of fingerprints, in an order that is part of the protocol. Some are followed by a variation selector,
    /// spelled out here because editors do not show it.
    static let emojiTable = [
        "😎", "👻", "👍", "👑", "🎃", "🎯", "🧬", "🧨",
        "🐶", "🐱", "🦁", "🐹", "🐰", "🦊", "🐻", "🐼",
        "🌸", "🥁", "🪷", "🌹", "🪩", "🍁", "🌳", "🌵",
        "🍎", "🍌", "🍇", "🍓", "🥝", "🍕", "🍔", "🍟",
        "☕\u{FE0F}", "🍦", "🥕", "☀\u{FE0F}", "🌙", "❄\u{FE0F}", "☁\u{FE0F}", "🧂",
        "💡", "🎹", "💎", "📷", "🏀", "🎮", "🎲", "🎩",
        "❤\u{FE0F}", "🎁", "⏰", "🧩", "🧲", "🔑", "🚗\u{FE0F}", "🚀",
        "✨", "🔥", "🌈", "🎉", "🎶", "🔒", "📌", "✅",
        "🤖", "🪐", "🦴", "🍩", "🎪", "🔮", "⛱\u{FE0F}", "👽",
        "🦄", "🐧", "🦋", "🐙", "🦈", "🦅", "🦀", "🪲",
        "🌻", "🍀", "🌊", "⛰\u{FE0F}", "🍄", "🌋", "🌪\u{FE0F}", "🥑",
        "🎸", "🔭", "🧭", "🎨", "⚡", "🗝\u{FE0F}", "🧿", "🛡\u{FE0F}",
    ]
}
