//! The vocabulary of `copy`: the bytes of a file, whatever they mean.

use serde::{Deserialize, Serialize};

use crate::convert::State;

/// A file to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its slot.
    pub source: u8,
    /// The slot of the copy.
    pub target: u8,
    /// What is there before.
    pub state: State,
    /// Where to start, in bytes.
    pub start: u64,
    /// How many bytes. What goes beyond the file is left out.
    pub length: u64,
    /// Read both again and compare.
    pub verify: bool,
    /// Say how far it has come.
    pub progress: bool,
}
