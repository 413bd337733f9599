//! What the user calls an image: a file name, or a list of options.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use abi::info::{Window, extension};
use thiserror::Error;

use crate::file_name::protocol;
use crate::output::json::compact;
use crate::output::value::{Dict, Value};

/// An image, as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    /// The file that it lies in.
    pub path: PathBuf,
    /// What it is called in the output.
    pub shown: Vec<u8>,
    /// What the user said, for error messages.
    pub said: Vec<u8>,
    /// Its format, if the user said so.
    pub driver: Option<String>,
    /// The part of the file that it is.
    pub window: Option<Window>,
    /// The extension of the file's name. Of a file that is named by options,
    /// qemu-img does not look at it.
    pub extension: Vec<u8>,
}

/// A name that names no image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing is named.
    #[error("The 'file' block driver requires a file name")]
    Empty,
    /// It is no file, but something on a network, or something made up.
    #[error("Unknown protocol '{0}'")]
    Protocol(String),
    /// Neither a format nor a file is said.
    #[error("Must specify either driver or file")]
    NeitherDriverNorFile,
    /// There is a format and no file.
    #[error("A block device must be specified for \"file\"")]
    NoFile,
    /// The file is said to be a block device that has been defined elsewhere.
    #[error("Cannot find device='{0}' nor node-name='{0}'")]
    NoSuchNode(String),
    /// An option that the format does not have.
    #[error("Block format '{driver}' does not support the option '{option}'")]
    FormatOption {
        /// The format.
        driver: String,
        /// The option.
        option: String,
    },
    /// An option that files do not have.
    #[error("Block protocol 'file' doesn't support the option '{0}'")]
    FileOption(String),
    /// A size that is none.
    #[error("Parameter '{0}' expects a non-negative number below 2^64")]
    Size(String),
}

/// Options that change nothing about what an image holds, so that they are
/// accepted and do nothing.
const WITHOUT_EFFECT: [&str; 9] = [
    "auto-read-only",
    "cache.direct",
    "cache.no-flush",
    "detect-zeroes",
    "discard",
    "force-share",
    "key-secret",
    "node-name",
    "read-only",
];

impl ImageName {
    /// The image in the file with a name.
    ///
    /// # Errors
    ///
    /// If the name is no file's.
    pub fn from_file_name(name: &OsStr) -> Result<Self, NameError> {
        let said = name.as_bytes();
        let file = match protocol(said) {
            None => said,
            Some(b"file") => said.get(b"file:".len()..).unwrap_or_default(),
            Some(other) => {
                return Err(NameError::Protocol(String::from_utf8_lossy(other).into_owned()));
            }
        };
        if file.is_empty() {
            return Err(NameError::Empty);
        }
        Ok(Self {
            path: OsString::from_vec(file.to_vec()).into(),
            shown: file.to_vec(),
            said: said.to_vec(),
            driver: None,
            window: None,
            extension: extension(file).to_vec(),
        })
    }

    /// The image that a list of options describes.
    ///
    /// # Errors
    ///
    /// If it describes none, or has options that mean nothing here.
    pub fn from_options(options: &OsStr) -> Result<Self, NameError> {
        let said = options.as_bytes();
        let mut driver = None;
        let mut file_driver = None;
        let mut filename = None;
        let mut offset = None;
        let mut size = None;
        let mut others = Vec::new();
        for (key, value) in split_options(said) {
            let text = || String::from_utf8_lossy(&value).into_owned();
            match key.as_str() {
                "driver" => driver = Some(text()),
                "file" => return Err(NameError::NoSuchNode(text())),
                "file.driver" => file_driver = Some(text()),
                "file.filename" => filename = Some(value),
                "offset" => offset = Some(text()),
                "size" => size = Some(text()),
                _ => others.push(key),
            }
        }
        let Some(filename) = filename else {
            let nothing = driver.is_none() && file_driver.is_none();
            return Err(if nothing { NameError::NeitherDriverNorFile } else { NameError::NoFile });
        };
        if let Some(other) = file_driver.filter(|name| name != "file" && name != "host_device") {
            return Err(NameError::Protocol(other));
        }
        let is_raw = driver.as_deref() == Some("raw");
        let of_window = [("offset", &offset), ("size", &size)];
        let stray = of_window.into_iter().find(|(_, value)| value.is_some() && !is_raw);
        others.extend(stray.map(|(key, _)| key.to_owned()));
        if let Some(option) = others.into_iter().find(|key| !is_without_effect(key)) {
            return Err(match option.strip_prefix("file.") {
                Some(option) => NameError::FileOption(option.to_owned()),
                None => NameError::FormatOption {
                    driver: driver.unwrap_or_else(|| "probed".to_owned()),
                    option,
                },
            });
        }
        let window = match (&offset, &size) {
            (None, None) => None,
            _ => Some(Window {
                offset: offset.as_deref().map_or(Ok(0), |text| number("offset", text))?,
                size: size.as_deref().map(|text| number("size", text)).transpose()?,
            }),
        };
        let shown = match window {
            None => filename.clone(),
            Some(_) => windowed_name(&filename, offset.as_deref(), size.as_deref()),
        };
        Ok(Self {
            path: OsString::from_vec(filename).into(),
            shown,
            said: said.to_vec(),
            driver,
            window,
            extension: Vec::new(),
        })
    }
}

