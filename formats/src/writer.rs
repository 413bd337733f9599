//! Making images: the mirror image of extents.
//!
//! A writer gives room to the ranges of a disk that have data, and says where it
//! is; others bring the bytes there. What it writes itself is metadata, which goes
//! to an [`Output`]. Whoever drives it keeps to these rules:
//!
//! - Ranges come in ascending order, each once, and consist of whole sectors of 512
//!   bytes; only the last may end with the disk.
//! - What never comes is zeros, or is in the image underneath.
//! - On top of another image, ranges are whole [units](Writer::unit), but for one that ends
//!   with the disk: what has room hides what is underneath, all of the unit. Without one
//!   they may be parts of units, and the rest of the unit is zeros.
//! - At the end comes [`Writer::finish`]. Before it, the file is no image: what makes
//!   it one is written last.
//!
//! The same calls make the same bytes.

use alloc::format;
use alloc::vec::Vec;

use crate::error::Error;
use crate::extent::{File, Place};
use crate::storage::StorageError;

/// Makes one image.
pub trait Writer {
    /// The files that the image consists of besides its own, in the order of
    /// [`File::Other`].
    fn other_files(&self) -> Vec<OtherFile> {
        Vec::new()
    }

    /// The size of the disk in bytes, if it cannot have the one that was asked for. It
    /// is larger then, and what is behind the one asked for never comes.
    fn rounded_size(&self) -> Option<u64> {
        None
    }

    /// How long a file can get, in bytes, if all of the disk has data.
    fn longest(&self, file: File) -> u64;

    /// What is allocated as a whole, in bytes: ranges that begin and end with a
    /// unit waste nothing.
    fn unit(&self) -> u64;

    /// How units are to be compressed, if they are.
    fn encoding(&self) -> Option<Encoding> {
        None
    }

    /// What is to be done for the room of the files, beyond what is written.
    fn preallocation(&self) -> Preallocation {
        Preallocation::Off
    }

    /// Makes room for data at an offset of the disk. Returns where it goes, which may
    /// be less than was asked for: the rest is asked for again.
    ///
    /// # Errors
    ///
    /// If the image gets too large, or metadata cannot be written.
    fn place(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<Run, Error>;

    /// Stores a unit that was compressed as [`encoding`](Self::encoding) says. It
    /// starts at an offset of the disk that is a multiple of the unit. Behind the end of the
    /// disk it has zeros.
    ///
    /// # Errors
    ///
    /// If the image gets too large, or cannot be written.
    fn store(&mut self, offset: u64, bytes: &[u8], output: &mut dyn Output) -> Result<(), Error> {
        let _ = (offset, bytes, output);
        Err(Refusal::Compression.into())
    }

    /// Makes a range zeros, whatever is underneath. Only needed on top of another
    /// image. A format that has no zeros of its own gives room to the range: in a file that
    /// was not written to, that is zeros.
    ///
    /// # Errors
    ///
    /// If the format cannot say so, or metadata cannot be written.
    fn zero(&mut self, offset: u64, length: u64, output: &mut dyn Output) -> Result<(), Error> {
        let _ = (offset, length, output);
        Err(Refusal::Zeros.into())
    }

    /// Writes what is missing, and last of all what makes the file an image.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn finish(&mut self, output: &mut dyn Output) -> Result<(), Error>;
}

/// Where data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where its first byte goes: a multiple of 512.
    pub place: Place,
    /// How much of it goes there in one piece, in bytes, never zero.
    pub length: u64,
}

/// What is to be done for the room of a file, from its start to its length. The content
/// stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preallocation {
    /// Nothing: what was not written may be a hole.
    #[default]
    Off,
    /// The file system sets it aside.
    Falloc,
    /// Zeros are written where nothing else was.
    Full,
}

/// How a unit is to be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Deflate (RFC 1951), with a window of 4 KiB. What does not get shorter is
    /// stored as it is.
    Deflate,
    /// In the wrapper of zlib (RFC 1950). It is stored even if it gets no shorter.
    Zlib,
    /// A frame of Zstandard (RFC 8878). What does not get shorter is stored as it is.
    Zstandard,
}

/// Another file of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherFile {
    /// All of the disk, as it is: `disk-flat.vmdk` of `disk.vmdk`.
    Flat,
    /// A part of the disk, as it is, by its number from 1 on: `disk-f001.vmdk`.
    FlatPart(u16),
    /// The same, of an extent with grains: `disk-s001.vmdk`.
    SparsePart(u16),
    /// The user has named it.
    Named(Vec<u8>),
}

impl OtherFile {
    /// What it is called beside an image with this name.
    #[must_use]
    pub fn name(&self, image: &[u8]) -> Vec<u8> {
        let suffix = match self {
            Self::Flat => "-flat".into(),
            Self::FlatPart(number) => format!("-f{number:03}"),
            Self::SparsePart(number) => format!("-s{number:03}"),
            Self::Named(name) => return name.clone(),
        };
        let dot = image.iter().rposition(|byte| *byte == b'.');
        let (stem, extension) = image.split_at(dot.unwrap_or(image.len()));
        [stem, suffix.as_bytes(), extension].concat()
    }
}

/// Where metadata goes.
pub trait Output {
    /// Writes bytes. They start at a multiple of 512, or where those of the call
    /// before ended; what is missing of the last sector is zeros. A sector that was not
    /// full may be written once more.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    fn write(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError>;

    /// Makes everything written so far come before everything written from now on,
    /// whatever happens to the machine.
    ///
    /// # Errors
    ///
    /// If something could not be written.
    fn barrier(&mut self) -> Result<(), StorageError>;

    /// Gives a file its final length in bytes. What was not written is zeros.
    ///
    /// # Errors
    ///
    /// If it cannot have that length.
    fn set_length(&mut self, file: File, length: u64) -> Result<(), StorageError>;
}

/// What not every format can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It makes no images.
    #[error("Format driver does not support image creation")]
    Creation,
    /// It compresses nothing.
    #[error("Compression not supported for this file format")]
    Compression,
    /// It has nothing underneath, and so no zeros to hide it.
    #[error("Zeros cannot be told from what is underneath")]
    Zeros,
}

impl crate::error::FormatError for Refusal {
    fn kind(&self) -> crate::ErrorKind {
        crate::ErrorKind::Unsupported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_in_front_of_the_extension() {
        for (image, expected) in [
            (&b"disk.vmdk"[..], &b"disk-flat.vmdk"[..]),
            (b"disk.old.vmdk", b"disk.old-flat.vmdk"),
            (b"disk", b"disk-flat"),
            (b"disk.", b"disk-flat."),
            (b".vmdk", b"-flat.vmdk"),
            (b"", b"-flat"),
        ] {
            assert_eq!(OtherFile::Flat.name(image), expected);
        }
        assert_eq!(OtherFile::FlatPart(1).name(b"disk.vmdk"), b"disk-f001.vmdk");
        assert_eq!(OtherFile::SparsePart(1234).name(b"disk.vmdk"), b"disk-s1234.vmdk");
        assert_eq!(OtherFile::Named(b"data".to_vec()).name(b"disk.vmdk"), b"data");
    }
}
