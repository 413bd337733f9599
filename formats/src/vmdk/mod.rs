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
//! three sparse extents have in common), [`header`], [`cowd`], [`sesparse`].

pub mod cowd;
pub mod descriptor;
pub mod error;
pub mod extent;
pub mod header;
#[cfg(any(test, feature = "samples"))]
pub mod sample;
mod sector;
pub mod sesparse;
pub mod sparse;

pub use error::VmdkError;

/// The unit of every offset and size in VMDK, in bytes.
pub const SECTOR: u64 = 512;
