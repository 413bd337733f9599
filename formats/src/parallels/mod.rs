//! Parallels images: the expandable disks of Parallels Desktop and Virtuozzo.
//!
//! ```text
//! header │ BAT │ cluster │ cluster │ …
//! ```
//!
//! A disk is cut into clusters. The block allocation table (BAT) has an entry for
//! each: where in the file it is, or zero for a cluster of zeros. There are two
//! magics: behind the old one BAT entries count sectors, behind the extended one
//! clusters, and disks can be larger than 2 TiB. A cluster of its own, the format
//! extension, can have dirty bitmaps.
//!
//! Specified in "Parallels Expandable Image File Format" (QEMU,
//! `docs/interop/parallels.rst`), called the specification here.
//!
//! Reading order: [`header`] (what the file starts with, and the checks),
//! [`extension`], [`image`] (what is said of it), [`reader`] (where the bytes of the
//! disk are), [`writer`] (how one is made), [`error`] (what can be wrong), `sample` (how
//! tests make one).

pub mod error;
pub mod extension;
pub mod header;
pub mod image;
pub mod reader;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::ParallelsError;

use crate::creation::Creation;
use crate::error::Error;
use crate::image::Image;
use crate::storage::{self, Storage, WholeSectors};
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};
use header::Header;
use image::ParallelsImage;
use writer::ParallelsWriter;

/// The Parallels format.
#[derive(Debug)]
pub struct Parallels;

/// The unit of offsets and sizes, in bytes.
pub const SECTOR: u64 = 512;

impl Format for Parallels {
    fn name(&self) -> &'static str {
        "parallels"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        Confidence::certain_if(header::is_header(probe.head))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        let file: Rc<dyn Storage> = Rc::new(WholeSectors::new(storage));
        let header: Header = storage::read_padded(file.as_ref(), 0)?;
        let layout = header.layout(file.as_ref())?;
        Ok(Box::new(ParallelsImage { file, layout }))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(ParallelsWriter::new(creation)?))
    }
}

#[cfg(test)]
mod tests;
