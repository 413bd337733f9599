//! qcow2 images: versions 2 and 3 of QEMU's copy-on-write format.
//!
//! The file and the disk are cut into clusters of the same size. An L1 table finds
//! L2 tables, an L2 table finds clusters; what is not there is read from the
//! backing file. Reference counts, found by a table as well, say which clusters of
//! the file are in use, so that internal snapshots can share them. Behind the
//! header are header extensions, which name further structures: a list of
//! bitmaps, a LUKS header, a file with the data.
//!
//! Specified in QEMU's `docs/interop/qcow2.txt`, called the specification here.
//! Version 1 has the same magic, another header and a module of its own:
//! [`qcow`](crate::qcow).
//!
//! Reading order: [`header`] and [`feature`] (what is at the start), [`layout`] (the
//! same, checked), [`extension`], [`encryption`], [`snapshot`], [`bitmap`], then
//! [`image`] and [`reader`] (where the bytes of the disk are), `refcounts.rs` (which
//! clusters are in use),
//! [`writer`] (how one is made), [`measure`] (how large one gets).

pub mod bitmap;
pub mod encryption;
pub mod error;
pub mod extension;
pub mod feature;
pub mod header;
pub mod image;
pub mod layout;
pub mod measure;
pub mod reader;
mod refcounts;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
pub mod snapshot;
pub mod table;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::Qcow2Error;

use self::measure::Qcow2Ruler;
use crate::creation::{Creation, Options};
use crate::error::Error;
use crate::image::Image;
use crate::measure::Ruler;
use crate::storage::Storage;
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};
use image::Qcow2Image;
use writer::Qcow2Writer;

/// The qcow2 format.
#[derive(Debug)]
pub struct Qcow2;

impl Format for Qcow2 {
    fn name(&self) -> &'static str {
        "qcow2"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        let version = version_in(probe.head);
        Confidence::certain_if(version.is_some_and(|version| version >= header::MIN_VERSION))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(Qcow2Image::open(storage)?))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(Qcow2Writer::new(creation)?))
    }

    fn ruler(&self, options: &Options) -> Result<Option<Box<dyn Ruler>>, Error> {
        Ok(Some(Box::new(Qcow2Ruler::new(options)?)))
    }
}

/// The version behind the magic that all versions have, if it is there. What is
/// missing of a short file reads as zeros.
pub(crate) fn version_in(head: &[u8]) -> Option<u32> {
    let rest = head.strip_prefix(&header::MAGIC)?;
    let mut bytes = [0; 4];
    for (byte, there) in bytes.iter_mut().zip(rest) {
        *byte = *there;
    }
    Some(u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
