//! Numbers and sizes on the command line.

use std::num::{IntErrorKind, ParseIntError};
use std::ops::RangeInclusive;

use crate::output::escape::for_terminal;

/// The largest number on the command line: what 63 bits hold.
pub const LARGEST: u64 = i64::MAX.unsigned_abs();

/// A number of bytes: digits, a fraction perhaps, and a suffix in powers of 1024.
///
/// # Errors
///
/// [`NotASize`] says how it is wrong.
pub fn size(text: &str) -> Result<u64, NotASize> {
    let text = text.trim_ascii_start();
    if let Some(digits) = text.strip_prefix('-') {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if is_number { NotASize::TooLarge } else { NotASize::Invalid });
    }
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(digits, 16).map_err(|error| NotASize::of(&error));
    }
    let (whole, rest) = text.split_at(end);
    let whole: u64 = whole.parse().map_err(|error| NotASize::of(&error))?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, rest) = rest.split_at(end);
            (digits, rest)
        }
        None => ("", rest),
    };
    let mut letters = rest.chars();
    let unit: u64 = match letters.next().map(|letter| letter.to_ascii_uppercase()) {
        None => 1,
        Some('B') => 1,
        Some('K') => 1 << 10,
        Some('M') => 1 << 20,
        Some('G') => 1 << 30,
        Some('T') => 1 << 40,
        Some('P') => 1 << 50,
        Some('E') => 1 << 60,
        Some(_) => return Err(NotASize::Invalid),
    };
    if letters.next().is_some() || (unit == 1 && !fraction.is_empty()) {
        return Err(NotASize::Invalid);
    }
    let whole = whole.checked_mul(unit).ok_or(NotASize::TooLarge)?;
    whole.checked_add(part_of(unit, fraction)).ok_or(NotASize::TooLarge)
}

/// A number without a suffix. A negative one stands for one that is so much below 2^64.
///
/// # Errors
///
/// [`NotASize`] says how it is wrong.
pub fn plain(text: &str) -> Result<u64, NotASize> {
    let text = text.trim_ascii_start();
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let number = number.map_err(|error| NotASize::of(&error))?;
    Ok(if is_negative { number.wrapping_neg() } else { number })
}

/// The same as [`size`], if it is what an offset can be: a signed one of 64 bits.
///
/// # Errors
///
/// [`NotASize`] says how it is wrong.
pub fn offset(text: &str) -> Result<u64, NotASize> {
    let size = size(text)?;
    if i64::try_from(size).is_ok() { Ok(size) } else { Err(NotASize::TooLarge) }
}

/// A fraction of a unit, by the digits behind the point, rounded down.
fn part_of(unit: u64, digits: &str) -> u64 {
    let (mut part, mut weight) = (0_u128, u128::from(unit) << 32);
    for digit in digits.bytes().take(18) {
        weight /= 10;
        part += weight * u128::from(digit - b'0');
    }
    u64::try_from((part + (1 << 20)) >> 32).unwrap_or(0)
}

/// A size that lies in a range.
///
/// # Errors
///
/// What is wrong, in qemu-img's words.
pub fn bounded_size(name: &str, text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    // Here, qemu-img tells what is too long or negative from what is no number.
    let digits = text.trim_start();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let size = match digits.strip_prefix('-') {
        Some(rest) if is_number(rest) => Err(NotASize::TooLarge),
        _ if is_number(digits) => digits.parse().map_err(|_| NotASize::TooLarge),
        _ => size(digits),
    };
    in_range(name, text, size, range)
}

/// A number that lies in a range: decimal, hexadecimal (`0x`) or octal (`0`).
///
/// # Errors
///
/// What is wrong, in qemu-img's words.
pub fn bounded_count(name: &str, text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let digits = text.trim_start();
    let (is_negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    let count = if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        Err(NotASize::Invalid)
    } else {
        let count = u64::from_str_radix(digits, radix).map_err(|_| NotASize::TooLarge);
        if is_negative { count.and(Err(NotASize::TooLarge)) } else { count }
    };
    in_range(name, text, count, range)
}

