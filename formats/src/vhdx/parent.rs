//! The parent of a differencing disk (specification, section 2.6.2.6): pairs of
//! keys and values in UTF-16, which say where it is and what id it has.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::VhdxError;
use super::region::Region;
use crate::error::Error;
use crate::guid::Guid;
use crate::storage::{Storage, read_bytes, read_struct};
use crate::windows_path;

/// The parent is another VHDX image (section 2.6.2.6.3). No other type is known.
pub const VHDX: Guid =
    Guid::new(0xb04a_efb7, 0xd19e, 0x4a81, [0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13]);

/// The key with the id of the parent's data.
pub const LINKAGE: &str = "parent_linkage";

/// The keys with a path of the parent, in the order in which they are tried.
pub const PATHS: [&str; 3] = ["relative_path", "volume_path", "absolute_win32_path"];

/// The most pairs. The specification has five.
pub const MAX_PAIRS: u16 = 64;

/// What the item starts with.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct LocatorHeader {
    /// What the parent is: [`VHDX`].
    pub locator_type: Guid,
    /// Zeros.
    pub reserved: U16,
    /// How many pairs follow.
    pub pairs: U16,
}

/// Where a pair is. Offsets are from the start of the item.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Pair {
    /// Where the key starts, in bytes.
    pub key_offset: U32,
    /// Where the value starts, in bytes.
    pub value_offset: U32,
    /// The length of the key in bytes.
    pub key_length: U16,
    /// The length of the value in bytes.
    pub value_length: U16,
}

/// The disk underneath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its name, from the folder of the disk.
    pub name: Vec<u8>,
    /// The id of its data, if the disk says so.
    pub id: Option<Guid>,
}

impl Parent {
    /// The parent that an item of the metadata leads to.
    ///
    /// # Errors
    ///
    /// If no path leads to a file, or something is too long or does not lie in the
    /// item.
    pub fn read(storage: &dyn Storage, item: Region) -> Result<Self, Error> {
        let pairs = pairs(storage, item)?;
        let name = name(storage, item, &pairs)?;
        Ok(Self { name, id: id(storage, item, &pairs)? })
    }
}

/// The id of the parent's data. A value that is none says nothing.
fn id(storage: &dyn Storage, item: Region, pairs: &[Pair]) -> Result<Option<Guid>, Error> {
    for pair in pairs {
        if has_key(storage, item, pair, LINKAGE)? {
            let value = text(storage, item, pair.value_offset.get(), pair.value_length.get())?;
            return Ok(Guid::parse(&value));
        }
    }
    Ok(None)
}

/// The name under which the parent is looked for, from the folder of the disk: by
/// the first path that leads to a file.
fn name(storage: &dyn Storage, item: Region, pairs: &[Pair]) -> Result<Vec<u8>, Error> {
    for wanted in PATHS {
        for pair in pairs {
            if !has_key(storage, item, pair, wanted)? {
                continue;
            }
            let path = text(storage, item, pair.value_offset.get(), pair.value_length.get())?;
            if let Some(name) = windows_path::local_name(&path) {
                if name.len() > windows_path::MAX_NAME {
                    return Err(too_long().into());
                }
                return Ok(name.into_bytes());
            }
        }
    }
    Err(VhdxError::ParentNotNamed.into())
}

/// The pairs of a parent locator.
fn pairs(storage: &dyn Storage, item: Region) -> Result<Vec<Pair>, Error> {
    let size = size_of::<LocatorHeader>() as u64;
    if item.length() < size {
        return Err(VhdxError::DamagedParentLocator.into());
    }
    let header: LocatorHeader = read_struct(storage, item.start)?;
    if header.locator_type != VHDX {
        return Err(VhdxError::UnknownParentType { found: header.locator_type }.into());
    }
    let count = header.pairs.get();
    if count > MAX_PAIRS {
        return Err(VhdxError::TooManyPairs { limit: MAX_PAIRS }.into());
    }
    let place =
        |index: u16| u64::from(index).saturating_mul(size_of::<Pair>() as u64).saturating_add(size);
    if place(count) > item.length() {
        return Err(VhdxError::DamagedParentLocator.into());
    }
    let pair = |index| Ok(read_struct(storage, item.start.saturating_add(place(index)))?);
    (0..count).map(pair).collect()
}

/// Whether a pair has a key, of which it reads no other.
fn has_key(storage: &dyn Storage, item: Region, pair: &Pair, wanted: &str) -> Result<bool, Error> {
    let length = pair.key_length.get();
    if usize::from(length) != wanted.len().saturating_mul(2) {
        return Ok(false);
    }
    Ok(text(storage, item, pair.key_offset.get(), length)? == wanted)
}

/// A key or a value.
fn text(storage: &dyn Storage, item: Region, offset: u32, length: u16) -> Result<String, Error> {
    let end = u64::from(offset).saturating_add(length.into());
    if end > item.length() {
        return Err(VhdxError::DamagedParentLocator.into());
    }
    let length = usize::from(length);
    if length > windows_path::MAX_PATH {
        return Err(too_long().into());
    }
    let bytes = read_bytes(storage, item.start.saturating_add(offset.into()), length)?;
    Ok(windows_path::from_little_endian(&bytes))
}

