//! LUKS volumes: disks encrypted as Linux does it ("Linux Unified Key Setup").
//!
//! A header says how the disk is encrypted. Behind it there are key slots: each
//! has the key of the disk, encrypted with what is derived from a passphrase. The
//! encrypted disk, called the payload, follows. To describe a volume no key is
//! needed.
//!
//! There are two versions, which have little more in common than that. Version 1
//! is specified in "LUKS1 On-Disk Format Specification" 1.2.3 (2018), called the
//! specification in its files; version 2 has its own, see [`version2`].
//!
//! Reading order: [`names`] (of ciphers, modes and hashes), [`version1`], [`json`],
//! [`version2`], then [`image`].

pub mod error;
pub mod image;
pub mod json;
pub mod names;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod version1;
pub mod version2;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::LuksError;

use crate::error::Error;
use crate::image::Image;
use crate::storage::{self, Storage};
use crate::{Confidence, Format, Probe};
use image::LuksImage;

/// The LUKS format.
#[derive(Debug)]
pub struct Luks;

/// What a header starts with. Its version follows, 16 bits.
pub const MAGIC: [u8; 6] = *b"LUKS\xba\xbe";

/// The unit of offsets and sizes in version 1, in bytes.
pub const SECTOR: u64 = 512;

impl Format for Luks {
    fn name(&self) -> &'static str {
        "luks"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        let version = version(probe.head);
        let known = [version1::header::VERSION, version2::header::VERSION];
        Confidence::certain_if(version.is_some_and(|version| known.contains(&version)))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        let storage = storage.as_ref();
        let length = usize::try_from(storage.reach(HEAD as u64)).unwrap_or(HEAD).min(HEAD);
        let image = match version(&storage::read_bytes(storage, 0, length)?) {
            Some(version2::header::VERSION) => {
                LuksImage::version_2(version2::Volume::read(storage)?, storage)
            }
            _ => LuksImage::version_1(version1::Volume::read(storage)?, storage),
        };
        Ok(Box::new(image?))
    }
}

/// The size of magic and version in bytes.
const HEAD: usize = 8;

/// The version, if a file starts with the magic.
fn version(head: &[u8]) -> Option<u16> {
    let version = head.strip_prefix(&MAGIC)?.first_chunk()?;
    Some(u16::from_be_bytes(*version))
}

#[cfg(test)]
mod tests;
