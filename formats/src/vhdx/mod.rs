//! VHDX images: the disks of Hyper-V, second generation.
//!
//! The first megabyte has an identifier, two headers, of which one is current,
//! and two copies of the region table. The table leads to the metadata, which
//! says what the disk is, and to the block allocation table, which finds its
//! blocks. Changes of any of them go through a log first; if the last user did
//! not get to the end, the log has the truth.
//!
//! A differencing disk is on top of another disk, its parent. Each megabyte of
//! bits, a sector bitmap block, says for a chunk of the disk which of the two has
//! a sector.
//!
//! Specified in [MS-VHDX], "Virtual Hard Disk v2 (VHDX) File Format", called the
//! specification here. Numbers are little-endian.
//!
//! Reading order: [`header`], [`log`] (what was not finished), [`region`],
//! [`metadata`], [`parent`], [`bat`], then [`image`], [`reader`] (where the bytes of
//! the disk are) and [`writer`] (how an image is made).

pub mod bat;
pub mod error;
pub mod header;
pub mod image;
pub mod log;
pub mod metadata;
pub mod parent;
pub mod reader;
pub mod region;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::VhdxError;

use crate::checksum::CRC_32C;
use crate::creation::Creation;
use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};
use image::VhdxImage;
use writer::VhdxWriter;

/// The VHDX format.
#[derive(Debug)]
pub struct Vhdx;

/// The unit in which files are laid out, in bytes.
pub const MIB: u64 = 1 << 20;

impl Format for Vhdx {
    fn name(&self) -> &'static str {
        "vhdx"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        Confidence::certain_if(probe.starts_with(&header::FILE_SIGNATURE))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(VhdxImage::open(storage)?))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(VhdxWriter::new(creation)?))
    }
}

/// The checksum that a structure should have, which is where all of them have it:
/// a CRC-32C in which its own four bytes, behind the signature, count as zeros.
fn checksum(bytes: &[u8]) -> u32 {
    let (signature, rest) = bytes.split_at_checked(4).unwrap_or_default();
    let (_, rest) = rest.split_at_checked(4).unwrap_or_default();
    let mut digest = CRC_32C.digest();
    [signature, &[0; 4], rest].into_iter().for_each(|part| digest.update(part));
    digest.finalize()
}

/// Gives the checksum to bytes that have it behind their signature.
pub fn seal(bytes: &mut [u8]) {
    let checksum = checksum(bytes).to_le_bytes();
    for (target, source) in bytes.iter_mut().skip(4).zip(checksum) {
        *target = source;
    }
}

/// Whether bytes start with a signature and have the right checksum behind it.
fn is_intact(bytes: &[u8], signature: [u8; 4]) -> bool {
    let found = bytes.strip_prefix(&signature).and_then(<[u8]>::first_chunk);
    found.is_some_and(|found| u32::from_le_bytes(*found) == checksum(bytes))
}

#[cfg(test)]
mod tests;
