//! cloop images: file systems compressed by blocks, for the compressed loop
//! device of Knoppix.
//!
//! A shell script that mounts the image, a header, a table with the place of
//! each block, and the blocks, each a zlib stream.
//!
//! Specified by its tools, `create_compressed_fs` and the driver's `cloop.h`
//! (version 2.0; later versions have another table, at the end of the file).
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

pub use error::CloopError;

use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::{Confidence, Format, Probe};
use header::SCRIPT;
use image::{CloopImage, Layout};

/// The cloop format.
#[derive(Debug)]
pub struct Cloop;

impl Format for Cloop {
    fn name(&self) -> &'static str {
        "cloop"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        // It is a script as well, so somebody may see something else in it.
        if probe.starts_with(SCRIPT) { Confidence::WEAK } else { Confidence::NONE }
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        let layout = Layout::new(storage.as_ref())?;
        Ok(Box::new(CloopImage { file: storage, layout }))
    }
}

#[cfg(test)]
mod tests;
