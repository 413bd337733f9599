//! DMG images: the disk images of macOS, "Universal Disk Image Format".
//!
//! The disk is cut into chunks, each compressed in one of several ways, stored as
//! it is, or zeros. Tables of chunks ("mish" blocks, one for each partition) are
//! resources: old images have them in a resource fork, newer ones in a property
//! list, which is XML, in base64. At the end of the file is a trailer ("koly"),
//! which knows where the two are and how large the disk is.
//!
//! Apple has not specified the format. What is known is described in "Universal
//! Disk Image Format (UDIF)" (J. Metz, documentation of libmodi and keramics),
//! called the description here.
//!
//! Reading order: [`trailer`], [`chunk`] and [`table`] (the tables of chunks),
//! [`resource_fork`] and [`property_list`] (where they are), then [`DmgImage`].

pub mod base64;
pub mod chunk;
pub mod error;
pub mod property_list;
pub mod resource_fork;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod table;
pub mod trailer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::DmgError;

use crate::error::Error;
use crate::image::{Description, Image, MAX_DISK};
use crate::storage::Storage;
use crate::{Confidence, Format, Probe};
use table::Chunks;
use trailer::Trailer;

/// The DMG format.
#[derive(Debug)]
pub struct Dmg;

/// The unit of the disk in bytes.
pub const SECTOR: u64 = 512;

/// How a file name ends that qemu-img takes for that of a DMG image.
const EXTENSION: &[u8] = b"dmg";

impl Format for Dmg {
    fn name(&self) -> &'static str {
        "dmg"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        // The signature is at the end, where qemu-img does not look for it. A name
        // without the signature is taken for a damaged image, as there.
        if trailer::is_at_end(probe.storage) {
            Confidence::LIKELY
        } else if probe.extension == EXTENSION {
            Confidence::WEAK
        } else {
            Confidence::NONE
        }
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(DmgImage::new(storage.as_ref())?))
    }
}

/// An open DMG image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmgImage {
    /// What the trailer says.
    pub trailer: Trailer,
    /// How many chunks there are that hold a part of the disk.
    pub chunks: u32,
}

impl DmgImage {
    /// The image in a file. Checks are in the order of qemu-img, whose messages
    /// they have where it has any.
    fn new(storage: &dyn Storage) -> Result<Self, Error> {
        let trailer = Trailer::read(storage)?;
        let mut chunks = Chunks::new(trailer.data_fork);
        if trailer.resource_fork.length != 0 {
            resource_fork::read(storage, trailer.resource_fork, &mut chunks)?;
        } else if trailer.property_list.length != 0 {
            property_list::read(storage, trailer.property_list, &mut chunks)?;
        } else {
            return Err(DmgError::NoTables.into());
        }
        if chunks.count() == 0 {
            return Err(DmgError::NoChunks.into());
        }
        if trailer.sectors > MAX_DISK / SECTOR {
            return Err(DmgError::DiskTooLarge.into());
        }
        Ok(Self { trailer, chunks: chunks.count() })
    }
}

impl Image for DmgImage {
    fn description(&self) -> Description {
        // Not more than the largest disk.
        let virtual_size = self.trailer.sectors.saturating_mul(SECTOR);
        Description { virtual_size, ..Description::default() }
    }
}

#[cfg(test)]
mod tests;
