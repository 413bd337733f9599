//! Header extensions (specification, "Header extensions"): what is between the
//! header and the name of the backing file or the end of the first cluster.

use alloc::vec::Vec;
use core::ops::Range;

use zerocopy::big_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Qcow2Error;
use super::bitmap::{self, Directory};
use super::encryption::{Method, Pointer};
use super::feature::Autoclear;
use super::layout::Layout;
use super::table::Table;
use crate::error::Error;
use crate::storage::{self, Storage, StorageError};
use crate::text::until_nul;

/// There are no more.
pub const END: u32 = 0;
/// The name of the format of the backing file.
pub const BACKING_FORMAT: u32 = 0xe279_2aca;
/// The feature name table.
pub const FEATURE_NAMES: u32 = 0x6803_f857;
/// Where the bitmaps are.
pub const BITMAPS: u32 = 0x2385_2875;
/// Where the LUKS header is.
pub const ENCRYPTION: u32 = 0x0537_be77;
/// The name of the file with the data.
pub const DATA_FILE: u32 = 0x4441_5441;

/// The longest name of a format in bytes, as with qemu-img.
pub const MAX_FORMAT_NAME: u32 = 15;

/// The longest name of a file with the data, in bytes: as long as a file name can
/// be on Linux.
pub const MAX_DATA_FILE_NAME: usize = 4095;

/// The unit of the length of an extension, in bytes.
const ALIGNMENT: u64 = 8;

/// What an extension starts with.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Head {
    kind: U32,
    /// The length of the data that follows, in bytes.
    length: U32,
}

/// An extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What it is: [`BACKING_FORMAT`] or another.
    pub kind: u32,
    /// Where its data starts, in bytes.
    pub offset: u64,
    /// The length of its data in bytes.
    pub length: u32,
}

impl Extension {
    /// Where its data is.
    #[must_use]
    pub fn data(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.length.into())
    }

    /// The first bytes of its data, at most so many.
    fn start(&self, storage: &dyn Storage, length: usize) -> Result<Vec<u8>, StorageError> {
        let length = usize::try_from(self.length).map_or(length, |all| all.min(length));
        storage::read_bytes(storage, self.offset, length)
    }
}

/// Takes one extension after the other out of a part of the first cluster. As all
/// of them are in that, they are no more than fit into 2 MiB.
pub struct Extensions<'a> {
    storage: &'a dyn Storage,
    left: Range<u64>,
}

impl<'a> Extensions<'a> {
    /// The extensions in a part of the file.
    #[must_use]
    pub fn new(storage: &'a dyn Storage, place: Range<u64>) -> Self {
        Self { storage, left: place }
    }

    fn read(&mut self) -> Result<Option<Extension>, Error> {
        let Range { start, end } = self.left;
        let head: Head = storage::read_struct(self.storage, start)?;
        let (kind, length) = (head.kind.get(), head.length.get());
        let offset = start.saturating_add(size_of::<Head>() as u64);
        let extension = Extension { kind, offset, length };
        if extension.data().end > end {
            return Err(Qcow2Error::ExtensionTooLarge.into());
        }
        self.left.start = extension.data().end.next_multiple_of(ALIGNMENT);
        Ok((kind != END).then_some(extension))
    }
}

impl Iterator for Extensions<'_> {
    type Item = Result<Extension, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = if self.left.is_empty() { None } else { self.read().transpose() };
        if !matches!(next, Some(Ok(_))) {
            self.left.start = self.left.end;
        }
        next
    }
}

impl core::fmt::Debug for Extensions<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Extensions({:?})", self.left)
    }
}

/// What all extensions together say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// The name of the format of the backing file.
    pub backing_format: Option<Vec<u8>>,
    /// The name of the file with the data, possibly empty.
    pub data_file: Option<Vec<u8>>,
    /// The bitmaps, if their list is up to date.
    pub bitmaps: Option<Directory>,
    /// Where the LUKS header is.
    pub luks_header: Option<Table>,
    /// Whether there are others.
    pub has_unknown: bool,
}

impl Extra {
    /// Reads all extensions. Unknown ones are skipped.
    ///
    /// # Errors
    ///
    /// If one is damaged or says what cannot be.
    pub fn read(storage: &dyn Storage, layout: &Layout) -> Result<Self, Error> {
        let mut extra = Self::default();
        for extension in Extensions::new(storage, layout.extensions.clone()) {
            extra.add(storage, layout, &extension?)?;
        }
        Ok(extra)
    }

    fn add(
        &mut self,
        storage: &dyn Storage,
        layout: &Layout,
        extension: &Extension,
    ) -> Result<(), Error> {
        match extension.kind {
            BACKING_FORMAT => self.backing_format = Some(format_name(storage, extension)?),
            DATA_FILE => self.data_file = Some(data_file_name(storage, extension)?),
            BITMAPS => self.bitmaps = bitmaps(storage, layout, extension)?,
            ENCRYPTION => self.luks_header = Some(luks_header(storage, layout, extension)?),
            FEATURE_NAMES => {}
            _ => self.has_unknown = true,
        }
        Ok(())
    }
}

fn format_name(storage: &dyn Storage, extension: &Extension) -> Result<Vec<u8>, Error> {
    let Extension { length, .. } = *extension;
    if length > MAX_FORMAT_NAME {
        return Err(Qcow2Error::BackingFormatTooLong { length }.into());
    }
    let name = extension.start(storage, MAX_FORMAT_NAME as usize)?;
    Ok(until_nul(&name).to_vec())
}

fn data_file_name(storage: &dyn Storage, extension: &Extension) -> Result<Vec<u8>, Error> {
    let name = extension.start(storage, MAX_DATA_FILE_NAME.saturating_add(1))?;
    let name = until_nul(&name);
    if name.len() > MAX_DATA_FILE_NAME {
        return Err(Qcow2Error::DataFileNameTooLong { limit: MAX_DATA_FILE_NAME }.into());
    }
    Ok(name.to_vec())
}

/// The bitmaps. If somebody wrote to the image who did not know them, they are
/// worth nothing.
fn bitmaps(
    storage: &dyn Storage,
    layout: &Layout,
    extension: &Extension,
) -> Result<Option<Directory>, Error> {
    if extension.length as usize != size_of::<bitmap::Extension>() {
        return Err(Qcow2Error::BitmapsExtensionLength.into());
    }
    if !layout.features.autoclear.contains(Autoclear::BITMAPS) {
        return Ok(None);
    }
    let extension: bitmap::Extension = storage::read_struct(storage, extension.offset)?;
    Ok(Some(extension.checked(layout.cluster_size)?))
}

fn luks_header(
    storage: &dyn Storage,
    layout: &Layout,
    extension: &Extension,
) -> Result<Table, Error> {
    if layout.encryption != Some(Method::Luks) {
        return Err(Qcow2Error::UnexpectedEncryptionHeader.into());
    }
    let (length, expected) = (extension.length, size_of::<Pointer>());
    if length as usize != expected {
        return Err(Qcow2Error::EncryptionHeaderExtensionLength { length, expected }.into());
    }
    let pointer: Pointer = storage::read_struct(storage, extension.offset)?;
    Ok(pointer.checked(layout.cluster_size)?)
}

#[cfg(test)]
mod tests;
