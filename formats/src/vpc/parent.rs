//! The parent of a differencing disk (specification, "Differencing Hard Disk
//! Images").
//!
//! The header has the parent's file name, and up to eight locators lead to paths,
//! each written for one kind of system.

use alloc::string::String;
use alloc::vec::Vec;

use super::VpcError;
use super::header::{Header, Locator};
use crate::error::Error;
use crate::storage::{Storage, check_range, read_bytes};
use crate::windows_path;

/// A path of Windows relative to the folder of the disk, in UTF-16, little-endian.
pub const RELATIVE: [u8; 4] = *b"W2ru";

/// An absolute path of Windows, in UTF-16, little-endian.
pub const ABSOLUTE: [u8; 4] = *b"W2ku";

/// The name under which the parent is looked for, from the folder of the disk.
///
/// The first that leads to a file counts: the relative path, the absolute path,
/// the name in the header.
///
/// # Errors
///
/// If none does, or one is too long or does not lie in the file.
pub fn name(storage: &dyn Storage, header: &Header) -> Result<Vec<u8>, Error> {
    for platform in [RELATIVE, ABSOLUTE] {
        for locator in header.parent_locators.iter().filter(|it| it.platform == platform) {
            if let Some(name) = windows_path::local_name(&path(storage, locator)?) {
                return checked(name);
            }
        }
    }
    let name = windows_path::from_big_endian(&header.parent_name);
    match windows_path::local_name(&name) {
        Some(name) => checked(name),
        None => Err(VpcError::ParentNotNamed.into()),
    }
}

/// The path that a locator leads to.
fn path(storage: &dyn Storage, locator: &Locator) -> Result<String, Error> {
    let (offset, length) = (locator.offset.get(), locator.length.get());
    let outside = |_| VpcError::LocatorOutsideFile { offset, length };
    check_range(storage, offset, length.into()).map_err(outside)?;
    let size = usize::try_from(length).ok().filter(|size| *size <= windows_path::MAX_PATH);
    let size = size.ok_or(VpcError::ParentTooLong { limit: windows_path::MAX_NAME })?;
    Ok(windows_path::from_little_endian(&read_bytes(storage, offset, size)?))
}

fn checked(name: String) -> Result<Vec<u8>, Error> {
    if name.len() > windows_path::MAX_NAME {
        return Err(VpcError::ParentTooLong { limit: windows_path::MAX_NAME }.into());
    }
    Ok(name.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::{format, vec};

    use super::*;
    use crate::vpc::sample::{Parent, Vhd};

    fn name_of(vhd: &Vhd) -> String {
        match name(&vhd.bytes(), &vhd.header()) {
            Ok(name) => String::from_utf8(name).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_first_path_that_leads_to_a_file_counts() {
        let nothing = "the disk has a parent but does not say where it is";
        for (relative, absolute, file, expected) in [
            (Some(r".\relative.vhd"), Some(r"C:\a\absolute.vhd"), "file.vhd", "relative.vhd"),
            (Some(r"..\b\relative.vhd"), None, "file.vhd", "../b/relative.vhd"),
            (None, Some(r"C:\a\absolute.vhd"), "file.vhd", "absolute.vhd"),
            (Some(r"C:\a\relative.vhd"), None, "file.vhd", "relative.vhd"),
            (Some(""), Some(r"C:\a\absolute.vhd"), "file.vhd", "absolute.vhd"),
            (Some(r".\"), Some(r"C:\"), "file.vhd", "file.vhd"),
            (None, None, "file.vhd", "file.vhd"),
            (None, None, r"C:\a\file.vhd", "file.vhd"),
            (None, None, "", nothing),
            (Some(""), Some(""), "", nothing),
        ] {
            let parent = Parent {
                relative: relative.map(Into::into),
                absolute: absolute.map(Into::into),
                file: file.into(),
                ..Parent::default()
            };
            let vhd = Vhd::differencing(1 << 20, parent);
            assert_eq!(name_of(&vhd), expected, "{relative:?} {absolute:?} {file}");
        }
    }

    #[test]
    fn names_have_a_limit() {
        let too_long = "the path of the parent is longer than 4095 bytes";
        for (letter, count, fits) in [
            ("a", 4094, true),
            ("a", 4095, true),
            ("a", 4096, false),
            // Fewer units, but as many bytes.
            ("ü", 2047, true),
            ("ü", 2048, false),
        ] {
            let relative = Some(letter.repeat(count));
            let vhd = Vhd::differencing(1 << 20, Parent { relative, ..Parent::default() });
            let name = name_of(&vhd);
            let expected = if fits { letter.repeat(count) } else { too_long.into() };
            assert!(name == expected, "{count}: {name}");
        }
        // A prefix makes it longer.
        let relative = Some(format!("ab:{}", "b".repeat(4092)));
        let vhd = Vhd::differencing(1 << 20, Parent { relative, ..Parent::default() });
        assert_eq!(name_of(&vhd), too_long);
    }

    #[test]
    fn a_path_lies_in_the_file() {
        let bytes = vec![0; 1024];
        let locator = |offset: u64, length: u32| Locator {
            platform: RELATIVE,
            space: 512.into(),
            length: length.into(),
            reserved: 0.into(),
            offset: offset.into(),
        };
        for (offset, length, inside) in
            [(1023, 1, true), (1023, 2, false), (1024, 0, true), (u64::MAX, 1, false)]
        {
            let said = path(&bytes, &locator(offset, length)).map_err(|error| error.to_string());
            let expected = format!(
                "the path of the parent at {offset} ({length} bytes) does not lie in the file"
            );
            assert_eq!(said, if inside { Ok(String::new()) } else { Err(expected) });
        }
        let said = path(&bytes, &locator(0, u32::MAX)).unwrap_err().to_string();
        assert!(said.ends_with("does not lie in the file"), "{said}");
    }
}
