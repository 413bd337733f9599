//! The devices that the guest sees, from the host's side.
//!
//! The guest is hostile. A device takes descriptor chains out of memory that
//! the guest writes at the same time, so every number is read once, checked, and
//! then used; a rule that is broken ends the run ([`DeviceError`]), a request
//! that cannot be carried out gets a status. No device interprets a byte of an
//! image: they move bytes between files and guest memory.
//!
//! Reading order: [`queue`], [`block`], [`console`], [`volatile_io`].

pub mod block;
pub mod console;
pub mod queue;
pub mod volatile_io;

use thiserror::Error;

/// The guest broke the rules of virtio. The run ends.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// A ring or a descriptor chain makes no sense.
    #[error("a ring makes no sense: {0}")]
    Ring(#[from] virtio_queue::Error),
    /// A request of a block device is not framed as one.
    #[error("a block request is not framed as one")]
    Framing,
    /// A buffer lies outside the memory that devices may use.
    #[error("a buffer lies outside shared memory")]
    OutsideMemory,
    /// A message is longer than a console takes.
    #[error("a console message is too long")]
    MessageTooLong,
}
