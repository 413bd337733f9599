//! qcow images: version 1 of QEMU's copy-on-write format.
//!
//! The disk is cut into clusters. An L1 table finds L2 tables, an L2 table finds
//! clusters; what is not there is read from the backing file. There are no
//! reference counts and no snapshots; a cluster can be compressed, or encrypted
//! with AES.
//!
//! Described in "The QCOW Image Format, Version 1" (Mark McLoughlin, 2006), called
//! the description here. Versions 2 and 3 have the same magic, another header and
//! a module of their own: [`qcow2`].
//!
//! Reading order: [`header`], [`image`], [`reader`] (where the bytes of the disk
//! are), then [`writer`] (how one is made).

pub mod error;
pub mod header;
pub mod image;
pub mod reader;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::QcowError;

use crate::creation::Creation;
use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::writer::Writer;
use crate::{Confidence, Format, Probe, qcow2};
use image::QcowImage;
use writer::QcowWriter;

/// The qcow format.
#[derive(Debug)]
pub struct Qcow;

impl Format for Qcow {
    fn name(&self) -> &'static str {
        "qcow"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        Confidence::certain_if(qcow2::version_in(probe.head) == Some(header::VERSION))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(QcowImage::open(storage)?))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(QcowWriter::new(creation)?))
    }
}

#[cfg(test)]
mod tests;
