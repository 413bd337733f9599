//! A tree of values as text for people, the way qemu-img prints what only one
//! format has.

use super::escape::for_terminal;
use super::value::{Dict, Value};

/// The entries of a dictionary, one a line, indented by `depth` levels.
#[must_use]
pub fn entries(dict: &Dict, depth: usize) -> String {
    let mut text = String::new();
    for (key, value) in dict.in_order() {
        text.push_str(&indent(depth));
        text.push_str(&key.replace('-', " "));
        text.push(':');
        self::value(&mut text, value, depth);
    }
    text
}

/// The white space in front of a line.
#[must_use]
pub fn indent(depth: usize) -> String {
    "    ".repeat(depth)
}

/// A value behind its name: on the same line, or on those that follow.
fn value(text: &mut String, value: &Value, depth: usize) {
    let simple = match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Signed(value) => value.to_string(),
        Value::Text(value) => for_terminal(value),
        Value::List(values) => {
            text.push('\n');
            for (index, value) in values.iter().enumerate() {
                text.push_str(&format!("{}[{index}]:", indent(depth + 1)));
                self::value(text, value, depth + 1);
            }
            return;
        }
        Value::Dict(dict) => {
            text.push('\n');
            text.push_str(&entries(dict, depth + 1));
            return;
        }
    };
    text.push(' ');
    text.push_str(&simple);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_dictionaries_nest() {
        let inner = Dict::new().with("format", "FLAT").with("virtual-size", 512_u64);
        let dict = Dict::new()
            .with("create-type", "monolithicFlat")
            .with("extents", vec![Value::from(inner), Value::from("x")])
            .with("corrupt", false);
        let expected = "    create type: monolithicFlat\n    extents:\n        [0]:\n            \
                        virtual size: 512\n            format: FLAT\n        [1]: x\n    \
                        corrupt: false\n";
        assert_eq!(entries(&dict, 1), expected);
    }
}