fn in_range(
    name: &str,
    text: &str,
    number: Result<u64, NotASize>,
    range: RangeInclusive<u64>,
) -> Result<u64, String> {
    match number {
        Err(NotASize::Invalid) => {
            Err(format!("Invalid {name} specified: '{}'.", for_terminal(text.as_bytes())))
        }
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let (least, most) = (range.start(), range.end());
            Err(format!("Invalid {name} specified. Must be between {least} and {most}."))
        }
    }
}

/// How a text is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotASize {
    /// It is no number, or has a suffix that means nothing.
    Invalid,
    /// It is too large, or negative.
    TooLarge,
}

impl NotASize {
    /// What is wrong with digits.
    fn of(error: &ParseIntError) -> Self {
        match error.kind() {
            IntErrorKind::PosOverflow => Self::TooLarge,
            _ => Self::Invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_told_from_what_is_no_number() {
        let range = "Invalid x specified. Must be between 1 and 4096.";
        for (text, size, count) in [
            ("1", Ok(1), Ok(1)),
            (" 12", Ok(12), Ok(12)),
            ("1k", Ok(1024), Err("Invalid x specified: '1k'.")),
            ("0x10", Ok(16), Ok(16)),
            ("010", Ok(10), Ok(8)),
            ("0", Err(range), Err(range)),
            ("4096", Ok(4096), Ok(4096)),
            ("4097", Err(range), Err(range)),
            ("-1", Err(range), Err(range)),
            ("99999999999999999999", Err(range), Err(range)),
            ("", Err("Invalid x specified: ''."), Err("Invalid x specified: ''.")),
            ("abc", Err("Invalid x specified: 'abc'."), Err("Invalid x specified: 'abc'.")),
            ("1.5", Err("Invalid x specified: '1.5'."), Err("Invalid x specified: '1.5'.")),
        ] {
            let expected = size.map_err(str::to_owned);
            assert_eq!(bounded_size("x", text, 1..=4096), expected, "{text}");
            let expected = count.map_err(str::to_owned);
            assert_eq!(bounded_count("x", text, 1..=4096), expected, "{text}");
        }
    }

    #[test]
    fn suffixes_are_powers_of_1024() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("512", Ok(512)),
            ("1k", Ok(1024)),
            ("1K", Ok(1024)),
            ("3b", Ok(3)),
            ("2M", Ok(2 << 20)),
            ("1.5G", Ok(3 << 29)),
            ("0.25M", Ok(256 << 10)),
            ("1.1k", Ok(1126)),
            ("15E", Ok(15 << 60)),
            ("0x200", Ok(512)),
            ("16E", Err(NotASize::TooLarge)),
            ("99999999999999999999", Err(NotASize::TooLarge)),
            ("0x10000000000000000", Err(NotASize::TooLarge)),
            (" 1", Ok(1)),
            ("-1", Err(NotASize::TooLarge)),
            ("-1k", Err(NotASize::Invalid)),
            ("-", Err(NotASize::Invalid)),
            ("0x", Err(NotASize::Invalid)),
            ("", Err(NotASize::Invalid)),
            ("1.5", Err(NotASize::Invalid)),
            ("abc", Err(NotASize::Invalid)),
            ("1KK", Err(NotASize::Invalid)),
            ("1x", Err(NotASize::Invalid)),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    #[test]
    fn plain_numbers_wrap_around() {
        for (text, expected) in [
            ("0x8", Ok(8)),
            (" 8", Ok(8)),
            ("-1", Ok(u64::MAX)),
            ("8k", Err(NotASize::Invalid)),
            ("", Err(NotASize::Invalid)),
            ("99999999999999999999", Err(NotASize::TooLarge)),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn offsets_have_a_sign() {
        for (text, expected) in [
            ("9223372036854775807", Ok(i64::MAX.unsigned_abs())),
            ("9223372036854775808", Err(NotASize::TooLarge)),
            ("8E", Err(NotASize::TooLarge)),
        ] {
            assert_eq!(offset(text), expected, "{text}");
        }
    }
}
