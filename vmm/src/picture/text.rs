//! Words and numbers in a picture.

use std::fmt::Write as _;

/// The units, each 1024 times the one before.
const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Text as XML has it, between tags and in attributes.
///
/// What a file name may hold and XML may not becomes the replacement character.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter if is_character_of_xml(letter) => escaped.push(letter),
            _ => escaped.push(char::REPLACEMENT_CHARACTER),
        }
    }
    escaped
}

/// XML 1.0, 2.2: the characters that a document may have.
fn is_character_of_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// An address, exactly, in the largest unit that needs no more than two decimals: `1.25
/// GiB`.
#[must_use]
pub fn address(bytes: u64) -> String {
    for (power, unit) in (1..UNITS.len()).rev().map(|power| (power, UNITS[power])) {
        let size = 1_u64 << (10 * power);
        let (whole, rest) = (bytes / size, bytes % size);
        let quarter = size / 4;
        if whole > 0 && rest.is_multiple_of(quarter) {
            let decimals = ["", ".25", ".5", ".75"];
            let index = usize::try_from(rest / quarter).unwrap_or(0);
            return format!("{whole}{} {unit}", decimals.get(index).unwrap_or(&""));
        }
    }
    if bytes == 0 { "0".to_owned() } else { format!("{bytes} B") }
}

/// A number of bytes with its digits in groups of three: `1 073 741 824`. The spaces are
/// thin and do not break.
#[must_use]
pub fn grouped(bytes: u64) -> String {
    let digits = bytes.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// How much of a whole something is, to a tenth of a per cent. What is not nothing does not
/// look like it, and what is not all does not either.
#[must_use]
pub fn per_cent(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".to_owned();
    }
    if part >= whole {
        return "100 %".to_owned();
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let tenths = (part * 2000 + whole) / (whole * 2);
    match tenths {
        0 => "<0.1 %".to_owned(),
        1000.. => ">99.9 %".to_owned(),
        tenths => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// The end of a text, with so many characters at the most: of a path, that is the part that
/// says the most.
#[must_use]
pub fn tail(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let mut tail = "…".to_owned();
    tail.extend(text.chars().skip(count + 1 - most));
    tail
}

/// Adds text to a document that is being written. That does not fail.
pub(super) fn write(document: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = document.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        for (text, expected) in [
            ("plain.img", "plain.img"),
            ("a<b>&\"c'.img", "a&lt;b&gt;&amp;&quot;c&#39;.img"),
            ("größe 😀", "größe 😀"),
            ("a\u{0}\u{1b}\u{fffe}\u{ffff}z", "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}z"),
            ("]]>", "]]&gt;"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn addresses_are_exact() {
        for (bytes, expected) in [
            (0, "0"),
            (1, "1 B"),
            (512, "512 B"),
            (1024, "1 KiB"),
            (1280, "1.25 KiB"),
            (1000, "1000 B"),
            (1_000_448, "977 KiB"),
            (64 << 10, "64 KiB"),
            (1088 << 20, "1088 MiB"),
            (1280 << 20, "1.25 GiB"),
            (10 << 30, "10 GiB"),
            ((2 << 40) - (32 << 30), "2016 GiB"),
            (1 << 60, "1 EiB"),
            (u64::MAX, "18446744073709551615 B"),
        ] {
            assert_eq!(address(bytes), expected);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (bytes, expected) in [
            (0, "0"),
            (512, "512"),
            (1024, "1\u{202f}024"),
            (123_456, "123\u{202f}456"),
            (1_073_741_824, "1\u{202f}073\u{202f}741\u{202f}824"),
        ] {
            assert_eq!(grouped(bytes), expected);
        }
    }

    #[test]
    fn parts_are_neither_nothing_nor_all() {
        for (part, whole, expected) in [
            (0, 0, "0 %"),
            (0, 1, "0 %"),
            (1, 1, "100 %"),
            (1, 2, "50.0 %"),
            (1, 3, "33.3 %"),
            (2, 3, "66.7 %"),
            (1, 1 << 40, "<0.1 %"),
            ((1 << 40) - 1, 1 << 40, ">99.9 %"),
            (u64::MAX / 2, u64::MAX, "50.0 %"),
        ] {
            assert_eq!(per_cent(part, whole), expected);
        }
    }

    #[test]
    fn of_a_long_text_the_end_is_kept() {
        assert_eq!(tail("short", 5), "short");
        assert_eq!(tail("/images/disk.qcow2", 11), "…disk.qcow2");
        assert_eq!(tail("ääää", 3), "…ää");
    }
}
