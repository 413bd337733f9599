//! What the user wants an image to be like that gets made: options and their syntax.
//! What they mean is the guest's business.
//!
//! Reading order: [`table`] (the options there are), this file (`-o name=value,…`),
//! [`number`] (sizes).

pub mod number;
pub mod table;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use abi::convert::{Setting, Value};
use abi::info::Format;
use abi::text::Text;

use self::table::{Description, FILE, Kind};

/// Options that are set, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<(&'static Description, Value)>);

/// What is said of a number that is none.
const SUFFIXES: &str = "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, \
                        peta-\nand exabytes, respectively.";

/// Every option of a format, with those of the file that it goes into.
fn known(format: Format) -> impl Iterator<Item = &'static Description> {
    let own = table::options(format).unwrap_or_default();
    let is_new = move |it: &&Description| own.iter().all(|other| other.name != it.name);
    own.iter().chain(FILE.iter().filter(is_new))
}

impl Settings {
    /// Reads `name=value,…` for a format. A doubled comma stands for one; a name by
    /// itself is switched on.
    ///
    /// # Errors
    ///
    /// What is wrong, in qemu-img's words.
    pub fn parse(&mut self, format: Format, text: &str) -> Result<(), String> {
        for part in split(text) {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, value),
                None => match part.strip_prefix("no") {
                    Some(name) => (name, "off"),
                    None => (part.as_str(), "on"),
                },
            };
            let description = known(format).find(|it| it.name == name);
            let description = description.ok_or(format!("Invalid parameter '{name}'"))?;
            let value = value_of(description, value)?;
            self.put(description, value);
        }
        Ok(())
    }

    /// Sets an option of a format, if it has one with this name.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn set(&mut self, format: Format, name: &str, value: Value) -> Result<(), NoSuchOption> {
        let description = known(format).find(|it| it.name == name).ok_or(NoSuchOption)?;
        self.put(description, value);
        Ok(())
    }

    /// Sets the image underneath and its format, as `-b`, `-B` and `-F` do.
    ///
    /// # Errors
    ///
    /// In qemu-img's words, if images of this format have none.
    pub fn set_backing(
        &mut self,
        format: Format,
        backing: Option<&OsStr>,
        backing_format: Option<&str>,
    ) -> Result<(), String> {
        let name = format.name();
        let text = |bytes: &[u8]| Value::Text(Text::truncated(bytes));
        if let Some(backing) = backing {
            self.set(format, "backing_file", text(backing.as_bytes()))
                .map_err(|_| format!("Backing file not supported for file format '{name}'"))?;
        }
        if let Some(backing_format) = backing_format {
            self.set(format, "backing_fmt", text(backing_format.as_bytes())).map_err(|_| {
                format!("Backing file format not supported for file format '{name}'")
            })?;
        }
        Ok(())
    }

    fn put(&mut self, description: &'static Description, value: Value) {
        self.0.retain(|(set, _)| set.name != description.name);
        self.0.push((description, value));
    }

    /// The value of an option, if it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find_map(|(set, value)| (set.name == name).then_some(value))
    }

    /// The value of an option that is a number, if it is set.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The value of an option that is text, if it is set.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&[u8]> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The options for the guest.
    #[must_use]
    pub fn to_request(&self) -> Vec<Setting> {
        let setting = |(description, value): &(&Description, Value)| Setting {
            name: Text::truncated(description.name.as_bytes()),
            value: value.clone(),
        };
        self.0.iter().filter(|(it, _)| it.name != "size").map(setting).collect()
    }

    /// What qemu-img says of an image before it makes it: every option that is set, or
    /// has a default.
    #[must_use]
    pub fn announcement(&self, format: Format) -> String {
        let mut words = vec![format!("fmt={}", format.name())];
        for description in known(format) {
            let value = match self.get(description.name) {
                Some(value) => Some(shown(value)),
                None => description.default.map(str::to_owned),
            };
            words.extend(value.map(|value| format!("{}={value}", description.name)));
        }
        words.join(" ")
    }
}

/// The format has no such option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchOption;