/// What qemu calls an image that is only a part of a file: a JSON object with the
/// options that matter, as they were written.
fn windowed_name(filename: &[u8], offset: Option<&str>, size: Option<&str>) -> Vec<u8> {
    let file = Dict::new().with("driver", "file").with("filename", filename);
    let name = Dict::new()
        .with("driver", "raw")
        .with_some("offset", offset)
        .with_some("size", size)
        .with("file", file);
    format!("json:{}", compact(&Value::from(name))).into_bytes()
}

fn is_without_effect(key: &str) -> bool {
    let key_of_file = key.strip_prefix("file.").unwrap_or(key);
    WITHOUT_EFFECT.contains(&key_of_file)
        || ["file.aio", "file.locking", "file.filename"].contains(&key)
        || key.starts_with("encrypt.")
}

/// Splits `key=value,key=value`. A doubled comma stands for one; a key without a
/// value is switched on; the first may be a value without a key, the file's.
fn split_options(options: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = options;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind.first()) {
            (b',', Some(b',')) => {
                rest = behind.get(1..).unwrap_or_default();
                push(&mut parts, b',');
            }
            (b',', _) => parts.push(Vec::new()),
            _ => push(&mut parts, *byte),
        }
    }
    let pairs = parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty());
    pairs.map(|(index, part)| split_pair(part, index == 0)).collect()
}

fn push(parts: &mut [Vec<u8>], byte: u8) {
    if let Some(part) = parts.last_mut() {
        part.push(byte);
    }
}

fn split_pair(part: Vec<u8>, is_first: bool) -> (String, Vec<u8>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match part.iter().position(|byte| *byte == b'=') {
        Some(equals) => {
            let (key, value) = part.split_at(equals);
            (text(key), value.get(1..).unwrap_or_default().to_vec())
        }
        None if is_first => ("file".to_owned(), part),
        None => (text(&part), b"on".to_vec()),
    }
}

/// A number of bytes, possibly with a unit.
fn number(option: &str, text: &str) -> Result<u64, NameError> {
    let wrong = || NameError::Size(option.to_owned());
    let unit = text.chars().last().filter(char::is_ascii_alphabetic);
    let digits = text.trim_end_matches(|letter: char| Some(letter) == unit);
    let shift = match unit.map(|unit| unit.to_ascii_lowercase()) {
        None | Some('b') => 0,
        Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        Some('t') => 40,
        Some('p') => 50,
        Some('e') => 60,
        Some(_) => return Err(wrong()),
    };
    let digits: u64 = digits.parse().map_err(|_| wrong())?;
    digits.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Result<ImageName, NameError> {
        ImageName::from_file_name(OsStr::new(name))
    }

    fn options(options: &str) -> Result<ImageName, NameError> {
        ImageName::from_options(OsStr::new(options))
    }

    #[test]
    fn file_names_may_have_a_protocol() {
        assert_eq!(file("a.img").unwrap().path, PathBuf::from("a.img"));
        assert_eq!(file("file:d/a.img").unwrap().shown, b"d/a.img");
        assert_eq!(file("./a:b").unwrap().path, PathBuf::from("./a:b"));
        assert_eq!(file("nbd:x"), Err(NameError::Protocol("nbd".into())));
        assert_eq!(file("json:{}"), Err(NameError::Protocol("json".into())));
        assert_eq!(file(""), Err(NameError::Empty));
        assert_eq!(file("file:"), Err(NameError::Empty));
    }

    #[test]
    fn options_describe_an_image() {
        let image = options("driver=qcow2,file.driver=file,file.filename=a,,b.img").unwrap();
        assert_eq!(image.path, PathBuf::from("a,b.img"));
        assert_eq!(image.driver.as_deref(), Some("qcow2"));
        assert_eq!(image.shown, b"a,b.img");
        assert!(options("file.filename=a,read-only,discard=unmap,file.locking=off").is_ok());
    }

    #[test]
    fn a_part_of_a_file_is_named_by_its_options() {
        let image = options("driver=raw,offset=1k,size=2M,file.filename=a").unwrap();
        assert_eq!(image.window, Some(Window { offset: 1024, size: Some(2 << 20) }));
        assert_eq!(
            String::from_utf8(image.shown).unwrap(),
            r#"json:{"offset": "1k", "driver": "raw", "size": "2M", "file": {"driver": "file", "filename": "a"}}"#
        );
    }

    #[test]
    fn options_that_describe_nothing_say_why() {
        for (text, expected) in [
            ("", "Must specify either driver or file"),
            ("filename=a", "Must specify either driver or file"),
            ("driver=qcow2", "A block device must be specified for \"file\""),
            ("a.img", "Cannot find device='a.img' nor node-name='a.img'"),
            (
                "driver=qcow2,file.filename=a,foo=1",
                "Block format 'qcow2' does not support the option 'foo'",
            ),
            (
                "driver=qcow2,file.filename=a,offset=1",
                "Block format 'qcow2' does not support the option 'offset'",
            ),
            ("file.filename=a,file.zz=1", "Block protocol 'file' doesn't support the option 'zz'"),
            ("file.driver=nbd,file.filename=a", "Unknown protocol 'nbd'"),
            (
                "driver=raw,size=17E,file.filename=a",
                "Parameter 'size' expects a non-negative number below 2^64",
            ),
        ] {
            assert_eq!(options(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn the_extension_counts_where_the_file_is_named_by_itself() {
        assert_eq!(file("d.x/a.dmg").unwrap().extension, b"dmg");
        assert_eq!(file("file:A.DMG").unwrap().extension, b"DMG");
        assert_eq!(options("file.filename=a.dmg").unwrap().extension, b"");
    }
}
