//! VMDK images: the disks of VMware's products.
//!
//! A disk is a row of extents. Flat extents are plain bytes; sparse extents
//! store grains that a grain directory and its grain tables find. A descriptor,
//! which is text, names the extents and the parent. There are three shapes:
//!
//! - a descriptor file whose extents are other files,
//! - a hosted sparse extent, magic `KDMV`, with the descriptor inside
//!   (`monolithicSparse`, `streamOptimized`),
//! - an ESX sparse extent, magic `COWD`, which has no descriptor of its own.
//!
//! Specified in "Virtual Disk Format 1.1" (VMware, 2007), called the
//! specification here, and "Virtual Disk Format 5.0" (VMware, 2011), which adds
//! zeroed grains. The seSparse extent is not specified publicly; what is known
//! of it is in [`sesparse`].
//!
//! Reading order: [`descriptor`] and [`extent`] (the text), [`sparse`] (what the
//! three sparse extents have in common), [`header`], [`cowd`], [`sesparse`],
//! [`image`], then [`reader`] and [`grain`] (where the bytes of the disk are),
//! [`writer`] (how images are made).

pub mod cowd;
pub mod descriptor;
pub mod error;
pub mod extent;
pub mod grain;
pub mod header;
pub mod image;
mod probing;
pub mod reader;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
mod sector;
pub mod sesparse;
pub mod sparse;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use error::VmdkError;

use crate::creation::Creation;
use crate::error::Error;
use crate::image::Image;
use crate::storage::Storage;
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};
use descriptor::Descriptor;
use header::Header;
use image::VmdkImage;

/// The VMDK format.
#[derive(Debug)]
pub struct Vmdk;

/// The unit of every offset and size in VMDK, in bytes.
pub const SECTOR: u64 = 512;

impl Format for Vmdk {
    fn name(&self) -> &'static str {
        "vmdk"
    }

    fn probe(&self, probe: &Probe<'_>) -> Confidence {
        let signature = probe.starts_with(&header::MAGIC) || probe.starts_with(&cowd::MAGIC);
        Confidence::certain_if(signature || probing::is_descriptor(probe.head))
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(open(storage)?))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        writer::create(creation)
    }
}

/// Opens an image by what its first sector says.
fn open(file: Rc<dyn Storage>) -> Result<VmdkImage, Error> {
    let storage = file.as_ref();
    if storage.reach(1) == 0 {
        return Err(VmdkError::TooSmall.into());
    }
    let header: Header = sector::read(storage, "header", 0)?;
    match header.magic {
        header::MAGIC if header.has_only_descriptor() => {
            VmdkImage::with_extent_files(&header.descriptor(storage)?)
        }
        header::MAGIC => {
            let extent = header.extent(storage)?;
            let create_type = if extent.compressed { STREAM_OPTIMIZED } else { MONOLITHIC_SPARSE };
            let descriptor = header.descriptor(storage)?;
            VmdkImage::with_own_extent(file, create_type, extent, &descriptor)
        }
        cowd::MAGIC => {
            let extent = cowd::read(storage)?;
            let descriptor = Descriptor::at_usual_place(storage)?;
            VmdkImage::with_own_extent(file, b"", extent, &descriptor)
        }
        _ => VmdkImage::with_extent_files(&Descriptor::whole_file(storage)?),
    }
}

/// The type of a disk that is one sparse extent.
const MONOLITHIC_SPARSE: &[u8] = b"monolithicSparse";
/// The type of a disk whose grains are compressed.
const STREAM_OPTIMIZED: &[u8] = b"streamOptimized";

#[cfg(test)]
mod tests;
