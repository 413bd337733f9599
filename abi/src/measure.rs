//! The vocabulary of `measure`: how large an image gets.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::convert::Setting;
use crate::info::Format;
use crate::source::Source;

/// An image that could be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What would be put into it.
    pub content: Content,
    /// Its format.
    pub format: Format,
    /// The options that the user has set, by qemu's names.
    pub options: Vec<Setting>,
    /// How many images a chain may have.
    pub max_depth: u32,
}

/// What would be put into an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Nothing: its disk has a size in bytes.
    Nothing(u64),
    /// Another image.
    Image(Source),
}

/// How large it would get, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// With the content.
    pub required: u64,
    /// If all of its disk had data.
    pub fully_allocated: u64,
    /// What the bitmaps of the source take besides, if both can have some.
    pub bitmaps: Option<u64>,
}
