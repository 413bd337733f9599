//! Segments in the metadata of version 2 (specification, "Segments Object"): the
//! parts of a file that make up the disk.
//!
//! A volume has one. While it is being encrypted anew it has more, which follow
//! one another on the disk, and others beside them that are kept for what comes
//! next.

use alloc::vec::Vec;

use super::metadata::{long, once};
use crate::luks::SECTOR;
use crate::luks::json::{Fault, Reader, unsigned};

/// The sizes that a unit of encryption can have, in bytes.
const SECTOR_SIZES: [u64; 4] = [512, 1024, 2048, 4096];

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its size in bytes; to the end of the file if missing.
    pub size: Option<u64>,
    /// What is in it.
    pub content: Content,
    /// Whether it is kept for later and is no part of the disk.
    pub backup: bool,
}

/// What is in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Something encrypted.
    Encrypted(Encryption),
    /// The disk as it is: not yet encrypted, or not any more.
    Plain,
    /// Something else, of this type: what a drive encrypts by itself, for one.
    Unknown(Vec<u8>),
}

/// How a segment is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Cipher, mode and generator of initialisation vectors: `aes-xts-plain64`.
    pub name: Vec<u8>,
    /// How many bytes are encrypted at a time.
    pub sector_size: u64,
    /// What is added to the number of a sector for its initialisation vector.
    pub iv_tweak: u64,
    /// How changes are noticed, if they are: `hmac(sha256)`.
    pub integrity: Option<Vec<u8>>,
}

impl Segment {
    /// The unit in which it is used, in bytes.
    #[must_use]
    pub fn sector_size(&self) -> u64 {
        self.encryption().map_or(SECTOR, |encryption| encryption.sector_size)
    }

    /// How it is encrypted, if it is.
    #[must_use]
    pub fn encryption(&self) -> Option<&Encryption> {
        match &self.content {
            Content::Encrypted(encryption) => Some(encryption),
            Content::Plain | Content::Unknown(_) => None,
        }
    }

    /// Reads the object of a segment.
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut kind, mut offset, mut size, mut flags) = (None, None, None, None);
        let (mut name, mut sector_size, mut iv_tweak, mut integrity) = (None, None, None, None);
        reader.object(&mut |member, reader| match member {
            b"type" => once(reader, &mut kind, Reader::string),
            b"offset" => once(reader, &mut offset, long),
            b"size" => once(reader, &mut size, Reader::string),
            b"flags" => once(reader, &mut flags, is_backup),
            b"encryption" => once(reader, &mut name, Reader::string),
            b"sector_size" => once(reader, &mut sector_size, Reader::number),
            b"iv_tweak" => once(reader, &mut iv_tweak, long),
            b"integrity" => once(reader, &mut integrity, integrity_type),
            _ => reader.skip(),
        })?;
        let offset = offset.ok_or(reader.fault("a segment has no offset"))?;
        let size = match &*size.ok_or(reader.fault("a segment has no size"))? {
            b"dynamic" => None,
            size => Some(unsigned(size).ok_or(reader.fault("a segment has an invalid size"))?),
        };
        let kind = kind.ok_or(reader.fault("a segment has no type"))?;
        let content = match &*kind {
            b"crypt" => Content::Encrypted(Encryption {
                name: name.ok_or(reader.fault("a segment has no encryption"))?,
                sector_size: sector_size
                    .filter(|size| SECTOR_SIZES.contains(size))
                    .ok_or(reader.fault("a segment has no valid sector_size"))?,
                iv_tweak: iv_tweak.ok_or(reader.fault("a segment has no iv_tweak"))?,
                integrity,
            }),
            b"linear" => Content::Plain,
            _ => Content::Unknown(kind),
        };
        let segment = Self { offset, size, content, backup: flags.unwrap_or_default() };
        let unit = segment.sector_size();
        if !offset.is_multiple_of(SECTOR) || !size.is_none_or(|size| size.is_multiple_of(unit)) {
            return Err(reader.fault("a segment has parts of sectors"));
        }
        Ok(segment)
    }
}

/// Whether the flags say that a segment is kept for later: `backup-final` and
/// others.
fn is_backup(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    let mut found = false;
    reader.array(&mut |reader| {
        found |= reader.string()?.starts_with(b"backup-");
        Ok(())
    })?;
    Ok(found)
}

fn integrity_type(reader: &mut Reader<'_>) -> Result<Vec<u8>, Fault> {
    let mut kind = None;
    reader.object(&mut |name, reader| match name {
        b"type" => once(reader, &mut kind, Reader::string),
        _ => reader.skip(),
    })?;
    kind.ok_or(reader.fault("integrity has no type"))
}

#[cfg(test)]
mod tests;
