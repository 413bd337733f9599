//! JSON (RFC 8259), as much of it as the metadata of LUKS 2 need.
//!
//! A [`Reader`] goes through a text once, is told what to expect, and builds
//! nothing: what is not asked for is skipped, so that a text of any shape costs no
//! memory. With a general library (serde_json) the guest image would be 72 KiB larger
//! than it is.

use alloc::vec::Vec;

use thiserror::Error;

/// How deeply arrays and objects may nest. cryptsetup reads no deeper either.
pub const MAX_DEPTH: u32 = 32;

/// The longest string that can be read, in bytes. What is longer can be skipped.
pub const MAX_STRING: usize = 256;

/// Why a text is not what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {place}")]
pub struct Fault {
    /// What is wrong.
    pub what: &'static str,
    /// How many bytes of the text had been read.
    pub place: usize,
}

/// Reads a text, value by value.
#[derive(Debug)]
pub struct Reader<'a> {
    length: usize,
    /// What has not been read.
    rest: &'a [u8],
    /// How much deeper it may go.
    depth: u32,
}

/// Reads or skips the value of a member, of which it gets the name.
pub type Member<'m, 'a> = dyn FnMut(&[u8], &mut Reader<'a>) -> Result<(), Fault> + 'm;

/// Reads or skips an item.
pub type Item<'i, 'a> = dyn FnMut(&mut Reader<'a>) -> Result<(), Fault> + 'i;

impl<'a> Reader<'a> {
    /// A reader at the start of a text.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { length: text.len(), rest: text, depth: MAX_DEPTH }
    }

    /// Something that is wrong here.
    #[must_use]
    pub fn fault(&self, what: &'static str) -> Fault {
        Fault { what, place: self.length.saturating_sub(self.rest.len()) }
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// If there is none, or `member` fails.
    pub fn object(&mut self, member: &mut Member<'_, 'a>) -> Result<(), Fault> {
        self.list(b'{', b'}', "an object is missing", &mut |reader| {
            // A name that is cut off is longer than any that somebody asks for.
            let (name, _) = reader.text()?;
            reader.expect(b':', "a colon is missing")?;
            member(&name, reader)
        })
    }

    /// Reads an array.
    ///
    /// # Errors
    ///
    /// If there is none, or `item` fails.
    pub fn array(&mut self, item: &mut Item<'_, 'a>) -> Result<(), Fault> {
        self.list(b'[', b']', "an array is missing", item)
    }

    /// Reads a string, as bytes.
    ///
    /// # Errors
    ///
    /// If there is none, or it is longer than [`MAX_STRING`].
    pub fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let (text, whole) = self.text()?;
        if whole { Ok(text) } else { Err(self.fault("a string is too long")) }
    }

    /// Reads a number that is not negative and has no fraction.
    ///
    /// # Errors
    ///
    /// If there is none, or it does not fit.
    pub fn number(&mut self) -> Result<u64, Fault> {
        let word = self.word();
        unsigned(word).ok_or_else(|| self.fault("a number is missing or invalid"))
    }

    /// Passes over a value of any kind.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn skip(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        match self.rest {
            [b'{', ..] => self.object(&mut |_, reader| reader.skip()),
            [b'[', ..] => self.array(&mut |reader| reader.skip()),
            [b'"', ..] => self.text().map(drop),
            _ => match self.word() {
                b"true" | b"false" | b"null" => Ok(()),
                word if is_number(word) => Ok(()),
                _ => Err(self.fault("a value is missing or invalid")),
            },
        }
    }

    /// Makes sure that nothing follows.
    ///
    /// # Errors
    ///
    /// If something does.
    pub fn finish(mut self) -> Result<(), Fault> {
        self.skip_blanks();
        if self.rest.is_empty() { Ok(()) } else { Err(self.fault("the text goes on")) }
    }

    fn list(
        &mut self,
        open: u8,
        close: u8,
        missing: &'static str,
        item: &mut Item<'_, 'a>,
    ) -> Result<(), Fault> {
        self.expect(open, missing)?;
        self.depth =
            self.depth.checked_sub(1).ok_or_else(|| self.fault("values nest too deeply"))?;
        if !self.take(close) {
            loop {
                item(self)?;
                if self.take(close) {
                    break;
                }
                self.expect(b',', "a comma is missing")?;
            }
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes a byte, if it is what comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, byte: u8, missing: &'static str) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { Err(self.fault(missing)) }
    }

    /// Takes what can be a number or a word without quotation marks.
    fn word(&mut self) -> &'a [u8] {
        self.skip_blanks();
        let belongs =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let end = self.rest.iter().position(|byte| !belongs(byte)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        word
    }

    /// Reads a string, of which it returns the first [`MAX_STRING`] bytes, and
    /// whether that is all.
    fn text(&mut self) -> Result<(Vec<u8>, bool), Fault> {
        self.expect(b'"', "a string is missing")?;
        let (mut text, mut whole) = (Vec::new(), true);
        loop {
            let (byte, rest) =
                self.rest.split_first().ok_or_else(|| self.fault("a string has no end"))?;
            self.rest = rest;
            let mut utf_8 = [0; 4];
            let bytes = match *byte {
                b'"' => return Ok((text, whole)),
                b'\\' => self.escape()?.encode_utf8(&mut utf_8).as_bytes(),
                0..b' ' => return Err(self.fault("a string has a control character")),
                _ => core::slice::from_ref(byte),
            };
            whole &= text.len().saturating_add(bytes.len()) <= MAX_STRING;
            if whole {
                text.extend_from_slice(bytes);
            }
        }
    }

    /// Takes what is behind a backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let (byte, rest) =
            self.rest.split_first().ok_or_else(|| self.fault("a string has no end"))?;
        self.rest = rest;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(*byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.code_unit()?;
                // A character outside the first plane is two units.
                let second = match unit {
                    0xd800..0xdc00 => self.second_unit()?,
                    _ => None,
                };
                let units = [Some(unit), second].into_iter().flatten();
                let mut characters = char::decode_utf16(units);
                let character = characters.next().and_then(Result::ok);
                character.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.fault("a string has an unknown escape")),
        })
    }

    /// Takes four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u16, Fault> {
        let invalid = "a string has an invalid escape";
        let (digits, rest) = self.rest.split_first_chunk::<4>().ok_or(self.fault(invalid))?;
        let value = digits.iter().try_fold(0_u16, |value, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some(value << 4 | u16::try_from(digit).ok()?)
        });
        self.rest = rest;
        value.ok_or_else(|| self.fault(invalid))
    }

    /// Takes the second unit of a character, if there is one.
    fn second_unit(&mut self) -> Result<Option<u16>, Fault> {
        let here = self.rest;
        if let Some(rest) = here.strip_prefix(b"\\u") {
            self.rest = rest;
            let unit = self.code_unit()?;
            if matches!(unit, 0xdc00..0xe000) {
                return Ok(Some(unit));
            }
            self.rest = here;
        }
        Ok(None)
    }
}

/// A number without sign, fraction and exponent, as a value or as a string.
#[must_use]
pub fn unsigned(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit);
    let valid = digits && (text.len() == 1 || text.first() != Some(&b'0'));
    let text = core::str::from_utf8(text).ok().filter(|_| valid)?;
    text.parse().ok()
}

/// Whether a word is a number of any kind.
fn is_number(word: &[u8]) -> bool {
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let mut parts = word.splitn(2, |byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = (parts.next().unwrap_or_default(), parts.next());
    let mut parts = mantissa.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next());
    let unsigned = |text: &[u8]| {
        let text = text.strip_prefix(b"+").or(text.strip_prefix(b"-")).unwrap_or(text);
        digits(text)
    };
    digits(whole)
        && (whole.len() == 1 || whole.first() != Some(&b'0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(unsigned)
}

#[cfg(test)]
mod tests;
