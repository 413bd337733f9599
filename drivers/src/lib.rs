//! The guest's drivers.
//!
//! A driver here knows registers and rings and nothing else: not where a device
//! lies (the kernel says), not what its bytes mean (formats and operations
//! say), and not how to wait (it is polled). The crate depends on no other
//! crate of the workspace and runs on the host as well, where its tests put a
//! fake device behind each driver.
//!
//! Two rules run through all of it. A buffer that a device may touch is owned
//! by the driver from submission to completion, so safe code cannot free it or
//! look at it meanwhile: owned buffers in, owned buffers out. And the device is
//! not trusted: whatever it writes into a ring is checked against the driver's
//! own records before it is used.
//!
//! Reading order: [`dma`], [`virtio`] (whose page goes on from there),
//! [`serial`].

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod dma;
pub mod serial;
pub mod virtio;
