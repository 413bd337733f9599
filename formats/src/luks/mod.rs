//! LUKS volumes: disks encrypted as Linux does it ("Linux Unified Key Setup").
//!
//! A header says how the disk is encrypted. Behind it there are key slots: each
//! has the key of the disk, encrypted with what is derived from a passphrase. The
//! encrypted disk, called the payload, follows. To describe a volume no key is
//! needed.
//!
//! Version 1 is specified in "LUKS On-Disk Format Specification" 1.2.3 (2018).
//!
//! Reading order: [`names`] (of ciphers, modes and hashes), [`version1`], then
//! [`image`].

pub mod error;
pub mod image;
pub mod names;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod version1;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::LuksError;

use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::{Confidence, Format, Probe};
use image::LuksImage;
use version1::Volume;

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
        let version = probe.head.strip_prefix(&MAGIC).and_then(<[u8]>::first_chunk);
        Confidence::certain_if(version == Some(&[0, 1]))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        let volume = Volume::read(storage.as_ref())?;
        Ok(Box::new(LuksImage::new(volume, storage.as_ref())?))
    }
}

#[cfg(test)]
mod tests;
