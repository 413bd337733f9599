//! The headers (specification, section 2.2.2): which is current, and where the log
//! is.

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{VhdxError, is_intact, seal};
use crate::error::Error;
use crate::guid::Guid;
use crate::storage::{Storage, read_padded};

/// What the file starts with (section 2.2.1). The name of the program that made it
/// follows.
pub const FILE_SIGNATURE: [u8; 8] = *b"vhdxfile";

/// What a header starts with.
pub const SIGNATURE: [u8; 4] = *b"head";

/// Where the two headers are, in bytes.
pub const OFFSETS: [u64; 2] = [64 << 10, 128 << 10];

/// How many bytes the checksum of a header is about.
pub const SIZE: usize = 4096;

/// The only version of the format.
pub const VERSION: u16 = 1;

/// The start of a header. The rest is reserved.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`SIGNATURE`].
    pub signature: [u8; 4],
    /// Of the [`SIZE`] bytes.
    pub checksum: U32,
    /// The header with the higher one is current.
    pub sequence_number: U64,
    /// Changes whenever the file is opened for writing.
    pub file_write_id: Guid,
    /// Changes whenever the disk is opened for writing.
    pub data_write_id: Guid,
    /// The id of the log's entries, zero if there are none.
    pub log_id: Guid,
    /// The version of the log: 0.
    pub log_version: U16,
    /// [`VERSION`].
    pub version: U16,
    /// The length of the log in bytes.
    pub log_length: U32,
    /// Where the log starts, in bytes.
    pub log_offset: U64,
}

impl Header {
    /// The current header of a file: the valid one, or of two that with the higher
    /// number.
    ///
    /// # Errors
    ///
    /// If none is valid, or two different ones have the same number.
    pub fn current(storage: &dyn Storage) -> Result<Self, Error> {
        let start: [u8; 8] = read_padded(storage, 0)?;
        if start != FILE_SIGNATURE {
            return Err(VhdxError::NoSignature.into());
        }
        let [first, second] = OFFSETS;
        let current = match (Self::read(storage, first)?, Self::read(storage, second)?) {
            (Some(first), Some(second)) => {
                let numbers = (first.sequence_number.get(), second.sequence_number.get());
                match numbers.0.cmp(&numbers.1) {
                    core::cmp::Ordering::Less => Some(second),
                    core::cmp::Ordering::Greater => Some(first),
                    // Disk2vhd writes the same header twice.
                    core::cmp::Ordering::Equal => Some(first).filter(|first| *first == second),
                }
            }
            (first, second) => first.or(second),
        };
        Ok(current.ok_or(VhdxError::NoHeader)?)
    }

    /// The bytes of the header, with the right checksum.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.as_bytes().to_vec();
        bytes.resize(SIZE, 0);
        seal(&mut bytes);
        bytes
    }

    /// The header at an offset, if there is a valid one.
    fn read(storage: &dyn Storage, offset: u64) -> Result<Option<Self>, Error> {
        let bytes: [u8; SIZE] = read_padded(storage, offset)?;
        let header = Self::read_from_prefix(&bytes).ok().map(|(header, _)| header);
        let header = header.filter(|header| header.version.get() == VERSION);
        Ok(header.filter(|_| is_intact(&bytes, SIGNATURE)))
    }
}

const _: () = assert!(size_of::<Header>() == 80, "a header has fields up to its 80th byte");

#[cfg(test)]
mod tests {
    use core::mem::offset_of;
    use std::vec::Vec;

    use super::*;
    use crate::vhdx::sample::{Vhdx, seal};

    /// The sequence number of the current header.
    fn current(bytes: &Vec<u8>) -> Option<u64> {
        Header::current(bytes).ok().map(|header| header.sequence_number.get())
    }

    /// A file with headers of these numbers.
    fn with_numbers(first: u64, second: u64) -> Vec<u8> {
        let mut bytes = Vhdx::default().bytes();
        for (offset, number) in [(65_536, first), (131_072, second)] {
            bytes[offset + 8..offset + 16].copy_from_slice(&number.to_le_bytes());
            seal(&mut bytes[offset..offset + SIZE]);
        }
        bytes
    }

    #[test]
    fn fields_are_where_the_specification_has_them() {
        for (offset, expected) in [
            (offset_of!(Header, sequence_number), 8),
            (offset_of!(Header, log_id), 48),
            (offset_of!(Header, log_version), 64),
            (offset_of!(Header, version), 66),
            (offset_of!(Header, log_length), 68),
            (offset_of!(Header, log_offset), 72),
        ] {
            assert_eq!(offset, expected);
        }
    }

    #[test]
    fn the_higher_number_is_current() {
        for (first, second, expected) in [
            (1, 2, Some(2)),
            (2, 1, Some(2)),
            (0, u64::MAX, Some(u64::MAX)),
            // Twice the same header.
            (7, 7, Some(7)),
        ] {
            assert_eq!(current(&with_numbers(first, second)), expected, "{first} {second}");
        }
        // Different ones with the same number.
        let mut bytes = with_numbers(7, 7);
        bytes[65_536 + 20] ^= 1;
        seal(&mut bytes[65_536..65_536 + SIZE]);
        assert_eq!(current(&bytes), None);
    }

    #[test]
    fn a_damaged_header_does_not_count() {
        for place in [0, 3, 4, 7, 8, 79, 80, 4095] {
            for (offset, left) in [(65_536, 2), (131_072, 1)] {
                let mut bytes = with_numbers(1, 2);
                bytes[offset + place] ^= 1;
                assert_eq!(current(&bytes), Some(left), "{place} of {offset}");
            }
            let mut bytes = with_numbers(1, 2);
            bytes[65_536 + place] ^= 1;
            bytes[131_072 + place] ^= 1;
            assert_eq!(current(&bytes), None, "{place}");
        }
        // What is behind it is not a part of it.
        let mut bytes = with_numbers(1, 2);
        bytes[131_072 + SIZE] ^= 1;
        assert_eq!(current(&bytes), Some(2));
    }

    #[test]
    fn another_version_does_not_count() {
        let mut bytes = with_numbers(1, 2);
        bytes[131_072 + 66] = 2;
        seal(&mut bytes[131_072..131_072 + SIZE]);
        assert_eq!(current(&bytes), Some(1));
    }

    #[test]
    fn a_file_may_end_behind_one_header() {
        let bytes = with_numbers(2, 1);
        for (length, expected) in [
            (0, None),
            (7, None),
            (8, None),
            // What is missing of the rest, which is zeros, reads as zeros.
            (65_536 + 74, None),
            (65_536 + 75, Some(2)),
            (65_536 + SIZE, Some(2)),
            (131_072, Some(2)),
            (131_072 + SIZE, Some(2)),
        ] {
            assert_eq!(current(&bytes[..length].to_vec()), expected, "{length}");
        }
    }
}
