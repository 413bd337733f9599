//! QED images: QEMU Enhanced Disk, which was to be a simpler and faster qcow2.
//!
//! ```text
//! header │ L1 table │ cluster │ cluster │ …
//! ```
//!
//! A disk is cut into clusters. The L1 table finds L2 tables, which find clusters;
//! where there is none, the disk is what the backing file is, or zeros. There are
//! no reference counts: after a crash the image needs a check instead.
//!
//! Specified in "QED Specification" (QEMU, `docs/interop/qed_spec.txt`), called
//! the specification here.
//!
//! Reading order: [`header`] (what the file starts with, and the checks),
//! [`image`] (what is said of it), [`reader`] (where the bytes of the disk are),
//! [`writer`] (how one is made), [`error`] (what can be wrong), `sample` (how tests make
//! one).

pub mod error;
pub mod header;
pub mod image;
pub mod reader;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::QedError;

use crate::creation::Creation;
use crate::error::Error;
use crate::image::Image;
use crate::storage::{self, Storage, WholeSectors};
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};
use header::Header;
use image::QedImage;
use writer::QedWriter;

/// The QED format.
#[derive(Debug)]
pub struct Qed;

impl Format for Qed {
    fn name(&self) -> &'static str {
        "qed"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        Confidence::certain_if(probe.starts_with(&header::MAGIC))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        let file: Rc<dyn Storage> = Rc::new(WholeSectors::new(storage));
        let header: Header = storage::read_padded(file.as_ref(), 0)?;
        let layout = header.layout(file.as_ref())?;
        Ok(Box::new(QedImage { file, layout }))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(QedWriter::new(creation)?))
    }
}

#[cfg(test)]
mod tests;
