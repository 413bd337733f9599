//! Making images, of all the types that qemu-img makes.
//!
//! Reading order: `settings` (what the user wants), `descriptor` (the text that
//! says so), `sparse` (an extent with grains, and the image that is one), `stream`
//! (compressed grains), `split` (extents in other files).

mod descriptor;
mod settings;
mod sparse;
mod split;
mod stream;

use alloc::boxed::Box;

use zerocopy::FromZeros;

use super::SECTOR;
use super::header::{self, Flags, Header};
use crate::creation::Creation;
use crate::error::Error;
use crate::writer::Writer;
use settings::{Settings, Subformat};

/// The size of a grain in sectors, as with qemu-img.
const GRAIN_SECTORS: u64 = 128;

/// The size of a grain in bytes.
pub(super) const GRAIN: u64 = GRAIN_SECTORS * SECTOR;

/// Entries in a grain table.
const TABLE_ENTRIES: u64 = header::MAX_TABLE_ENTRIES as u64;

/// The size of a grain table in sectors.
const TABLE_SECTORS: u64 = TABLE_ENTRIES * ENTRY_SIZE / SECTOR;

/// The size of an entry of grain directory and grain tables in bytes.
const ENTRY_SIZE: u64 = 4;

/// The first sector of the descriptor in a sparse extent.
const DESCRIPTOR_SECTOR: u64 = 1;

/// The room for it in sectors.
const DESCRIPTOR_SECTORS: u64 = 20;

/// The most grains of a disk: 256 TiB. Beyond it qemu-img, which counts them in 32 bits,
/// makes images that cannot be read.
const MAX_GRAINS: u64 = u32::MAX as u64;

/// Begins to make an image.
///
/// # Errors
///
/// If an option makes no sense, or the disk is too large.
pub fn create(creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
    let settings = Settings::new(creation)?;
    Ok(match settings.subformat {
        Subformat::MonolithicSparse => Box::new(sparse::MonolithicSparse::new(&settings)?),
        Subformat::StreamOptimized => Box::new(stream::StreamOptimized::new(&settings)?),
        Subformat::MonolithicFlat | Subformat::TwoGbMaxExtentFlat => {
            Box::new(split::Flat::new(&settings)?)
        }
        Subformat::TwoGbMaxExtentSparse => Box::new(split::Sparse::new(&settings)?),
    })
}

/// The header of a new sparse extent with so many sectors of the disk. It does not say
/// yet where tables and grains are.
fn new_header(sectors: u64, zeroed_grains: bool) -> Header {
    let mut flags = Flags::LINE_ENDS;
    flags.set(Flags::ZEROED_GRAINS, zeroed_grains);
    let mut header = Header::new_zeroed();
    header.magic = header::MAGIC;
    header.version = if zeroed_grains { 2 } else { 1 }.into();
    header.flags = flags.bits().into();
    header.capacity = sectors.into();
    header.grain_size = GRAIN_SECTORS.into();
    header.descriptor_offset = DESCRIPTOR_SECTOR.into();
    header.descriptor_size = DESCRIPTOR_SECTORS.into();
    header.table_entries = header::MAX_TABLE_ENTRIES.into();
    header.line_ends = header::LINE_ENDS;
    header
}

#[cfg(test)]
mod tests;
