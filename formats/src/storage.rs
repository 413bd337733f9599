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
    /// The length in bytes. A file whose bytes arrive over time has one once it has ended.
    fn length(&self) -> u64;

    /// How many bytes are known to be there: `wanted` at the least, unless it ends before
    /// that, and then it is the length. Who only needs to know whether a range is there asks
    /// this, so that nobody waits for the end of a file whose bytes arrive over time.
    fn reach(&self, wanted: u64) -> u64 {
        let _ = wanted;
        self.length()
    }

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
    read_at_padded(storage, offset, value.as_mut_bytes())?;
    Ok(value)
}

/// Fills a buffer with the bytes from `offset` on, and with zeros behind the end of
/// the storage.
///
/// # Errors
///
/// [`StorageError::InputOutput`] if they cannot be read.
pub fn read_at_padded(
    storage: &dyn Storage,
    offset: u64,
    buffer: &mut [u8],
) -> Result<(), StorageError> {
    let wanted = offset.saturating_add(buffer.len() as u64);
    let there = storage.reach(wanted).saturating_sub(offset);
    let there = usize::try_from(there).map_or(buffer.len(), |there| there.min(buffer.len()));
    let (there, missing) = buffer.split_at_mut_checked(there).unwrap_or_default();
    missing.fill(0);
    if there.is_empty() { Ok(()) } else { storage.read_at(offset, there) }
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

/// How much [`visit_pieces`] reads at a time, in bytes: whole entries of any table
/// whose entries have a power of two, and too much for a cache to keep.
pub const PIECE: u64 = 64 << 10;

/// Hands out bytes by pieces, each but the last of [`PIECE`] bytes. The caller has
/// put a bound on `length`; what is in memory does not depend on it.
///
/// # Errors
///
/// Those of [`Storage::read_at`], and the visitor's.
pub fn visit_pieces<E: From<StorageError>>(
    storage: &dyn Storage,
    offset: u64,
    length: u64,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    check_range(storage, offset, length)?;
    let mut done = 0;
    while done < length {
        let piece = length.saturating_sub(done).min(PIECE);
        let mut bytes = vec![0; usize::try_from(piece).unwrap_or(0)];
        storage.read_at(offset.saturating_add(done), &mut bytes)?;
        visit(&bytes)?;
        done = done.saturating_add(piece);
    }
    Ok(())
}

/// Whether a range lies in a storage.
///
/// # Errors
///
/// [`StorageError::PastEnd`] if not.
pub fn check_range(storage: &dyn Storage, offset: u64, length: u64) -> Result<(), StorageError> {
    match offset.checked_add(length) {
        Some(end) if end <= storage.reach(end) => Ok(()),
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

/// A file in whole sectors, as qemu-img sees every file: what is missing of the
/// last sector reads as zeros.
pub struct WholeSectors(Rc<dyn Storage>);

/// The size of a sector in bytes.
const SECTOR: u64 = 512;

/// The length of a file in whole sectors, in bytes.
#[must_use]
pub fn length_in_sectors(file: &dyn Storage) -> u64 {
    in_sectors(file.length())
}

fn in_sectors(length: u64) -> u64 {
    length.checked_next_multiple_of(SECTOR).unwrap_or(u64::MAX)
}

impl WholeSectors {
    /// The file.
    #[must_use]
    pub fn new(file: Rc<dyn Storage>) -> Self {
        Self(file)
    }
}

impl Storage for WholeSectors {
    fn length(&self) -> u64 {
        length_in_sectors(self.0.as_ref())
    }

    fn reach(&self, wanted: u64) -> u64 {
        in_sectors(self.0.reach(wanted))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        check_range(self, offset, buffer.len() as u64)?;
        read_at_padded(self.0.as_ref(), offset, buffer)
    }
}

impl core::fmt::Debug for WholeSectors {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "WholeSectors({} bytes or more)", self.reach(0))
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
    fn pieces_are_the_whole() {
        let piece = usize::try_from(PIECE).unwrap();
        let bytes: Vec<u8> = (0..2 * piece + 20).map(|index| index.to_le_bytes()[0]).collect();
        for (offset, length, pieces) in [
            (0, 0, 0),
            (7, 1, 1),
            (1, piece, 1),
            (2, piece + 1, 2),
            (3, 2 * piece, 2),
            (0, 2 * piece + 20, 3),
        ] {
            let mut found: Vec<Vec<u8>> = Vec::new();
            let visited = visit_pieces(&bytes, offset as u64, length as u64, &mut |bytes| {
                found.push(bytes.to_vec());
                Ok::<(), StorageError>(())
            });
            assert_eq!((visited, found.len()), (Ok(()), pieces));
            assert_eq!(found.concat(), bytes[offset..offset + length]);
        }
        for (offset, length) in [(0, 2 * PIECE + 21), (1, 2 * PIECE + 20), (u64::MAX, 1)] {
            let visited = visit_pieces(&bytes, offset, length, &mut |_| panic!("{length}"));
            assert!(matches!(visited, Err(StorageError::PastEnd { .. })));
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
    fn the_last_sector_is_filled_up_with_zeros() {
        let read = |length: usize, offset, count: usize| {
            let file = WholeSectors::new(Rc::new(vec![7; length]));
            (file.length(), read_bytes(&file, offset, count).ok())
        };
        for (length, offset, count, expected) in [
            (0, 0, 0, (0, Some(vec![]))),
            (0, 0, 1, (0, None)),
            (1, 0, 3, (512, Some(vec![7, 0, 0]))),
            (1, 511, 1, (512, Some(vec![0]))),
            (1, 511, 2, (512, None)),
            (511, 510, 2, (512, Some(vec![7, 0]))),
            (512, 510, 2, (512, Some(vec![7, 7]))),
            (512, 511, 2, (512, None)),
            (512, 512, 0, (512, Some(vec![]))),
            (513, 512, 2, (1024, Some(vec![7, 0]))),
            (513, 1024, 1, (1024, None)),
            (513, u64::MAX, 1, (1024, None)),
        ] {
            assert_eq!(read(length, offset, count), expected, "{count} at {offset} of {length}");
        }
    }

    #[test]
    fn a_length_beyond_the_file_allocates_nothing() {
        let bytes = vec![0; 10];
        assert!(read_bytes(&bytes, 0, usize::MAX).is_err());
    }
}
