//! The log (specification, section 2.3): changes of metadata that may not have
//! reached their places.
//!
//! It is a ring of sectors, in which entries follow each other. Each has changes
//! that belong together, and a checksum over all of it, so that one that was not
//! written to its end does not count. A reader that may not write shows the file
//! as it would be with the changes in their places.
//!
//! Reading order: [`ring`], [`entry`], [`sequence`] (which entries count), then
//! [`overlay`] (the file with the changes).

pub mod entry;
pub mod overlay;
pub mod ring;
pub mod sequence;

use alloc::rc::Rc;

use super::header::Header;
use super::{MIB, VhdxError};
use crate::error::Error;
use crate::guid::Guid;
use crate::storage::{Storage, check_range};
use overlay::Overlay;
use ring::Ring;
use sequence::Sequence;

/// The longest log that is replayed, in bytes: 64 times what Hyper-V and qemu
/// write. How long it is says how much must be read and kept.
pub const MAX_LENGTH: u32 = 64 << 20;

/// A file as it is with the changes of its log.
pub enum File {
    /// There are none.
    Clean(Rc<dyn Storage>),
    /// There are some.
    Changed(Rc<Overlay>),
}

impl File {
    /// Its bytes.
    #[must_use]
    pub fn storage(&self) -> &dyn Storage {
        match self {
            Self::Clean(file) => file.as_ref(),
            Self::Changed(overlay) => overlay.as_ref(),
        }
    }
}

impl core::fmt::Debug for File {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Clean(file) => write!(formatter, "Clean({} bytes)", file.length()),
            Self::Changed(overlay) => overlay.fmt(formatter),
        }
    }
}

/// A file as it is with the changes of its log. Checks are in the order of
/// qemu-img.
///
/// # Errors
///
/// If the log is where none can be, has another version, or is too long; or if
/// the file has become shorter since it was written.
pub fn replayed(file: Rc<dyn Storage>, header: &Header) -> Result<File, Error> {
    let (offset, length) = (header.log_offset.get(), header.log_length.get());
    if offset < MIB || !offset.is_multiple_of(MIB) {
        return Err(VhdxError::InvalidLogPlace.into());
    }
    if header.log_version.get() != 0 {
        return Err(VhdxError::UnsupportedLogVersion.into());
    }
    if header.log_id == Guid::ZERO || length == 0 {
        return Ok(File::Clean(file));
    }
    if !u64::from(length).is_multiple_of(MIB) {
        return Err(VhdxError::InvalidLogPlace.into());
    }
    if length > MAX_LENGTH {
        return Err(VhdxError::LogTooLong { limit: MAX_LENGTH }.into());
    }
    let outside = |_| VhdxError::OutsideFile { what: "log", offset, length: u64::from(length) };
    check_range(file.as_ref(), offset, length.into()).map_err(outside)?;
    let mut ring = Ring::new(Rc::clone(&file), offset, length);
    match Sequence::active(&mut ring, header.log_id)? {
        // Without an entry that counts there is nothing to change. (The
        // specification has such a file damaged, qemu does not.)
        None => Ok(File::Clean(file)),
        Some(sequence) => Ok(File::Changed(Rc::new(Overlay::new(file, &mut ring, &sequence)?))),
    }
}

#[cfg(test)]
mod tests;
