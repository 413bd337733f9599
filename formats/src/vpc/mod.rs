//! VHD images, which qemu calls `vpc`: the disks of Virtual PC, Hyper-V and Azure.
//!
//! - A fixed disk is the bytes of the disk and a footer behind them.
//! - A dynamic disk stores blocks, which a block allocation table finds. Each has
//!   a bitmap of its sectors in front. Its footer is at the end too, with a copy
//!   at the start of the file.
//! - A differencing disk is a dynamic disk on top of another disk, its parent. A
//!   bit in a bitmap says which of the two has a sector.
//!
//! Specified in "Virtual Hard Disk Image Format Specification", version 1.0
//! (Microsoft, 2006), called the specification here. Numbers are big-endian.
//!
//! Reading order: [`footer`] and [`geometry`] (how large the disk is),
//! [`header`] and [`table`] (dynamic disks), [`parent`] (differencing disks), then
//! [`image`], [`reader`] (where the bytes of the disk are) and [`writer`] (how an image is
//! made).

pub mod error;
pub mod footer;
pub mod geometry;
pub mod header;
pub mod image;
pub mod parent;
pub mod reader;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod table;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::VpcError;

use crate::creation::Creation;
use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};
use footer::Footer;
use image::VpcImage;

/// The VHD format.
#[derive(Debug)]
pub struct Vpc;

/// The unit in which disks are counted and files are filled up, in bytes.
pub const SECTOR: u64 = 512;

impl Format for Vpc {
    fn name(&self) -> &'static str {
        "vpc"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        if probe.starts_with(&footer::COOKIE) {
            return Confidence::CERTAIN;
        }
        match Footer::of_fixed_disk(probe.storage) {
            Ok(Some(_)) => Confidence::LIKELY,
            _ => Confidence::NONE,
        }
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(VpcImage::open(storage)?))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        writer::begin(creation)
    }
}

#[cfg(test)]
mod tests;
