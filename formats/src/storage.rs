//! Where images lie: something with a length that can be read at an offset.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

use thiserror::Error;
use zerocopy::{FromZeros, IntoBytes};

/// A file or a device with an image in it.
///
/// Reads are plain blocking calls: formats use them for metadata only, in small
/// pieces that the implementation is expected to cache.
pub trait Storage {
    /// The length in bytes.
    fn length(&self) -> u64;

    /// Fills a buffer with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// If they are not all there, or cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError>;
}

/// A read that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StorageError {
    /// It goes past the end.
    #[error("read of {length} bytes at {offset} goes past the end of the file")]
    PastEnd {
        /// Where it started.
        offset: u64,
        /// How many bytes were asked for.
        length: u64,
    },
    /// The host could not do it.
    #[error("Input/output error")]
    InputOutput,
}

/// Reads a structure.
///
/// # Errors
///
/// Those of [`Storage::read_at`].
pub fn read_struct<T: FromZeros + IntoBytes + zerocopy::FromBytes>(
    storage: &dyn Storage,
    offset: u64,
) -> Result<T, StorageError> {
    let mut value = T::new_zeroed();
    storage.read_at(offset, value.as_mut_bytes())?;
    Ok(value)
}

/// Reads a structure of which the end may be missing: what lies behind the end of
/// the storage reads as zeros, as it does for qemu.
///
/// # Errors
///
/// [`StorageError::InputOutput`] if it cannot be read.
pub fn read_padded<T: FromZeros + IntoBytes + zerocopy::FromBytes>(
    storage: &dyn Storage,
    offset: u64,
) -> Result<T, StorageError> {
    let mut value = T::new_zeroed();
    let bytes = value.as_mut_bytes();
    let available = storage.length().saturating_sub(offset);
    let available = usize::try_from(available).map_or(bytes.len(), |all| all.min(bytes.len()));
    if let Some(bytes) = bytes.get_mut(..available).filter(|bytes| !bytes.is_empty()) {
        storage.read_at(offset, bytes)?;
    }
    Ok(value)
}

/// Reads bytes. The caller has put a bound on `length`.
///
/// # Errors
///
/// Those of [`Storage::read_at`]; what goes past the end is not allocated.
pub fn read_bytes(
    storage: &dyn Storage,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, StorageError> {
    check_range(storage, offset, length as u64)?;
    let mut bytes = vec![0; length];
    storage.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

/// Whether a range lies in a storage.
///
/// # Errors
///
/// [`StorageError::PastEnd`] if not.
pub fn check_range(storage: &dyn Storage, offset: u64, length: u64) -> Result<(), StorageError> {
    match offset.checked_add(length) {
        Some(end) if end <= storage.length() => Ok(()),
        _ => Err(StorageError::PastEnd { offset, length }),
    }
}

/// The largest file in bytes: what a signed 64-bit offset reaches in whole GiB.
/// qemu reads nothing behind it.
pub const MAX_LENGTH: u64 = 0x7fff_ffff_c000_0000;

/// Whether a range lies where files can be, be it in one or not. For qemu what is
/// missing at the end of a file reads as zeros, up to here.
#[must_use]
pub fn is_reachable(offset: u64, length: u64) -> bool {
    offset.checked_add(length).is_some_and(|end| end <= MAX_LENGTH)
}

/// A part of another storage, such as a header that an image carries inside.
pub struct Part {
    whole: Rc<dyn Storage>,
    start: u64,
    length: u64,
}

impl Part {
    /// The `length` bytes from `start` on.
    ///
    /// # Errors
    ///
    /// [`StorageError::PastEnd`] if they are not all there.
    pub fn new(whole: Rc<dyn Storage>, start: u64, length: u64) -> Result<Self, StorageError> {
        check_range(whole.as_ref(), start, length)?;
        Ok(Self { whole, start, length })
    }
}

impl Storage for Part {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        let length = buffer.len() as u64;
        check_range(self, offset, length)?;
        let past_end = StorageError::PastEnd { offset, length };
        self.whole.read_at(self.start.checked_add(offset).ok_or(past_end)?, buffer)
    }
}

impl core::fmt::Debug for Part {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Part({} bytes at {})", self.length, self.start)
    }
}

/// Bytes in memory are a storage: for tests, and for what has been decoded.
impl Storage for Vec<u8> {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        let past_end = StorageError::PastEnd { offset, length: buffer.len() as u64 };
        let start = usize::try_from(offset).map_err(|_| past_end)?;
        let bytes = self.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(past_end)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stay_inside() {
        let bytes: Vec<u8> = (0..10).collect();
        for (offset, length, expected) in [
            (0, 10, Some(0)),
            (9, 1, Some(9)),
            (10, 0, Some(0)),
            (9, 2, None),
            (11, 0, None),
            (u64::MAX, 1, None),
        ] {
            let read = read_bytes(&bytes, offset, length);
            match expected {
                Some(first) if length > 0 => assert_eq!(read.unwrap()[0], first),
                Some(_) => assert_eq!(read, Ok(vec![])),
                None => assert!(matches!(read, Err(StorageError::PastEnd { .. }))),
            }
        }
    }

    #[test]
    fn what_is_missing_of_a_structure_is_zeros() {
        let bytes: Vec<u8> = (1..=10).collect();
        for (offset, expected) in [
            (0, [1, 2, 3, 4]),
            (6, [7, 8, 9, 10]),
            (8, [9, 10, 0, 0]),
            (10, [0; 4]),
            (11, [0; 4]),
            (u64::MAX, [0; 4]),
        ] {
            assert_eq!(read_padded::<[u8; 4]>(&bytes, offset), Ok(expected), "{offset}");
        }
    }

    #[test]
    fn files_have_a_largest_length() {
        for (offset, length, expected) in [
            (0, 0, true),
            (0, MAX_LENGTH, true),
            (0, MAX_LENGTH + 1, false),
            (MAX_LENGTH - 1, 1, true),
            (MAX_LENGTH, 0, true),
            (MAX_LENGTH, 1, false),
            (u64::MAX, 1, false),
        ] {
            assert_eq!(is_reachable(offset, length), expected, "{length} at {offset}");
        }
    }

    #[test]
    fn a_part_ends_where_it_ends() {
        let whole: Rc<dyn Storage> = Rc::new((0..10).collect::<Vec<u8>>());
        let part = |start, length| Part::new(Rc::clone(&whole), start, length);
        let middle = part(3, 4).unwrap();
        assert_eq!(middle.length(), 4);
        assert_eq!(read_bytes(&middle, 0, 4).unwrap(), [3, 4, 5, 6]);
        for (offset, length) in [(0, 5), (4, 1), (u64::MAX, 1)] {
            assert!(read_bytes(&middle, offset, length).is_err(), "{length} at {offset}");
        }
        assert!(part(10, 0).is_ok());
        for (start, length) in [(0, 11), (7, 4), (11, 0), (u64::MAX, 1)] {
            assert!(part(start, length).is_err(), "{length} at {start}");
        }
    }

    #[test]
    fn a_length_beyond_the_file_allocates_nothing() {
        let bytes = vec![0; 10];
        assert!(read_bytes(&bytes, 0, usize::MAX).is_err());
    }
}
