//! VDI images: the disks of VirtualBox.
//!
//! ```text
//! header │ block map │ block │ block │ …
//! ```
//!
//! A disk is cut into blocks of 1 MiB. The block map has an entry for each: the
//! number of the block of the file that holds it, or that there is none. A
//! dynamic image gets blocks as they are written to; a static one has all from
//! the start. There is nothing else, which makes this a good format to read
//! first.
//!
//! VirtualBox publishes no specification. What is known is in "All about VDIs"
//! (<https://forums.virtualbox.org/viewtopic.php?t=8046>), called the
//! specification here, and in VirtualBox's own `VDICore.h`.
//!
//! Reading order: [`header`] (what the file starts with, and the checks),
//! [`image`] (what is said of it), [`reader`] (where the bytes of the disk are),
//! [`writer`] (how one is made), [`error`] (what can be wrong), `sample` (how tests
//! make one).

pub mod error;
pub mod header;
pub mod image;
pub mod reader;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::VdiError;

use crate::creation::Creation;
use crate::error::Error;
use crate::image::Image;
use crate::storage::{self, Storage, WholeSectors};
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};
use header::Header;
use image::VdiImage;
use writer::VdiWriter;

/// The VDI format.
#[derive(Debug)]
pub struct Vdi;

/// The unit of a disk's size and of places in the file, in bytes.
pub const SECTOR: u64 = 512;

impl Format for Vdi {
    fn name(&self) -> &'static str {
        "vdi"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        Confidence::certain_if(header::has_signature(probe.head))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        let file: Rc<dyn Storage> = Rc::new(WholeSectors::new(storage));
        let header: Header = storage::read_padded(file.as_ref(), 0)?;
        let layout = header.layout(file.reach(header.map_end()))?;
        Ok(Box::new(VdiImage { file, layout }))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(VdiWriter::new(creation)?))
    }
}

#[cfg(test)]
mod tests;
