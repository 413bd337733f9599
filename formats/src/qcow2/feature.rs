//! Features of an image, and their names (specification, "Header", "Feature name
//! table").

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bitflags::bitflags;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::Qcow2Error;
use super::extension::{self, Extensions};
use super::header::Header;
use crate::storage::Storage;
use crate::text::until_nul;

bitflags! {
    /// Features that one must know to read an image.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Incompatible: u64 {
        /// Reference counts may be wrong: the image was not closed.
        const DIRTY = 1;
        /// Any structure may be damaged.
        const CORRUPT = 1 << 1;
        /// The data is in another file.
        const DATA_FILE = 1 << 2;
        /// Compressed clusters are not compressed with Deflate.
        const COMPRESSION = 1 << 3;
        /// Clusters have subclusters.
        const EXTENDED_L2 = 1 << 4;
    }

    /// Features that need not be known.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Compatible: u64 {
        /// Reference counts may be written late, while the image is marked dirty.
        const LAZY_REFCOUNTS = 1;
    }

    /// Features that are lost when somebody writes who does not know them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Autoclear: u64 {
        /// The list of bitmaps is up to date.
        const BITMAPS = 1;
        /// The file with the data can be read as a raw image.
        const RAW_DATA_FILE = 1 << 1;
    }
}

/// The features of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Those that one must know. Every bit is kept, as in the other two.
    pub incompatible: Incompatible,
    /// Those that need not be known.
    pub compatible: Compatible,
    /// Those that are easily lost.
    pub autoclear: Autoclear,
}

/// An entry of the feature name table.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Name {
    /// Which kind of features it is in: [`Name::INCOMPATIBLE`] or another.
    pub kind: u8,
    /// The number of its bit.
    pub bit: u8,
    /// Its name, up to a NUL if there is one.
    pub name: [u8; 46],
}

impl Name {
    /// The kind of a feature that one must know.
    pub const INCOMPATIBLE: u8 = 0;

    /// The kind of a feature that need not be known.
    pub const COMPATIBLE: u8 = 1;

    /// The kind of a feature that is easily lost.
    pub const AUTOCLEAR: u8 = 2;

    /// Its bit in the field of its kind.
    fn mask(&self) -> u64 {
        1_u64.checked_shl(self.bit.into()).unwrap_or(0)
    }
}

impl Features {
    /// The features of version 2: none.
    pub const NONE: Self = Self {
        incompatible: Incompatible::empty(),
        compatible: Compatible::empty(),
        autoclear: Autoclear::empty(),
    };

    /// The features that a header of version 3 has.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        Self {
            incompatible: Incompatible::from_bits_retain(header.incompatible.get()),
            compatible: Compatible::from_bits_retain(header.compatible.get()),
            autoclear: Autoclear::from_bits_retain(header.autoclear.get()),
        }
    }

    /// Whether all features are known that must be. The names of others are in the
    /// image, where its header extensions are.
    ///
    /// # Errors
    ///
    /// If there are others.
    pub fn check(&self, storage: &dyn Storage, extensions: Range<u64>) -> Result<(), Qcow2Error> {
        let unknown = self.incompatible.difference(Incompatible::all()).bits();
        if unknown == 0 {
            return Ok(());
        }
        Err(Qcow2Error::UnsupportedFeatures { features: names(storage, extensions, unknown) })
    }
}

/// The names of incompatible features, and the bits of those that have none. What
/// else is wrong with the image does not matter any more.
fn names(storage: &dyn Storage, extensions: Range<u64>, mut unknown: u64) -> String {
    let mut names = Vec::new();
    let tables = Extensions::new(storage, extensions).map_while(Result::ok);
    if let Some(table) = tables.filter(|it| it.kind == extension::FEATURE_NAMES).last() {
        for entry in entries(storage, table.data()) {
            if entry.kind == Name::INCOMPATIBLE && unknown & entry.mask() != 0 {
                names.push(String::from_utf8_lossy(until_nul(&entry.name)).into_owned());
                unknown &= !entry.mask();
            }
        }
    }
    if unknown != 0 {
        names.push(format!("Unknown incompatible feature: {unknown:x}"));
    }
    names.join(", ")
}

/// The entries of a feature name table, up to one without a name. What is missing
/// of the last one is zeros.
fn entries(storage: &dyn Storage, table: Range<u64>) -> impl Iterator<Item = Name> {
    let end = table.end;
    let entries = table.step_by(size_of::<Name>()).map_while(move |place| {
        let left = usize::try_from(end.saturating_sub(place)).ok()?;
        let mut entry = Name::new_zeroed();
        let bytes = entry.as_mut_bytes();
        let there = left.min(bytes.len());
        storage.read_at(place, bytes.get_mut(..there)?).ok()?;
        Some(entry)
    });
    entries.take_while(|entry| !until_nul(&entry.name).is_empty())
}

#[cfg(test)]
mod tests;
