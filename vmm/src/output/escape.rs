//! Text from outside on its way to a terminal.

use std::fmt::Write as _;

/// Text in which nothing commands a terminal: control characters, characters
/// that change the direction of writing, and bytes that are no UTF-8 become
/// `\x1b`, `\u{202e}` and the like. Everything else stays as it is.
#[must_use]
pub fn for_terminal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if is_harmless(letter) {
                text.push(letter);
            } else if letter.is_ascii() {
                // Writing to a string does not fail.
                let _ = write!(text, "\\x{:02x}", u32::from(letter));
            } else {
                let _ = write!(text, "\\u{{{:x}}}", u32::from(letter));
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn is_harmless(letter: char) -> bool {
    let directs = matches!(
        letter,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    // Line and paragraph separators break lines in some terminals.
    let separates = matches!(letter, '\u{2028}' | '\u{2029}');
    !letter.is_control() && !directs && !separates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_harmless_passes() {
        for (bytes, expected) in [
            (&b"plain text.img"[..], "plain text.img"),
            ("größe 大小.qcow2".as_bytes(), "größe 大小.qcow2"),
            (b"C:\\images\\a.vhd", "C:\\images\\a.vhd"),
            (b"\x1b[2J\x07\n\x7f", r"\x1b[2J\x07\x0a\x7f"),
            (b"\xc2\x9b31m", r"\u{9b}31m"),
            ("a\u{202e}b".as_bytes(), r"a\u{202e}b"),
            (b"\xff\xc3(", r"\xff\xc3("),
        ] {
            assert_eq!(for_terminal(bytes), expected);
        }
    }
}