/// What `-o help` prints: the options of a format and, if the file is known, those of
/// the file.
#[must_use]
pub fn help(format: Format, with_file: bool) -> String {
    let mut options: Vec<&Description> = match with_file {
        true => known(format).collect(),
        false => table::options(format).unwrap_or_default().iter().collect(),
    };
    options.sort_by_key(|it| it.name);
    let mut text = match with_file {
        true => "Supported options:\n".to_owned(),
        false => format!("Supported {} options:\n", format.name()),
    };
    for option in options {
        let kind = match option.kind {
            Kind::Text => "str",
            Kind::Flag => "bool (on/off)",
            Kind::Number => "num",
            Kind::Size => "size",
        };
        let name = format!("{}=<{kind}>", option.name);
        text += &format!("  {name:<22} - {}\n", option.help);
    }
    if !with_file {
        text += "\nThe protocol level may support further options.\nSpecify the target filename \
                 to include those options.\n";
    }
    text
}

/// Splits at commas that stand alone.
fn split(text: &str) -> Vec<String> {
    let text = text.replace(",,", "\0");
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.map(|part| part.replace('\0', ",")).collect()
}

fn value_of(description: &Description, value: &str) -> Result<Value, String> {
    let name = description.name;
    match description.kind {
        Kind::Text => Ok(Value::Text(Text::truncated(value.as_bytes()))),
        Kind::Flag => match value {
            "on" | "yes" | "true" | "y" => Ok(Value::Flag(true)),
            "off" | "no" | "false" | "n" => Ok(Value::Flag(false)),
            _ => Err(format!("Parameter '{name}' expects 'on' or 'off'")),
        },
        Kind::Number => number::plain(value).map(Value::Number).map_err(|error| match error {
            number::NotASize::Invalid => format!("Parameter '{name}' expects a number"),
            number::NotASize::TooLarge => {
                format!("Value '{value}' is too large for parameter '{name}'")
            }
        }),
        Kind::Size => number::size(value).map(Value::Number).map_err(|error| match error {
            number::NotASize::Invalid => {
                format!("Parameter '{name}' expects a non-negative number below 2^64\n{SUFFIXES}")
            }
            number::NotASize::TooLarge => {
                format!("Value '{value}' is out of range for parameter '{name}'")
            }
        }),
    }
}

/// A value as qemu-img prints it.
fn shown(value: &Value) -> String {
    match value {
        Value::Flag(true) => "on".to_owned(),
        Value::Flag(false) => "off".to_owned(),
        // As qemu-img does, with a sign.
        Value::Number(number) => number.cast_signed().to_string(),
        Value::Text(text) => {
            crate::output::escape::for_terminal(text.as_bytes()).replace(',', ",,")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(format: Format, text: &str) -> Result<String, String> {
        let mut settings = Settings::default();
        settings.parse(format, text).map(|()| settings.announcement(format))
    }

    #[test]
    fn options_are_announced_as_qemu_img_does() {
        for (format, text, expected) in [
            (Format::Raw, "size=1M", "fmt=raw size=1048576"),
            (Format::Vdi, "", "fmt=vdi static=off"),
            (Format::Vdi, "static", "fmt=vdi static=on"),
            (Format::Vdi, "nostatic", "fmt=vdi static=off"),
            (
                Format::Qcow2,
                "compat=0.10,cluster_size=4k,backing_file=a,,b",
                "fmt=qcow2 cluster_size=4096 extended_l2=off compression_type=zlib compat=0.10 \
                 backing_file=a,,b lazy_refcounts=off refcount_bits=16",
            ),
        ] {
            assert_eq!(said(format, text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_option_is_an_error() {
        for (text, expected) in [
            ("foo=1", "Invalid parameter 'foo'"),
            ("lazy_refcounts=maybe", "Parameter 'lazy_refcounts' expects 'on' or 'off'"),
            ("refcount_bits=x", "Parameter 'refcount_bits' expects a number"),
            (
                "cluster_size=abc",
                "Parameter 'cluster_size' expects a non-negative number below 2^64\nOptional \
                 suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand \
                 exabytes, respectively.",
            ),
        ] {
            assert_eq!(said(Format::Qcow2, text), Err(expected.to_owned()));
        }
    }
}
