//! The transfer engine: it moves the bytes of disks.
//!
//! ```text
//! plan ── fetch ── fill ── place ── write
//! ```
//!
//! A disk is cut into pieces (`plan.rs`): for each it is known which parts of which
//! files make it up. What has to be read is requested for several pieces at a time;
//! when all of a piece is there, it is put together (`fill.rs`: copied, decompressed,
//! looked through for zeros). Then, in the order of the disk, it is given to a
//! [`Consumer`], which writes it (`sink.rs`), compares it, or counts it. So the order
//! in which requests are done changes nothing about what comes out.
//!
//! Reading order: [`plan`], [`fill`], [`job`], [`pipeline`], [`sink`].

pub mod fill;
pub mod job;
pub mod pipeline;
pub mod plan;
pub mod pool;
pub mod sink;
pub mod zeros;

#[cfg(test)]
mod tests;

pub use pipeline::{Consumer, Filled, Pipeline};
pub use plan::{Planner, Rules};
pub use sink::{Before, Sink};

/// How much of a disk is a piece, in bytes. Longer pieces do not make it faster, as
/// several are under way at a time, and take more memory.
pub const PIECE: u64 = 1 << 20;

/// How many pieces are under way at the most.
pub const DEPTH: usize = 8;

/// How many bytes may be on their way to files at the most, before no more is read.
pub const WRITE_LIMIT: u64 = 12 << 20;
