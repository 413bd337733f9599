//! What the guest may answer.
//!
//! A run sends a stream of replies that ends with [`Reply::Finished`] or
//! [`Reply::Failed`]. The host takes them from a guest that it does not trust:
//! see [`wire`](crate::wire) for the limits.

use serde::{Deserialize, Serialize};

use crate::text::{Message, Path};
use crate::{compare, convert, info, map, measure};

/// One message from the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A piece of the description of an image.
    Info(info::Reply),
    /// The next extents of a map.
    Map(map::Reply),
    /// What a comparison has found.
    Compare(compare::Finding),
    /// How large an image gets.
    Measure(measure::Reply),
    /// The part that is to be copied starts behind the end of the disks.
    NothingThere,
    /// How far the operation has come.
    Progress(convert::Progress),
    /// The SHA-256 of the disk that was copied.
    Digest([u8; 32]),
    /// The image refers to another file, and the guest would like to see it.
    Attach(Reference),
    /// The guest is going to write to a file, which needs room.
    Reserve(Length),
    /// The file is to have this length when all is done.
    SetLength(Length),
    /// The guest has work for further processors, which are to start at this address in
    /// ring 3.
    StartWorkers(u64),
    /// Something that the user should know, though nothing has failed.
    Warning(Message),
    /// What a self-test sends to fill the line.
    Filler(Message),
    /// The operation failed.
    Failed(Failure),
    /// The operation is done.
    Finished(Marks),
}

/// A file that an image refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The slot of the image that refers to it.
    pub from: u8,
    /// What it is to that image.
    pub role: ReferenceRole,
    /// Its name, as the image has it.
    pub path: Path,
}

/// How long a file is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// The slot of the file.
    pub slot: u8,
    /// The length in bytes.
    pub length: u64,
}

/// What a referenced file is to the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferenceRole {
    /// The image underneath: what is not allocated here is read from there.
    Backing,
    /// The file with the guest's data; the image has only the metadata.
    Data,
    /// A part of the image.
    Extent,
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The slot of the file that it failed on, if there is one to blame.
    pub device: Option<u8>,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// Whether the message is no more than the system's word for the failure,
    /// such as `Invalid argument`: qemu-img then names the file twice.
    pub is_bare: bool,
    /// What qemu-img would say, or as much like it as can be.
    pub message: Message,
}

/// What kind of failure it is: what a caller can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The file is not an image of the format asked for.
    NotThisFormat,
    /// The image uses a feature that is not supported.
    Unsupported,
    /// The image contradicts itself or its file.
    Corrupt,
    /// The host could not read or write.
    InputOutput,
    /// A reference may not be followed.
    Refused,
    /// The guest's memory does not suffice.
    Memory,
    /// The request makes no sense to this guest.
    Request,
}

/// When the guest reached which point, in ticks of the time-stamp counter. Only
/// differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The first instruction in ring 3.
    pub entered: u64,
    /// The heap works and the request is decoded.
    pub booted: u64,
    /// Every device is set up.
    pub devices: u64,
    /// The operation is done.
    pub finished: u64,
}
