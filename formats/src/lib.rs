//! Disk-image formats.
//!
//! A format knows how an image is laid out and nothing else: not where its bytes
//! come from (a [`Storage`] gives them), not who asks, and not what for. The
//! crate depends on no other crate of the workspace, holds no `unsafe`, does no
//! input or output of its own, and is tested on the host over plain byte
//! vectors.
//!
//! Images are hostile. Every number that comes out of one is checked before it
//! is used: arithmetic is checked, a cast that could lose is an error, indexing
//! goes through `get`, and what an image can ask for is bounded by a constant
//! that says why. The lints below hold that.
//!
//! Formats look alike, so that who has read one can read all: `mod.rs` says what
//! the format is, where it is specified and opens an image; `header.rs` takes
//! the header apart; `reader.rs` says where the bytes of the disk are; `writer.rs`
//! makes new images; parts that only one format has (snapshots, a log, a
//! descriptor) have a file each; `sample.rs` makes small images for tests.
//!
//! Reading order: [`storage`], [`error`], [`image`] (what an open image can
//! say), [`extent`] (where the bytes of its disk are), [`writer`] (how images are
//! made), [`recreation`] (how one is made in place of another), [`measure`](mod@measure) (how
//! large they get), [`probe`] (which format a file has), [`raw`] (the simplest format),
//! [`vdi`], then any other.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bochs;
pub mod checksum;
pub mod cloop;
pub mod codec;
pub mod contents;
pub mod creation;
pub mod dmg;
mod entries;
pub mod error;
pub mod extent;
pub mod guid;
pub mod image;
pub mod luks;
pub mod measure;
pub mod parallels;
pub mod probe;
pub mod qcow;
pub mod qcow2;
pub mod qed;
pub mod raw;
pub mod recreation;
#[cfg(any(test, feature = "samples"))]
pub mod samples;
pub mod sector_bitmap;
pub mod storage;
pub mod table;
#[cfg(test)]
mod testing;
pub mod text;
pub mod vdi;
pub mod vhdx;
pub mod vmdk;
pub mod vpc;
#[cfg(any(test, feature = "samples"))]
pub mod whole;
pub mod windows_path;
pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;

pub use creation::{Creation, Options};
pub use error::{Error, ErrorKind};
pub use extent::Extent;
pub use image::Image;
pub use measure::{Measure, Ruler};
pub use probe::{Confidence, Probe};
pub use storage::Storage;
pub use writer::Writer;

/// A disk-image format.
pub trait Format: Sync {
    /// qemu-img's name for it.
    fn name(&self) -> &'static str;

    /// How sure it is that a file has an image of this format.
    fn probe(&self, probe: &Probe<'_>) -> Confidence;

    /// Opens an image for reading.
    ///
    /// # Errors
    ///
    /// If the file holds no image of this format, or one that is damaged or uses
    /// what is not supported.
    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error>;

    /// Begins to make an image.
    ///
    /// # Errors
    ///
    /// If such an image cannot be made.
    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        let _ = creation;
        Err(writer::Refusal::Creation.into())
    }

    /// What says how large images with these options get, for formats of which qemu-img
    /// has figures of its own.
    ///
    /// # Errors
    ///
    /// If there are no such images.
    fn ruler(&self, options: &Options) -> Result<Option<Box<dyn Ruler>>, Error> {
        let _ = options;
        Ok(None)
    }
}

/// Every format. Where two are equally sure, the earlier one wins.
pub const FORMATS: &[&dyn Format] = &[
    &raw::Raw,
    &bochs::Bochs,
    &qcow2::Qcow2,
    &qcow::Qcow,
    &luks::Luks,
    &parallels::Parallels,
    &qed::Qed,
    &vdi::Vdi,
    &vhdx::Vhdx,
    &vmdk::Vmdk,
    &dmg::Dmg,
    &cloop::Cloop,
    &vpc::Vpc,
];

/// The format with a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}
