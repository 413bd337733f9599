//! JSON as qemu prints it.

use super::value::Value;

/// How deep a line is indented for each level.
const INDENT: &str = "    ";

/// A value over many lines, with a line break at the end.
#[must_use]
pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    Writer { text: &mut text, pretty: true }.value(value, 0);
    text.push('\n');
    text
}

/// A value on one line.
#[must_use]
pub fn compact(value: &Value) -> String {
    let mut text = String::new();
    Writer { text: &mut text, pretty: false }.value(value, 0);
    text
}

struct Writer<'a> {
    text: &'a mut String,
    pretty: bool,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Value::Number(value) => self.text.push_str(&value.to_string()),
            Value::Signed(value) => self.text.push_str(&value.to_string()),
            Value::Text(value) => self.quoted(value),
            Value::List(values) => {
                self.text.push('[');
                for (index, value) in values.iter().enumerate() {
                    self.separate(index, depth + 1);
                    self.value(value, depth + 1);
                }
                self.close(']', depth);
            }
            Value::Dict(dict) => {
                self.text.push('{');
                for (index, (key, value)) in dict.in_order().into_iter().enumerate() {
                    self.separate(index, depth + 1);
                    self.quoted(key.as_bytes());
                    self.text.push_str(": ");
                    self.value(value, depth + 1);
                }
                self.close('}', depth);
            }
        }
    }

    /// What stands before an element.
    fn separate(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.text.push(',');
        }
        if self.pretty {
            self.new_line(depth);
        } else if index > 0 {
            self.text.push(' ');
        }
    }

    /// The end of a list or dictionary. Even an empty one takes two lines.
    fn close(&mut self, bracket: char, depth: usize) {
        if self.pretty {
            self.new_line(depth);
        }
        self.text.push(bracket);
    }

    fn new_line(&mut self, depth: usize) {
        self.text.push('\n');
        for _ in 0..depth {
            self.text.push_str(INDENT);
        }
    }

    /// A string. What is not printable ASCII becomes an escape, and what is not
    /// UTF-8 becomes the replacement character, one for each broken sequence.
    fn quoted(&mut self, bytes: &[u8]) {
        self.text.push('"');
        let mut rest = bytes;
        while let Some((code_point, length)) = code_point(rest) {
            self.code_point(code_point);
            rest = rest.get(length..).unwrap_or_default();
        }
        self.text.push('"');
    }

    fn code_point(&mut self, code_point: Option<u32>) {
        let letter = match code_point {
            Some(code_point) => char::from_u32(code_point).unwrap_or(char::REPLACEMENT_CHARACTER),
            None => char::REPLACEMENT_CHARACTER,
        };
        match letter {
            '"' => self.text.push_str("\\\""),
            '\\' => self.text.push_str("\\\\"),
            '\u{8}' => self.text.push_str("\\b"),
            '\u{c}' => self.text.push_str("\\f"),
            '\n' => self.text.push_str("\\n"),
            '\r' => self.text.push_str("\\r"),
            '\t' => self.text.push_str("\\t"),
            ' '..='~' => self.text.push(letter),
            _ => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    self.text.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
}

/// The first code point of some bytes, or nothing if it is none, and how many
/// bytes it takes.
///
/// The bytes are UTF-8 as qemu reads it: sequences of up to six bytes, zero may
/// be two bytes long, noncharacters are invalid, and a sequence that breaks off
/// counts as one error up to where it does.
fn code_point(bytes: &[u8]) -> Option<(Option<u32>, usize)> {
    let (first, rest) = bytes.split_first()?;
    let expected = match first {
        0..0x80 => return Some((Some(u32::from(*first)), 1)),
        0x80..0xc0 | 0xfe..=0xff => return Some((None, 1)),
        0xc0..0xe0 => 1,
        0xe0..0xf0 => 2,
        0xf0..0xf8 => 3,
        0xf8..0xfc => 4,
        0xfc..0xfe => 5,
    };
    let continuation = rest.iter().take(expected).take_while(|byte| **byte & 0xc0 == 0x80);
    let count = continuation.clone().count();
    if count < expected {
        return Some((None, 1 + count));
    }
    let head = u32::from(*first) & (0x3f >> expected);
    let value = continuation.fold(head, |value, byte| value << 6 | u32::from(*byte & 0x3f));
    // The smallest value that needs so many bytes.
    let least = [0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000].get(expected - 1).copied();
    let shortest = least.is_some_and(|least| value >= least) || (value == 0 && expected == 1);
    let noncharacter = (0xfdd0..=0xfdef).contains(&value) || value & 0xfffe == 0xfffe;
    let valid = shortest && !noncharacter && char::from_u32(value).is_some();
    Some((valid.then_some(value), 1 + expected))
}

#[cfg(test)]
mod tests {
    use super::super::value::Dict;
    use super::*;

    #[test]
    fn lists_and_dictionaries_are_laid_out_as_qemu_does() {
        let value = Dict::new()
            .with("filename", "a")
            .with("children", vec![Value::from(1_u64), Value::from(true)])
            .with("snapshots", Vec::<Value>::new());
        let expected = "{\n    \"children\": [\n        1,\n        true\n    ],\n    \
                        \"snapshots\": [\n    ],\n    \"filename\": \"a\"\n}\n";
        assert_eq!(pretty(&value.clone().into()), expected);
        assert_eq!(
            compact(&value.into()),
            r#"{"children": [1, true], "snapshots": [], "filename": "a"}"#
        );
    }

    #[test]
    fn text_is_escaped_to_ascii() {
        for (bytes, expected) in [
            (&b"plain \x7e"[..], r#""plain ~""#),
            (b"\"\\\x08\x0c\n\r\t", r#""\"\\\b\f\n\r\t""#),
            (b"\x01\x1b\x7f", r#""\u0001\u001B\u007F""#),
            ("ä€😀".as_bytes(), r#""\u00E4\u20AC\uD83D\uDE00""#),
            // Broken sequences, each a replacement character.
            (b"\xff\xfe", r#""\uFFFD\uFFFD""#),
            (b"\xe2\x82x", r#""\uFFFDx""#),
            (b"\x80\x80", r#""\uFFFD\uFFFD""#),
            // Overlong, except for zero in two bytes.
            (b"\xc1\x81", r#""\uFFFD""#),
            (b"\xc0\x80", r#""\u0000""#),
            // A surrogate, a noncharacter, and sequences of five and six bytes.
            (b"\xed\xa0\x80", r#""\uFFFD""#),
            (b"\xef\xbf\xbe", r#""\uFFFD""#),
            (b"\xf8\x88\x80\x80\x80", r#""\uFFFD""#),
            (b"\xfc\x84\x80\x80\x80\x80", r#""\uFFFD""#),
        ] {
            assert_eq!(compact(&Value::from(bytes)), expected, "{bytes:x?}");
        }
    }
}
