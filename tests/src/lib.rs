//! What the tests of the whole have in common.
//!
//! A test works in a [`Place`] of its own, runs [`tool`]s there, on every
//! [`Machine`] that this host has, over [`images`] that it makes. There is no
//! network, no order among tests, and nothing is left behind.
//!
//! The tests themselves lie beside this folder, one file for each thing that is
//! tested: `workspace.rs` (who may know whom), `guest_image.rs` (what is in the
//! built image), `kernel.rs` (how the guest breaks); the commands, against qemu-img's:
//! `info.rs`, `map.rs`, `picture.rs`, `compare.rs`, `convert.rs`, `create.rs`, `measure.rs`,
//! `dd.rs`, `copy.rs`; `luks.rs` (against cryptsetup's), `contents.rs` (what raw images
//! hold), `readers.rs` and `writers.rs` (what is on disks, and making images, without a
//! machine), `codecs.rs` (against other compressors), `samples.rs` (the makers of images,
//! against qemu), `in_place.rs` (copies into images that are there), `pipes.rs` (images
//! that come and go through pipes), `failures.rs` (signals, full disks, files that break),
//! `references.rs` (which other files are opened), `chains.rs` (images on top of each
//! other), `matrix.rs` (every reader with every writer), `callers.rs` (the command lines
//! in docs/callers.md), `command_line.rs` (arguments, errors, exit codes), `machines.rs`
//! (KVM or QEMU).

pub mod images;
pub mod kernel_build;
pub mod machine;
pub mod native;
pub mod pipe;
pub mod place;
pub mod random;
pub mod sources;
pub mod tool;
pub mod watch;

use std::io::Write;

pub use machine::Machine;
pub use place::Place;
pub use random::Random;
pub use tool::Outcome;

/// Says that something is not tested here, and why. It is printed even if the test
/// passes, which takes the place of its output otherwise.
pub fn skip(what: &str, reason: &str) {
    // If nobody listens, there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {what}: {reason}");
}
