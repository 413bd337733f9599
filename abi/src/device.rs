//! What is plugged into the guest.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A device in one of the slots of [`layout`](crate::layout).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Which slot: the position of its registers and its rings.
    pub slot: u8,
    /// What it is.
    pub kind: Kind,
    /// How far it is set up.
    pub wiring: Wiring,
}

/// What a device is to the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The virtio-console over which replies leave.
    Console,
    /// A virtio-blk device that stands for a file or a block device of the host.
    Block(Block),
}

/// A file of the host, seen through virtio-blk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its length in bytes. A virtio-blk device counts in sectors of 512 bytes
    /// and pads the last one with zeros, so this is the only exact figure.
    pub length: u64,
    /// Whether a pipe brings it: the length is what has arrived by now, and the device can be
    /// asked for more ([`arrival`](crate::arrival)).
    pub arrives: bool,
    /// The room that it takes on its file system, in bytes; [`u64::MAX`] if it has no holes.
    pub room: u64,
    /// Whether the guest may write to it. The host enforces it; this is so that
    /// the guest need not try.
    pub writable: bool,
    /// What is known of its holes.
    pub holes: Holes,
}

/// What is known of the holes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holes {
    /// Nothing.
    Unknown,
    /// The device can be asked.
    Asked,
    /// These are its ranges of data: the device is one that cannot be asked.
    Listed {
        /// Where the list ends, in bytes.
        end: u64,
        /// The start and the end of each range, in order, in bytes.
        data: Vec<(u64, u64)>,
    },
}

/// Who sets a device up.
///
/// A register access costs an exit to the host, up to 65 µs of it, and the
/// handshake of virtio-mmio takes about twenty-five. Our own VMM knows both
/// ends, so it does what firmware would: it places the rings itself and hands
/// the device over ready for use. The guest then only ever rings doorbells, and
/// the host has no register state machine for a hostile guest to play with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wiring {
    /// The guest negotiates through the registers (virtio 1.2, section 4.2.3):
    /// QEMU's devices.
    Registers,
    /// The rings lie where [`layout`](crate::layout) says, zeroed and enabled.
    Ready {
        /// The feature bits in force.
        features: u64,
    },
}
