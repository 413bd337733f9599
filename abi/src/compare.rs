//! The vocabulary of `compare`.

use serde::{Deserialize, Serialize};

use crate::source::Source;

/// What to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The images.
    pub sources: [Source; 2],
    /// Sizes and the way of storing have to be the same too.
    pub strict: bool,
    /// Say how far it has come.
    pub progress: bool,
    /// How many images a chain may have.
    pub max_depth: u32,
}

/// What was found. The last one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// The disks are the same.
    Identical,
    /// They are the same as far as the shorter goes. What is behind is looked at next.
    SizeWarning,
    /// They have different sizes, which they may not.
    SizeMismatch,
    /// They differ at an offset, in bytes.
    ContentMismatch(u64),
    /// They are stored in different ways at an offset, in bytes.
    StatusMismatch(u64),
    /// An image cannot be read at an offset.
    Unreadable {
        /// The first image or the second.
        side: u8,
        /// Where, in bytes.
        offset: u64,
    },
    /// It cannot be said how an image is stored.
    Unknown {
        /// The first image or the second.
        side: u8,
    },
}
