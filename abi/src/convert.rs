//! The vocabulary of everything that makes an image: `convert`, `create`, `dd`.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::info::Format;
use crate::source::Source;
use crate::text::{Name, Path, Text};

/// Disks to copy, and the image to make of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The images, one behind the other.
    pub sources: Vec<Source>,
    /// The image to make.
    pub target: Target,
    /// The part of the disks that is copied.
    pub range: Range,
    /// Leave out what the images underneath those on top of the chains have.
    pub only_top: bool,
    /// How many zeros in a row are not stored, in bytes; none if zero.
    pub sparse: u32,
    /// Say how far it has come.
    pub progress: bool,
    /// Take what cannot be read for zeros.
    pub salvage: bool,
    /// Compute the SHA-256 of the disk.
    pub hash: bool,
    /// How many images a chain may have.
    pub max_depth: u32,
}

/// A part of a disk, in bytes, and where it goes. What goes beyond one of the disks is left
/// out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Where it starts.
    pub start: u64,
    /// How long it is.
    pub length: u64,
    /// Where on the new disk it goes.
    pub to: u64,
    /// The size of the new disk; it ends with the part if missing.
    pub size: Option<u64>,
}

impl Range {
    /// All of a disk.
    pub const ALL: Self = Self { start: 0, length: u64::MAX, to: 0, size: None };
}

/// An image that is there, to be made anew with what is on disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamineRequest {
    /// The images that are copied, one behind the other.
    pub sources: Vec<Source>,
    /// The image that is there.
    pub target: Source,
    /// Leave out what the images underneath those on top of the chains have.
    pub only_top: bool,
    /// Compress units.
    pub compress: bool,
    /// How many images a chain may have.
    pub max_depth: u32,
}

/// How an image that is there is made anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recreation {
    /// The size of its disk in bytes.
    pub size: u64,
    /// The options that it was made with. They say what the image says, so that the host
    /// hands them on and looks at none.
    pub options: Vec<Setting>,
}

/// An image to be made, without content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateRequest {
    /// The image.
    pub target: Target,
    /// The size of its disk in bytes.
    pub size: u64,
}

/// An image that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The slot of its file.
    pub slot: u8,
    /// The slots of the other files that it has, in their order.
    pub others: Vec<u8>,
    /// Its format.
    pub format: Format,
    /// The options that the user has set, by qemu's names.
    pub options: Vec<Setting>,
    /// Compress units.
    pub compress: bool,
    /// The name of its file, without folders.
    pub file_name: Path,
    /// The image underneath, if it was opened.
    pub backing: Option<Source>,
    /// The slot of the same file as it can be read, if it had an image before. What is
    /// underneath, by the options, is what that one referred to; it is opened if needed.
    pub before: Option<u8>,
    /// What the file holds before.
    pub state: State,
    /// What ids are made of.
    pub seed: [u8; 16],
    /// The time in seconds since 1970.
    pub time: u64,
}

/// What a file holds that is to be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Nothing: it is new.
    New,
    /// Anything, of which nothing is to be left where the image lies: a device.
    Stale,
    /// A raw image with anything on its disk.
    Used,
    /// A raw image whose disk is zeros.
    Zeroed,
}

/// An option that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub name: Name,
    /// Its value.
    pub value: Value,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `on` or `off`.
    Flag(bool),
    /// A number, or a size in bytes.
    Number(u64),
    /// Text.
    Text(Text<4096>),
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes that have been seen to.
    pub done: u64,
    /// Bytes that there are to see to.
    pub total: u64,
}
