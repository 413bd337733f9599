//! The binary header of version 2 (specification, "Binary Header").
//!
//! There are two copies. Behind each lie its metadata, a text in JSON, and one
//! checksum is over both.

use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};
use zerocopy::big_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::luks::error::quote;
use crate::luks::{LuksError, MAGIC};
use crate::storage::{self, Storage, StorageError};
use crate::text;

/// What the second copy starts with.
pub const SECONDARY_MAGIC: [u8; 6] = *b"SKUL\xba\xbe";

/// The version.
pub const VERSION: u16 = 2;

/// The size of the binary header in bytes, with zeros behind what is used of it.
/// The metadata follow.
pub const BINARY_SIZE: u64 = 4096;

/// The zeros, in bytes.
const REST_OF_PAGE: usize = 4096 - size_of::<Header>();

/// The sizes that header and metadata can have together, in bytes. The second
/// copy follows the first, so that these are also the places where it can be.
pub const SIZES: [u64; 9] =
    [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20];

/// The checksum that there is. The specification allows others, and cryptsetup
/// makes no others.
pub const CHECKSUM: &str = "sha256";

/// How much is read at a time, in bytes.
const CHUNK: usize = 32 << 10;

/// The binary header.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`], or [`SECONDARY_MAGIC`].
    pub magic: [u8; 6],
    /// [`VERSION`].
    pub version: U16,
    /// The size of header and metadata in bytes, one of [`SIZES`].
    pub size: U64,
    /// Counts changes: the copy with the higher number is the one that counts.
    pub sequence: U64,
    /// The volume's label, possibly empty.
    pub label: [u8; 48],
    /// [`CHECKSUM`].
    pub checksum_algorithm: [u8; 32],
    /// Makes the checksums of the copies differ.
    pub salt: [u8; 64],
    /// The volume's id, as text.
    pub uuid: [u8; 40],
    /// Another label, possibly empty.
    pub subsystem: [u8; 48],
    /// Where this copy is, in bytes.
    pub offset: U64,
    /// Zeros.
    pub padding: [u8; 184],
    /// The checksum, with zeros behind it.
    pub checksum: [u8; 64],
}

/// What comes of looking at a copy: it can be read or it cannot (outside), and then
/// it is valid or it is not (inside).
pub type Attempt<T> = Result<Result<T, LuksError>, StorageError>;

impl Header {
    /// Reads the binary header of the copy at `offset`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not one.
    pub fn read(storage: &dyn Storage, offset: u64) -> Attempt<Self> {
        if storage::check_range(storage, offset, BINARY_SIZE).is_err() {
            return Ok(Err(LuksError::HeaderPastEnd { offset, size: BINARY_SIZE }));
        }
        let header: Self = storage::read_struct(storage, offset)?;
        Ok(header.check(offset).map(|()| header))
    }

    fn check(&self, offset: u64) -> Result<(), LuksError> {
        let magic = if offset == 0 { MAGIC } else { SECONDARY_MAGIC };
        if self.magic != magic || self.version.get() != VERSION {
            return Err(LuksError::NoHeader { offset });
        }
        let said = self.offset.get();
        if said != offset {
            return Err(LuksError::HeaderMoved { said, offset });
        }
        let size = self.size.get();
        if !SIZES.contains(&size) || (offset != 0 && offset != size) {
            return Err(LuksError::HeaderSize { size });
        }
        let algorithm = text::until_nul(&self.checksum_algorithm);
        if algorithm != CHECKSUM.as_bytes() {
            return Err(LuksError::UnknownChecksum { name: quote(algorithm) });
        }
        Ok(())
    }

    /// Reads the metadata that belong to it: a text up to a zero.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or the checksum over both is wrong.
    pub fn metadata(&self, storage: &dyn Storage) -> Attempt<Vec<u8>> {
        let (offset, size) = (self.offset.get(), self.size.get());
        if storage::check_range(storage, offset, size).is_err() {
            return Ok(Err(LuksError::HeaderPastEnd { offset, size }));
        }
        let mut hash = Sha256::new();
        hash.update(Self { checksum: [0; 64], ..self.clone() }.as_bytes());
        // Larger than the rest of the page by its size.
        let mut chunk = vec![0; usize::try_from(size).unwrap_or(CHUNK).min(CHUNK)];
        let rest = chunk.get_mut(..REST_OF_PAGE).unwrap_or_default();
        storage.read_at(offset.saturating_add(size_of::<Self>() as u64), rest)?;
        hash.update(&*rest);
        let mut reading = Text { text: Vec::new(), end: false, zeros: true };
        let mut done = BINARY_SIZE;
        while done < size {
            let left = usize::try_from(size.saturating_sub(done)).unwrap_or(CHUNK);
            let left = left.min(chunk.len());
            let bytes = chunk.get_mut(..left).unwrap_or_default();
            storage.read_at(offset.saturating_add(done), bytes)?;
            hash.update(&*bytes);
            reading.take(bytes);
            done = done.saturating_add(bytes.len() as u64);
        }
        Ok(if !self.checksum.starts_with(&hash.finalize()) {
            Err(LuksError::WrongChecksum)
        } else if !reading.end || !reading.zeros {
            Err(LuksError::MetadataEnd)
        } else {
            Ok(reading.text)
        })
    }
}

/// A text that is being read, with zeros behind it.
struct Text {
    text: Vec<u8>,
    /// Whether its end was found.
    end: bool,
    /// Whether only zeros follow.
    zeros: bool,
}

impl Text {
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if !self.end {
            let text = text::until_nul(bytes);
            self.text.extend_from_slice(text);
            rest = bytes.get(text.len()..).unwrap_or_default();
            self.end = !rest.is_empty();
        }
        self.zeros &= rest.iter().all(|byte| *byte == 0);
    }
}

#[cfg(test)]
mod tests;
