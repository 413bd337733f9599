use std::string::{String, ToString};
use std::vec;

use super::*;

fn reader(text: &str) -> Reader<'_> {
    Reader::new(text.as_bytes())
}

/// Why a text is no JSON; nothing if it is.
fn said(text: &str) -> String {
    let mut reader = reader(text);
    let read = reader.skip().and_then(|()| reader.finish());
    read.map_or_else(|fault| fault.to_string(), |()| String::new())
}

fn string(text: &str) -> Result<String, String> {
    let read = reader(text).string().map_err(|fault| fault.to_string());
    read.map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn values_of_every_kind_are_read() {
    for text in [
        "0",
        "-0",
        "12",
        "-12",
        "1.5",
        "0.5",
        "1e5",
        "1E+5",
        "1.5e-5",
        "10e05",
        "true",
        "false",
        "null",
        "\"\"",
        "\"text\"",
        "{}",
        "[]",
        " { } ",
        "[\n]",
        "\t[ 1 , 2 ,\r\n 3 ] ",
        "{\"a\":1}",
        "{ \"a\" : { \"b\" : [ true , null ] } , \"c\" : \"d\" }",
    ] {
        assert_eq!(said(text), "", "{text}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for (text, expected) in [
        ("", "a value is missing or invalid at byte 0"),
        ("  ", "a value is missing or invalid at byte 2"),
        ("True", "a value is missing or invalid at byte 4"),
        ("nul", "a value is missing or invalid at byte 3"),
        ("-", "a value is missing or invalid at byte 1"),
        ("+1", "a value is missing or invalid at byte 2"),
        ("01", "a value is missing or invalid at byte 2"),
        ("1.", "a value is missing or invalid at byte 2"),
        (".5", "a value is missing or invalid at byte 2"),
        ("1e", "a value is missing or invalid at byte 2"),
        ("1e+-5", "a value is missing or invalid at byte 5"),
        ("1e1e1", "a value is missing or invalid at byte 5"),
        ("1.5.5", "a value is missing or invalid at byte 5"),
        ("0x10", "a value is missing or invalid at byte 4"),
        ("NaN", "a value is missing or invalid at byte 3"),
        ("'a'", "a value is missing or invalid at byte 0"),
        ("1 2", "the text goes on at byte 2"),
        ("{}}", "the text goes on at byte 2"),
        ("{", "a string is missing at byte 1"),
        ("{a:1}", "a string is missing at byte 1"),
        ("{1:1}", "a string is missing at byte 1"),
        ("{\"a\"}", "a colon is missing at byte 4"),
        ("{\"a\":}", "a value is missing or invalid at byte 5"),
        ("{\"a\":1", "a comma is missing at byte 6"),
        ("{\"a\":1,}", "a string is missing at byte 7"),
        ("{,}", "a string is missing at byte 1"),
        ("[", "a value is missing or invalid at byte 1"),
        ("[1", "a comma is missing at byte 2"),
        ("[1 2]", "a comma is missing at byte 3"),
        ("[1,]", "a value is missing or invalid at byte 3"),
        ("[}", "a value is missing or invalid at byte 1"),
        ("[1}", "a comma is missing at byte 2"),
        ("\"abc", "a string has no end at byte 4"),
        ("\"abc\\", "a string has no end at byte 5"),
        ("\"a\nb\"", "a string has a control character at byte 3"),
        ("\"\\x\"", "a string has an unknown escape at byte 3"),
        ("\"\\u12\"", "a string has an invalid escape at byte 3"),
        ("\"\\u12g4\"", "a string has an invalid escape at byte 7"),
        ("\"\\u+123\"", "a string has an invalid escape at byte 7"),
    ] {
        assert_eq!(said(text), expected, "{text}");
    }
}

#[test]
fn strings_lose_their_escapes() {
    for (text, expected) in [
        (r#""aes-xts-plain64""#, "aes-xts-plain64"),
        (r#""""#, ""),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC""#, "A\u{e9}\u{20ac}"),
        (r#""\ud83d\ude00""#, "\u{1f600}"),
        // Halves of characters.
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ude00""#, "\u{fffd}"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (r#""\u0000""#, "\0"),
        ("\"\u{e9}\u{7f}\"", "\u{e9}\u{7f}"),
    ] {
        assert_eq!(string(text).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(reader("\"a").string().unwrap_err().what, "a string has no end");
    assert_eq!(Reader::new(b"\"\xff\xfe\"").string(), Ok(vec![0xff, 0xfe]));
}

#[test]
fn strings_have_a_largest_length() {
    let quoted = |text: &str| std::format!("\"{text}\"");
    let longest = "x".repeat(MAX_STRING);
    assert_eq!(string(&quoted(&longest[1..])).unwrap().len(), MAX_STRING - 1);
    assert_eq!(string(&quoted(&longest)).unwrap().len(), MAX_STRING);
    let message = Err("a string is too long at byte 259".into());
    assert_eq!(string(&quoted(&(longest.clone() + "x"))), message);
    // Characters are not cut, and what is long can be skipped.
    let two = quoted(&(longest[1..].to_string() + "\\u00e9"));
    assert!(string(&two).is_err());
    assert_eq!(said(&two), "");
    assert_eq!(said(&quoted(&"x".repeat(1 << 20))), "");
}

#[test]
fn numbers_have_no_sign_and_no_fraction() {
    for (text, expected) in [
        ("0", Some(0)),
        ("7 ", Some(7)),
        (" 18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("-0", None),
        ("+1", None),
        ("1.0", None),
        ("1e2", None),
        ("007", None),
        ("\"7\"", None),
        ("", None),
        ("true", None),
    ] {
        assert_eq!(reader(text).number().ok(), expected, "{text}");
    }
}

#[test]
fn members_are_handed_out_by_name() {
    let mut reader = reader(r#"{"a": 1, "\u0062": [2, 3], "c": {"a": 4}, "a": 5}"#);
    let mut found = vec![];
    let read = reader.object(&mut |name, reader| {
        match name {
            b"a" => found.push(reader.number()?),
            b"b" => reader.array(&mut |reader| {
                found.push(reader.number()?);
                Ok(())
            })?,
            _ => reader.skip()?,
        }
        Ok(())
    });
    assert_eq!(read, Ok(()));
    assert_eq!(reader.finish(), Ok(()));
    assert_eq!(found, [1, 2, 3, 5]);
}

#[test]
fn a_value_must_be_what_is_expected() {
    let nothing = &mut |_: &[u8], _: &mut Reader<'_>| Ok(());
    assert_eq!(reader("[]").object(nothing).unwrap_err().what, "an object is missing");
    assert_eq!(reader("{}").array(&mut |_| Ok(())).unwrap_err().what, "an array is missing");
    assert_eq!(reader("1").string().unwrap_err().what, "a string is missing");
    // Who reads nothing leaves the value where a comma belongs.
    assert_eq!(reader("{\"a\":1}").object(nothing).unwrap_err().what, "a comma is missing");
    assert_eq!(reader("[1]").array(&mut |_| Ok(())).unwrap_err().what, "a comma is missing");
}

#[test]
fn names_can_be_longer_than_any_that_is_known() {
    let long = "a".repeat(MAX_STRING + 1);
    let text = std::format!("{{\"{long}\": 1}}");
    let read = reader(&text).object(&mut |name, reader| {
        assert!(name.len() <= MAX_STRING);
        reader.skip()
    });
    assert_eq!(read, Ok(()));
}

#[test]
fn values_nest_to_a_depth() {
    let depth = usize::try_from(MAX_DEPTH).unwrap();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for (depth, expected) in [(depth - 1, ""), (depth, ""), (depth + 1, "too deeply")] {
            let text = open.repeat(depth) + "1" + &close.repeat(depth);
            assert_eq!(said(&text).is_empty(), expected.is_empty(), "{depth}");
        }
        assert!(said(&open.repeat(1 << 20)).contains("values nest too deeply"));
    }
    // What is closed does not count.
    assert_eq!(said(&std::format!("[{}1]", "[],".repeat(1000))), "");
}

#[test]
fn no_cut_and_no_byte_can_do_harm() {
    let text = r#"{"a": [1.5e3, "b\u00e9\ud83d\ude00\n", {"c": null}], "d": -7}"#;
    assert_eq!(said(text), "");
    for length in 0..text.len() {
        let mut reader = Reader::new(&text.as_bytes()[..length]);
        assert!(reader.skip().is_err(), "{length}");
    }
    for place in 0..text.len() {
        for value in 0..=u8::MAX {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] = value;
            let mut reader = Reader::new(&bytes);
            let _ = reader.skip().and_then(|()| reader.finish());
        }
    }
}
