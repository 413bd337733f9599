//! The descriptor (specification, "The Descriptor File"): lines of text with
//! keys, extents and comments.
//!
//! It is read by lines. A key counts where a line starts with it, and the first
//! of several; text in comments does not count.

use alloc::vec;
use alloc::vec::Vec;

use super::extent::ExtentLine;
use super::{SECTOR, VmdkError, sector};
use crate::error::Error;
use crate::storage::Storage;
use crate::text::until_nul;

/// The most text in a descriptor, in bytes. One for the largest disk in the
/// smallest usual extents has about as much.
pub const MAX_TEXT: usize = (1 << 20) - 1;

/// The most extents: the largest disk, 62 TiB, in extents of 2 GiB has fewer.
pub const MAX_EXTENTS: usize = 32 << 10;

/// The longest name of a parent in bytes: as long as a file name can be on Linux.
pub const MAX_PARENT_NAME: usize = 4095;

/// The longest type of a disk in bytes. Known ones are much shorter.
const MAX_CREATE_TYPE: usize = 127;

/// Keys of the disk data base that are about the machine, and the options that set them.
const MACHINE: [(&[u8], &str); 3] = [
    (b"ddb.adapterType", "adapter_type"),
    (b"ddb.virtualHWVersion", "hwversion"),
    (b"ddb.toolsVersion", "toolsversion"),
];

/// The longest value of such a key in bytes. They are numbers and short words.
const MAX_MACHINE_VALUE: usize = 127;

/// Where the descriptor of a sparse extent usually is, in sectors.
const USUAL_OFFSET: u64 = 1;
/// And how long.
const USUAL_SECTORS: u64 = 20;

/// The key of the content id.
const CONTENT_ID: &[u8] = b"CID";

/// How much is read at a time, in bytes: more than most descriptors have.
const PIECE: usize = 16 << 10;

/// The text of a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    text: Vec<u8>,
}

impl Descriptor {
    /// A descriptor file.
    ///
    /// # Errors
    ///
    /// If it is too long or cannot be read.
    pub fn whole_file(storage: &dyn Storage) -> Result<Self, Error> {
        Self::read(storage, 0, storage.length())
    }

    /// The descriptor in a part of a file.
    ///
    /// # Errors
    ///
    /// If it does not lie in the file, or is too long or cannot be read.
    pub fn in_sectors(storage: &dyn Storage, first: u64, count: u64) -> Result<Self, Error> {
        let length = count.saturating_mul(SECTOR);
        let offset = sector::locate(storage, "descriptor", first, length)?;
        // Without a size it has the usual one, if the file goes on that far.
        let count = if count == 0 { USUAL_SECTORS } else { count };
        Self::read(storage, offset, count.saturating_mul(SECTOR))
    }

    /// The text behind a header that does not say where the descriptor is.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn at_usual_place(storage: &dyn Storage) -> Result<Self, Error> {
        let length = USUAL_SECTORS.saturating_mul(SECTOR);
        Self::read(storage, USUAL_OFFSET.saturating_mul(SECTOR), length)
    }

    /// Reads text up to the first NUL, the end of the file, or as much as there
    /// can be.
    fn read(storage: &dyn Storage, offset: u64, length: u64) -> Result<Self, Error> {
        let there = storage.reach(offset.saturating_add(length));
        let available = there.saturating_sub(offset).min(length);
        let mut left = usize::try_from(available).unwrap_or(usize::MAX);
        let mut text = Vec::new();
        while left > 0 && text.len() <= MAX_TEXT {
            let mut piece = vec![0; left.min(PIECE)];
            storage.read_at(offset.saturating_add(text.len() as u64), &mut piece)?;
            let part = until_nul(&piece);
            text.extend_from_slice(part);
            left = if part.len() == piece.len() { left.saturating_sub(piece.len()) } else { 0 };
        }
        if text.len() > MAX_TEXT {
            return Err(VmdkError::DescriptorTooLong { limit: MAX_TEXT }.into());
        }
        Ok(Self { text })
    }

    /// Whether the text looks like a descriptor. Where an extent of a disk of
    /// several files could have one, there is something else or nothing.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.value(CONTENT_ID).is_some()
    }

    /// The type of the disk, `monolithicFlat` and the like.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn create_type(&self) -> Result<&[u8], VmdkError> {
        let value = self.value(b"createType").and_then(quoted);
        let value = value.filter(|value| value.len() <= MAX_CREATE_TYPE);
        value.ok_or(VmdkError::InvalidDescriptor)
    }

    /// The content id, which changes whenever the content does.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn content_id(&self) -> Result<u32, VmdkError> {
        self.hexadecimal(CONTENT_ID).ok_or(VmdkError::NoContentId { key: "CID" })
    }

    /// The content id that the parent had, all ones if there is no parent.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn parent_content_id(&self) -> Result<u32, VmdkError> {
        self.hexadecimal(b"parentCID").ok_or(VmdkError::NoContentId { key: "parentCID" })
    }

    /// The file name of the parent, not empty.
    ///
    /// # Errors
    ///
    /// If it has no end or is too long.
    pub fn parent(&self) -> Result<Option<&[u8]>, VmdkError> {
        let Some(value) = self.value(b"parentFileNameHint") else { return Ok(None) };
        let name = quoted(value).ok_or(VmdkError::ParentNotQuoted)?;
        if name.len() > MAX_PARENT_NAME {
            return Err(VmdkError::ParentTooLong { limit: MAX_PARENT_NAME });
        }
        Ok(Some(name).filter(|name| !name.is_empty()))
    }

    /// What the disk data base says of the machine that the disk is for, by the names of the
    /// options that it is made with.
    pub fn machine(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        MACHINE.into_iter().filter_map(|(key, option)| {
            let value = quoted(self.value(key)?)?;
            (value.len() <= MAX_MACHINE_VALUE).then_some((option, value))
        })
    }

    /// The extents in their order on the disk, without empty ones.
    ///
    /// # Errors
    ///
    /// If there is none or one is invalid, or there are too many.
    pub fn extents(&self) -> Result<Vec<ExtentLine>, VmdkError> {
        let mut extents = Vec::new();
        for line in self.lines() {
            match ExtentLine::parse(line)? {
                Some(_) if extents.len() >= MAX_EXTENTS => {
                    return Err(VmdkError::TooManyExtents { limit: MAX_EXTENTS });
                }
                extent => extents.extend(extent),
            }
        }
        if extents.is_empty() { Err(VmdkError::NoExtents) } else { Ok(extents) }
    }

    /// Lines without the white space around them, and without comments.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        lines.filter(|line| !line.starts_with(b"#"))
    }

    /// What the first line with a key has behind the equals sign.
    fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.lines().find_map(|line| {
            let rest = line.strip_prefix(key)?.trim_ascii_start();
            Some(rest.strip_prefix(b"=")?.trim_ascii_start())
        })
    }

    /// The number of 32 bits that a key has, in hexadecimal digits.
    fn hexadecimal(&self, key: &[u8]) -> Option<u32> {
        let value = self.value(key)?;
        let value = value.strip_prefix(b"0x").unwrap_or(value);
        let digits = value.split(|byte| !byte.is_ascii_hexdigit()).next()?;
        u32::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
    }
}

/// What is between the quotation marks that a text starts with.
fn quoted(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    text.get(..end)
}

#[cfg(test)]
mod tests;
