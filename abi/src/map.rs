//! The vocabulary of `map`: how a disk is stored.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::source::Source;

/// What to map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The image.
    pub source: Source,
    /// Where to start, in bytes.
    pub start: u64,
    /// How far to go, in bytes; to the end of the disk if missing.
    pub length: Option<u64>,
    /// How many images a chain may have.
    pub max_depth: u32,
}

/// The next extents, in order.
pub type Reply = Vec<Extent>;

/// The most extents in a reply: each has fewer than 50 bytes on the wire.
pub const MAX_EXTENTS: usize = 256;

/// A range of a disk that is stored in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Where it starts, in bytes.
    pub start: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// How many images lie over the one that it is in.
    pub depth: u32,
    /// How it is stored.
    pub flags: Flags,
    /// Where it is: in which slot's file, and at which byte.
    pub place: Option<(u8, u64)>,
}

/// How a range is stored, in qemu's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// An image of the chain has it.
    pub present: bool,
    /// It reads as zeros.
    pub zero: bool,
    /// It is stored.
    pub data: bool,
    /// It is compressed.
    pub compressed: bool,
}
