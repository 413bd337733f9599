//! Bochs images: the growing disks of the Bochs emulator.
//!
//! A header, a catalog with an entry for each extent of the disk, and the
//! extents that were written to, in the order in which that happened first. An
//! extent starts with a bitmap that tells which of its sectors are there; the
//! others hold zeros.
//!
//! Specified in the "Bochs Developers Guide", section "Harddisk Images based on
//! redologs", called the specification here. A redolog can also hold the changes
//! of another disk ("Undoable", "Volatile"); only "Growing" ones are disks of
//! their own.
//!
//! Reading order: [`header`], [`image`] (the checks, and what is said of it), then
//! [`reader`] (where the bytes of the disk are).

pub mod error;
pub mod header;
pub mod image;
pub mod reader;
#[cfg(any(test, feature = "samples"))]
pub mod sample;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::BochsError;

use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::{Confidence, Format, Probe};
use header::Header;
use image::{BochsImage, Layout};

/// The Bochs format.
#[derive(Debug)]
pub struct Bochs;

/// The unit of the disk in bytes. A part of one at its end is not there.
pub const SECTOR: u64 = 512;

impl Format for Bochs {
    fn name(&self) -> &'static str {
        "bochs"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        Confidence::certain_if(Header::from_start(probe.head).is_growing())
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        let layout = Layout::new(storage.as_ref())?;
        Ok(Box::new(BochsImage { file: storage, layout }))
    }
}

#[cfg(test)]
mod tests;