fn too_long() -> VhdxError {
    VhdxError::ParentTooLong { limit: windows_path::MAX_NAME }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::*;
    use crate::vhdx::sample;

    /// The name that a parent locator leads to, or what is wrong with it.
    fn said(bytes: &Vec<u8>) -> String {
        match Parent::read(bytes, Region::new(0, bytes.len() as u64)) {
            Ok(parent) => String::from_utf8(parent.name).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    fn locator(pairs: &[(&str, &str)]) -> Vec<u8> {
        let pairs = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        sample::Parent { pairs: pairs.collect() }.bytes()
    }

    const DAMAGED: &str = "the parent locator is damaged";
    const NOWHERE: &str = "the disk has a parent but does not say where it is";

    #[test]
    fn the_first_path_that_leads_to_a_file_counts() {
        let linkage = ("parent_linkage", "{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}");
        let relative = ("relative_path", r"..\a\relative.vhdx");
        let volume =
            ("volume_path", r"\\?\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\a\volume.vhdx");
        let absolute = ("absolute_win32_path", r"\\?\d:\a\absolute.vhdx");
        for (pairs, expected) in [
            (&[linkage, relative, volume, absolute][..], "../a/relative.vhdx"),
            (&[absolute, volume, relative, linkage], "../a/relative.vhdx"),
            (&[absolute, volume], "volume.vhdx"),
            (&[linkage, absolute], "absolute.vhdx"),
            (&[("relative_path", ""), absolute], "absolute.vhdx"),
            (&[("relative_path", r".\"), ("volume_path", r"\\?\"), absolute], "absolute.vhdx"),
            // Two of a kind.
            (&[("relative_path", r".\"), relative], "../a/relative.vhdx"),
            // As long as a key, but another.
            (&[("relative_patH", "a")], NOWHERE),
            (&[linkage], NOWHERE),
            (&[], NOWHERE),
        ] {
            assert_eq!(said(&locator(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn the_linkage_is_an_id() {
        let id = Guid::new(0x83ed_0ec3, 0x24c8, 0x49a6, *b"\xa9\x59\x5e\x4b\xf1\x28\x8b\xfb");
        let path = ("relative_path", "a");
        for (linkage, expected) in [
            (Some("{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}"), Some(id)),
            (Some("{83ED0EC3-24C8-49A6-A959-5E4BF1288BFB}"), Some(id)),
            (Some("83ed0ec3-24c8-49a6-a959-5e4bf1288bfb"), None),
            (Some(""), None),
            (None, None),
        ] {
            let linkage = linkage.map(|linkage| ("parent_linkage", linkage));
            let pairs: Vec<_> = linkage.into_iter().chain([path]).collect();
            let bytes = locator(&pairs);
            let parent = Parent::read(&bytes, Region::new(0, bytes.len() as u64)).unwrap();
            assert_eq!((parent.id, parent.name), (expected, b"a".to_vec()), "{linkage:?}");
        }
    }

    #[test]
    fn names_have_a_limit() {
        for (count, fits) in [(4094, true), (4095, true), (4096, false), (8000, false)] {
            let path = "a".repeat(count);
            let said = said(&locator(&[("relative_path", &path)]));
            let expected =
                if fits { &*path } else { "the path of the parent is longer than 4095 bytes" };
            assert!(said == expected, "{count}: {said}");
        }
    }

    #[test]
    fn pairs_have_a_limit() {
        let with = |count: u16| {
            let mut pairs = std::vec![("a", "b"); usize::from(count) - 1];
            pairs.push(("relative_path", "a"));
            said(&locator(&pairs))
        };
        assert_eq!(with(MAX_PAIRS - 1), "a");
        assert_eq!(with(MAX_PAIRS), "a");
        assert_eq!(with(MAX_PAIRS + 1), "the parent locator has more than 64 entries");
    }

    #[test]
    fn other_types_are_not_supported() {
        let mut bytes = locator(&[("relative_path", "a")]);
        bytes[0] ^= 1;
        assert_eq!(
            said(&bytes),
            "the parent is of an unknown type: b04aefb6-d19e-4a81-b789-25b8e9445913"
        );
    }

    #[test]
    fn everything_lies_in_the_item() {
        let bytes = locator(&[("relative_path", "a")]);
        assert_eq!(said(&bytes), "a");
        for length in 0..bytes.len() {
            assert_eq!(said(&bytes[..length].to_vec()), DAMAGED, "{length}");
        }
        for (place, expected) in [(20, DAMAGED), (24, DAMAGED), (28, NOWHERE), (30, DAMAGED)] {
            let mut bytes = bytes.clone();
            bytes[place + 1] = 0x7f;
            assert_eq!(said(&bytes), expected, "{place}");
        }
    }
}
