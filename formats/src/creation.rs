//! What an image is to be like that gets made.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{ErrorKind, FormatError};
use crate::image::Description;

/// An image that is to be made.
#[derive(Clone, Debug, Default)]
pub struct Creation<'a> {
    /// The size of its disk in bytes.
    pub size: u64,
    /// What the user wants besides.
    pub options: Options,
    /// Whether units are to be compressed.
    pub compress: bool,
    /// The name of its file, without folders.
    pub file_name: Vec<u8>,
    /// The image underneath, if it could be looked at.
    pub backing: Option<&'a Description>,
    /// qemu-img's name for its format.
    pub backing_format: Option<&'a str>,
    /// What ids are made of: random, unless the same image is to be made again.
    pub seed: [u8; 16],
    /// The time in seconds since 1970, zero if the same image is to be made again.
    pub time: u64,
}

/// Options, by the names that qemu-img has for them. Their syntax has been checked;
/// what they mean is the format's business.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(Vec<(String, Value)>);

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `on` or `off`.
    Flag(bool),
    /// A number, or a size in bytes.
    Number(u64),
    /// Text.
    Text(Vec<u8>),
}

impl Options {
    /// Sets an option. It replaces what was set before.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(set, _)| set == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// Those that are set, in the order in which they were.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find_map(|(set, value)| (set == name).then_some(value))
    }

    /// An option that is `on` or `off`, if it is set.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// An option that is a number, if it is set.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// An option that is one of a few words, if it is set: what its word stands for.
    ///
    /// # Errors
    ///
    /// If it is another word.
    pub fn choice<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, UnknownWord> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let choice = words.iter().find(|(word, _)| word.as_bytes() == text);
        let unknown = || UnknownWord { name, word: String::from_utf8_lossy(text).into_owned() };
        choice.map(|(_, choice)| Some(*choice)).ok_or_else(unknown)
    }

    /// An option that is text, if it is set.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&[u8]> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// An option with a word that it does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Parameter '{name}' does not accept value '{word}'")]
pub struct UnknownWord {
    /// The option.
    name: &'static str,
    /// The word.
    word: String,
}

impl FormatError for UnknownWord {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }
}

impl Creation<'_> {
    /// An id, different for each number.
    #[must_use]
    pub fn id(&self, number: u8) -> [u8; 16] {
        let mut id = self.seed;
        if let Some(last) = id.last_mut() {
            *last ^= number;
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_the_value_that_was_set_last() {
        let mut options = Options::default();
        options.set("size", Value::Number(1));
        options.set("static", Value::Flag(true));
        options.set("size", Value::Number(2));
        assert_eq!(options.number("size"), Some(2));
        assert_eq!(options.flag("static"), Some(true));
        assert_eq!(options.flag("size"), None);
        assert_eq!(options.text("compat"), None);
    }

    #[test]
    fn a_choice_is_one_of_a_few_words() {
        let words = [("dynamic", 1), ("fixed", 2)];
        let mut options = Options::default();
        assert_eq!(options.choice("subformat", &words), Ok(None));
        for (word, expected) in [("dynamic", Some(1)), ("fixed", Some(2)), ("Fixed", None)] {
            options.set("subformat", Value::Text(word.into()));
            let choice = options.choice("subformat", &words);
            assert_eq!(choice.clone().ok().flatten(), expected, "{word}");
            if let Err(error) = choice {
                let said = "Parameter 'subformat' does not accept value 'Fixed'";
                assert_eq!(std::string::ToString::to_string(&error), said);
            }
        }
    }

    #[test]
    fn ids_differ() {
        let creation = Creation { seed: [7; 16], ..Creation::default() };
        assert_eq!(creation.id(0), [7; 16]);
        assert_ne!(creation.id(1), creation.id(2));
    }
}
