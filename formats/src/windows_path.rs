//! Paths that Windows wrote, as names of files here.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

/// The longest name in bytes: as long as a file name can be on Linux.
pub const MAX_NAME: usize = 4095;

/// The longest path in bytes of UTF-16. Each of its units, of two bytes, makes at
/// least one byte of a name.
pub const MAX_PATH: usize = MAX_NAME * 2;

/// The text up to the first NUL in bytes of UTF-16, little-endian.
#[must_use]
pub fn from_little_endian(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks();
    decode(units.iter().map(|unit| u16::from_le_bytes(*unit)))
}

/// The text up to the first NUL in bytes of UTF-16, big-endian.
#[must_use]
pub fn from_big_endian(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks();
    decode(units.iter().map(|unit| u16::from_be_bytes(*unit)))
}

/// Halves of surrogate pairs, which Windows allows in names, have no bytes here
/// and are replaced.
fn decode(units: impl Iterator<Item = u16>) -> String {
    let text = char::decode_utf16(units.take_while(|unit| *unit != 0));
    text.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The name to look for here, seen from the folder of the file that has the path
/// in it. Nothing if the path names no file.
///
/// An absolute path leads to a drive or a server of another machine, so that only
/// its last part means anything here: the file is looked for in the same folder.
#[must_use]
pub fn local_name(path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let behind_drive = behind_drive(&path);
    let is_absolute = behind_drive.is_some() || path.starts_with('/');
    let path = behind_drive.unwrap_or(&path);
    let (_, file) = path.rsplit_once('/').unwrap_or(("", path));
    if matches!(file, "" | "." | "..") {
        return None;
    }
    let mut name = if is_absolute { file } else { path };
    while let Some(rest) = name.strip_prefix("./") {
        name = rest.trim_start_matches('/');
    }
    // What comes before a colon must not look like a protocol.
    let first = name.split('/').next().unwrap_or_default();
    Some(if first.contains(':') { format!("./{name}") } else { name.to_owned() })
}

/// What follows the letter of a drive, if there is one.
fn behind_drive(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(|letter: char| letter.is_ascii_alphabetic())?;
    rest.strip_prefix(':')
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn relative_paths_keep_their_folders() {
        for (path, expected) in [
            ("parent.vhd", "parent.vhd"),
            (r".\parent.vhd", "parent.vhd"),
            ("./parent.vhd", "parent.vhd"),
            (r".\.\\parent.vhd", "parent.vhd"),
            (r"..\parent.vhd", "../parent.vhd"),
            (r".\..\parent.vhd", "../parent.vhd"),
            (r"..\..\path2\sub3\parent.vhdx", "../../path2/sub3/parent.vhdx"),
            (r"sub/folder\parent.vhd", "sub/folder/parent.vhd"),
            (r"a\.\b", "a/./b"),
            ("...", "..."),
            ("übung.vhd", "übung.vhd"),
        ] {
            assert_eq!(local_name(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn of_absolute_paths_the_last_part_counts() {
        for path in [
            r"C:\images\parent.vhd",
            "c:/images/parent.vhd",
            r"C:parent.vhd",
            r"C:..\parent.vhd",
            r"\parent.vhd",
            "/images/parent.vhd",
            r"\\server\share\parent.vhd",
            r"\\?\d:\path2\sub3\parent.vhd",
            r"\\?\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\path2\parent.vhd",
        ] {
            assert_eq!(local_name(path).as_deref(), Some("parent.vhd"), "{path}");
        }
    }

    #[test]
    fn some_paths_name_no_file() {
        for path in ["", ".", "..", r".\", r"..\", r"C:\", "C:", r"C:\images\", r"a\..", "/", r"\\"]
        {
            assert_eq!(local_name(path), None, "{path}");
        }
    }

    #[test]
    fn no_name_looks_like_a_protocol() {
        for (path, expected) in [
            ("nbd:host:10809", "./nbd:host:10809"),
            ("json:{}", "./json:{}"),
            (r"nbd:\\host\x", "./nbd://host/x"),
            (r".\a:b", "./a:b"),
            (r"C:\folder\file:stream", "./file:stream"),
            ("ü:b", "./ü:b"),
            ("a/b:c", "a/b:c"),
        ] {
            assert_eq!(local_name(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn text_ends_at_a_nul_or_with_the_field() {
        let bytes = |units: &[u16], to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            units.iter().flat_map(|unit| to_bytes(*unit)).collect()
        };
        for (units, expected) in [
            (&[0x61, 0x62][..], "ab"),
            (&[0x61, 0, 0x62], "a"),
            (&[0], ""),
            (&[], ""),
            (&[0xd83d, 0xdcbe], "\u{1f4be}"),
            // A half of a pair.
            (&[0x61, 0xd83d, 0x62], "a\u{fffd}b"),
            (&[0xdcbe], "\u{fffd}"),
        ] {
            assert_eq!(from_little_endian(&bytes(units, u16::to_le_bytes)), expected);
            assert_eq!(from_big_endian(&bytes(units, u16::to_be_bytes)), expected);
        }
        // Half a unit is none.
        assert_eq!(from_little_endian(b"a\0b"), "a");
        assert_eq!(from_big_endian(b"\0ab"), "a");
    }
}
