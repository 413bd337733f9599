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
//! [`resource_fork`] and [`property_list`] (where they are), [`index`] (which chunk
//! holds a sector), [`image`], then [`reader`] (where the bytes of the disk are).

pub mod base64;
pub mod chunk;
pub mod error;
pub mod image;
pub mod index;
pub mod property_list;
pub mod reader;
pub mod resource_fork;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod table;
pub mod trailer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::DmgError;

use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::{Confidence, Format, Probe};
use image::DmgImage;

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
        Ok(Box::new(DmgImage::new(storage)?))
    }
}

#[cfg(test)]
mod tests;
