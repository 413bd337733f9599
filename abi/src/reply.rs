//! What the guest may answer.
//!
//! A run sends a stream of replies that ends with [`Reply::Finished`] or
//! [`Reply::Failed`]. The host takes them from a guest that it does not trust:
//! see [`wire`](crate::wire) for the limits.

use alloc::format;
use alloc::vec::Vec;

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
    /// How an image that is there is made anew.
    Recreation(convert::Recreation),
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
    /// The image that gets made has a further file, which is to be made too.
    CreateFile(NewFile),
    /// A file is to take all of its room when all is done.
    Preallocate(Preallocate),
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

/// A further file of an image that gets made. What it is called is the host's to say: it
/// knows how the user has called the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// The slot of the image's own file.
    pub of: u8,
    /// Which file it is.
    pub part: Part,
    /// How much room is needed in it, in bytes.
    pub length: u64,
}

/// Which file of an image it is, besides the image's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// All of the disk, as it is.
    Flat,
    /// A part of the disk, as it is, by its number from 1 on.
    FlatPart(u16),
    /// The same, of a part that is not stored as it is.
    SparsePart(u16),
}

impl Part {
    /// What it is called beside an image with this name: something comes in front of the
    /// extension, as with qemu-img.
    #[must_use]
    pub fn name(self, image: &[u8]) -> Vec<u8> {
        let suffix = match self {
            Self::Flat => "-flat".into(),
            Self::FlatPart(number) => format!("-f{number:03}"),
            Self::SparsePart(number) => format!("-s{number:03}"),
        };
        let dot = image.iter().rposition(|byte| *byte == b'.');
        let (stem, extension) = image.split_at(dot.unwrap_or(image.len()));
        [stem, suffix.as_bytes(), extension].concat()
    }
}

/// What is to be done for the room of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preallocate {
    /// The slot of the file.
    pub slot: u8,
    /// How.
    pub how: Preallocation,
}

/// How a file gets all of its room. Its content stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preallocation {
    /// The file system sets it aside.
    Falloc,
    /// Zeros are written where nothing else was.
    Full,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_image_are_called_after_it() {
        for (part, image, expected) in [
            (Part::Flat, &b"disk.vmdk"[..], &b"disk-flat.vmdk"[..]),
            (Part::Flat, b"disk", b"disk-flat"),
            (Part::FlatPart(1), b"disk.old.vmdk", b"disk.old-f001.vmdk"),
            (Part::SparsePart(1234), b".vmdk", b"-s1234.vmdk"),
        ] {
            assert_eq!(part.name(image), expected);
        }
    }
}
