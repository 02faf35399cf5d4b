//! What others wrote, for this terminal: nobody on the network writes into it what they like.

use serde_json::Value;

/// Whether a character changes more than its own place: what steers a terminal, and what turns or hides the text around it.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// A line of text; what would steer the terminal is replaced.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if steers(character) { '\u{fffd}' } else { character }).collect()
}

/// Several lines.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// JSON; what would steer the terminal is written as JSON writes it in ASCII (there is such only within its strings).
pub(crate) fn printable_json(value: &Value) -> String {
    value.to_string().chars().fold(String::new(), |text, character| {
        if steers(character) {
            text + &format!("\\u{:04x}", u32::from(character))
        } else {
            text + character.encode_utf8(&mut [0; 4])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers() {
        let evil = "a\u{1b}[2J\u{9b}31m\r\u{202e}b\u{2028}c\u{200b}\u{7f}\u{feff}ä 電";
        let shown = printable(evil);
        assert_eq!(shown.chars().count(), evil.chars().count());
        assert!(!shown.chars().any(steers) && shown.ends_with("ä 電"), "{shown}");
        assert_eq!(printable_lines("a\u{1b}\nb\n"), "a\u{fffd}\nb\n");
        let value = serde_json::json!({ "name": evil });
        let text = printable_json(&value);
        assert!(!text.chars().any(steers) && text.contains("\\u202e"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
