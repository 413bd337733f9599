//! Virtio devices over MMIO, as a driver sees them (virtio 1.2).
//!
//! A device comes into being in one of two ways. Either somebody has already
//! agreed on its features and placed its rings, then [`Device`] is just filled
//! in; or the driver does it itself through the register window, which is what
//! [`mmio::negotiate`] is for. Both end in a [`Device`], and from there on
//! nobody can tell them apart.
//!
//! Reading order: [`queue`] (the split virtqueue), [`mmio`] (the handshake),
//! [`block`], [`console`].

pub mod block;
pub mod console;
#[cfg(test)]
mod fake;
pub mod mmio;
pub mod queue;

use bitflags::bitflags;
use thiserror::Error;

use self::mmio::Doorbell;

bitflags! {
    /// The feature bits that these drivers know (sections 5.2.3 and 6).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Features: u64 {
        /// Block: the device is read-only.
        const BLOCK_READ_ONLY = 1 << 5;
        /// Block: it has a write cache that can be flushed.
        const BLOCK_FLUSH = 1 << 9;
        /// Block: it can write zeros without being given them.
        const BLOCK_WRITE_ZEROES = 1 << 14;
        /// Block: it tells which parts of it are holes. Not of the standard, which
        /// leaves this bit to the type of the device.
        const BLOCK_HOLES = 1 << 50;
        /// Ring: notifications are suppressed by index rather than by flag.
        const EVENT_INDEX = 1 << 29;
        /// The device follows version 1 of the standard.
        const VERSION_1 = 1 << 32;
    }
}

/// A device that is ready for use: its features are agreed on and its rings are
/// in place.
#[derive(Debug)]
pub struct Device {
    /// The feature bits in force.
    pub features: Features,
    /// How the device is told that there is something for it.
    pub doorbell: Doorbell,
}

/// The device broke the rules of the standard: it cannot be used any more.
///
/// The devices are the host's, so this means a defect in the host, but memory
/// safety does not depend on it: every variant is a check that the driver makes
/// instead of trusting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// There is no virtio device behind the registers.
    #[error("no virtio-mmio device answers")]
    Absent,
    /// It is a device of the legacy kind.
    #[error("the virtio-mmio device has version {0}, only version 2 is supported")]
    Legacy(u32),
    /// It is another kind of device.
    #[error("the virtio device is of type {found}, not {wanted}")]
    WrongType {
        /// What it says it is.
        found: u32,
        /// What was looked for.
        wanted: u32,
    },
    /// It does not offer version 1 of the standard.
    #[error("the virtio device does not offer version 1")]
    NotVersion1,
    /// It does not accept the features that it offered.
    #[error("the virtio device refuses the features that it offers")]
    FeaturesRefused,
    /// Its queue is missing or shorter than needed.
    #[error("queue {queue} of the virtio device takes {maximum} entries, {wanted} are needed")]
    QueueTooShort {
        /// Which queue.
        queue: u16,
        /// The most entries it takes; zero if there is no such queue.
        maximum: u32,
        /// How many are needed.
        wanted: u16,
    },
    /// It returned a buffer that it was not given.
    #[error("the virtio device returned descriptor {0}, which it does not have")]
    UnknownDescriptor(u32),
    /// It says that it wrote more than there was room for.
    #[error("the virtio device wrote {written} bytes into {room}")]
    Overrun {
        /// What it says it wrote, in bytes.
        written: u32,
        /// What there was room for.
        room: u32,
    },
    /// It returned more buffers than it was given.
    #[error("the virtio device returned more than it was given")]
    TooManyReturned,
}
