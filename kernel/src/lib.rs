//! The guest kernel: what stands between a bare virtual machine and an
//! operation on disk images.
//!
//! Design principles, in the order in which they win:
//!
//! 1. **No Rust in ring 0.** Ring 0 is three assembly stubs (`boot/`) and
//!    constants ([`tables`]). Everything compiled runs in ring 3, where a
//!    parser that has been taken over can reach neither page tables nor ports.
//! 2. **Errors end the run.** A trap or a panic is reported on the serial port
//!    in one line and the VM ends. Nothing is retried, nothing hangs.
//! 3. **Nothing is configured twice.** Addresses come from `abi::layout`, the
//!    rest from the request.
//! 4. **Nothing is touched without need.** Every page touched costs a fault on
//!    the host, so there is no zeroing, no copying of what can be read in place.
//!
//! The crate is a library, so that what can be reasoned about without a machine
//! is tested on the host, and `main.rs`, which is the image.
//!
//! Reading order: `boot/start.S` (how it begins), [`tables`] (what the
//! processor reads), `main.rs` ([the entry in ring 3](../src/kernel/main.rs.html)),
//! [`boot_info`], [`heap`], [`machine`] (devices), [`session`] (what an
//! operation sees of all this), [`workers`] (further processors), [`fault`] (how it ends when it ends badly).

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod boot_info;
pub mod exit;
pub mod fault;
pub mod heap;
pub mod machine;
#[cfg(feature = "self-test")]
pub mod self_test;
pub mod session;
pub mod tables;
pub mod workers;
