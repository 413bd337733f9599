//! Persistent bitmaps (specification, "Bitmaps"). The bitmap directory has one entry
//! after the other, each as long as its name makes it. Only the list is read, not
//! what is in the bitmaps.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use bitflags::bitflags;
use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Qcow2Error;
use super::error::quote;
use super::layout::Layout;
use super::table::check_inside;
use crate::error::Error;
use crate::image::{Bitmap, Part, Visitor};
use crate::storage::{self, Storage};
use crate::text::until_nul;

/// The most bitmaps, as with qemu-img.
pub const MAX_BITMAPS: u32 = 65_535;

/// The longest directory in bytes: 1 KiB for each bitmap.
pub const MAX_DIRECTORY: u64 = MAX_BITMAPS as u64 * 1024;

/// The most bytes that a bitmap can have in the file, as with qemu-img.
pub const MAX_SIZE: u64 = 512 << 20;

/// Bytes of the disk that a bit stands for, as a power of two: 512 to 2 GiB.
pub const GRANULARITY_BITS: RangeInclusive<u8> = 9..=31;

/// The longest name in bytes.
pub const MAX_NAME: u16 = 1023;

/// The type of a bitmap that says what has been written to. There is no other.
const DIRTY_TRACKING: u8 = 1;

/// The unit of the length of an entry, in bytes.
const ALIGNMENT: u64 = 8;

/// The header extension that says where the directory is.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Extension {
    /// How many bitmaps there are.
    pub count: U32,
    /// Zero.
    pub reserved: U32,
    /// The length of the directory in bytes.
    pub directory_length: U64,
    /// Where it is, in bytes.
    pub directory_offset: U64,
}

/// What an entry of the directory starts with. Extra data and the name follow.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Entry {
    /// Where the bitmap table is, in bytes. It finds the clusters of the bitmap.
    pub table_offset: U64,
    /// Its entries.
    pub table_entries: U32,
    /// [`Flags`].
    pub flags: U32,
    /// 1.
    pub kind: u8,
    /// Bytes of the disk that a bit stands for, as a power of two.
    pub granularity_bits: u8,
    /// The length of the name in bytes.
    pub name_length: U16,
    /// The length of the extra data in bytes.
    pub extra_length: U32,
}

/// The size of [`Entry`] in bytes.
const ENTRY_SIZE: u64 = size_of::<Entry>() as u64;

bitflags! {
    /// Flags of a bitmap.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// It was not saved properly, so it says nothing.
        const IN_USE = 1;
        /// It is to be enabled when the image is opened.
        const AUTO = 1 << 1;
    }
}

/// Where the bitmaps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where the directory starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// How many bitmaps there are.
    pub count: u32,
}

impl Extension {
    /// Where the bitmaps are.
    ///
    /// # Errors
    ///
    /// If they are too many, or none, or cannot be there.
    pub fn checked(&self, cluster_size: u64) -> Result<Directory, Qcow2Error> {
        let (count, offset) = (self.count.get(), self.directory_offset.get());
        let length = self.directory_length.get();
        if self.reserved.get() != 0 {
            Err(Qcow2Error::BitmapsReserved)
        } else if count > MAX_BITMAPS {
            Err(Qcow2Error::TooManyBitmaps { count, limit: MAX_BITMAPS })
        } else if count == 0 {
            Err(Qcow2Error::NoBitmaps)
        } else if !offset.is_multiple_of(cluster_size) {
            Err(Qcow2Error::BitmapDirectoryOffset)
        } else if length > MAX_DIRECTORY {
            Err(Qcow2Error::BitmapDirectoryTooLong { length, limit: MAX_DIRECTORY })
        } else {
            Ok(Directory { offset, length, count })
        }
    }
}

impl Directory {
    /// Hands out all bitmaps, reading as it goes. Checks are in the order of
    /// qemu-img, whose messages they have.
    ///
    /// # Errors
    ///
    /// If the directory is damaged or cannot be read, or the visitor wants no more.
    pub fn visit(
        &self,
        storage: &dyn Storage,
        layout: &Layout,
        visit: &mut Visitor<'_>,
    ) -> Result<(), Error> {
        if self.length == 0 {
            return Err(Qcow2Error::BitmapDirectoryEmpty.into());
        }
        check_inside(storage, "bitmap directory", self.offset, self.length)?;
        // The directory is in the file, and so is an end that follows from it.
        let end = self.offset.saturating_add(self.length);
        let mut place = self.offset;
        let mut count = 0_u32;
        while place < end {
            let left = end.saturating_sub(place);
            if left < ENTRY_SIZE {
                return Err(Qcow2Error::BrokenBitmapDirectory.into());
            }
            count = count.saturating_add(1);
            if count > self.count {
                return Err(Qcow2Error::MoreBitmaps.into());
            }
            let entry: Entry = storage::read_struct(storage, place)?;
            if entry.length() > left {
                return Err(Qcow2Error::BrokenBitmapDirectory.into());
            }
            let name = entry.name(storage, place)?;
            visit(Part::Bitmap(entry.checked(name, layout)?))?;
            place = place.saturating_add(entry.length());
        }
        if count < self.count { Err(Qcow2Error::FewerBitmaps.into()) } else { Ok(()) }
    }
}

impl Entry {
    /// The length of the entry with what follows, in bytes.
    fn length(&self) -> u64 {
        let length = ENTRY_SIZE.saturating_add(self.extra_length.get().into());
        length.saturating_add(self.name_length.get().into()).next_multiple_of(ALIGNMENT)
    }

    /// The name of the bitmap whose entry is at a place, without what makes it too
    /// long.
    fn name(&self, storage: &dyn Storage, place: u64) -> Result<Vec<u8>, Error> {
        let offset = place.saturating_add(ENTRY_SIZE);
        let offset = offset.saturating_add(self.extra_length.get().into());
        let length = self.name_length.get().min(MAX_NAME);
        let name = storage::read_bytes(storage, offset, length.into())?;
        Ok(until_nul(&name).to_vec())
    }

    /// The bitmap, if there can be such a one.
    fn checked(&self, name: Vec<u8>, layout: &Layout) -> Result<Bitmap, Qcow2Error> {
        if self.extra_length.get() != 0 {
            return Err(Qcow2Error::BitmapExtra);
        }
        let flags = Flags::from_bits_retain(self.flags.get());
        let offset = self.table_offset.get();
        let size = u64::from(self.table_entries.get()).saturating_mul(layout.cluster_size);
        let granularity = 1_u64.checked_shl(self.granularity_bits.into()).unwrap_or(0);
        let covered = size.saturating_mul(8).saturating_mul(granularity);
        let valid = size != 0
            && size <= MAX_SIZE
            && offset != 0
            && offset.is_multiple_of(layout.cluster_size)
            && GRANULARITY_BITS.contains(&self.granularity_bits)
            && Flags::all().contains(flags)
            && self.name_length.get() <= MAX_NAME
            && self.kind == DIRTY_TRACKING
            // One that was not saved properly may be too small for the disk.
            && (flags.contains(Flags::IN_USE) || layout.virtual_size <= covered);
        if !valid {
            return Err(Qcow2Error::InvalidBitmap { name: quote(&name) });
        }
        Ok(Bitmap {
            name,
            granularity,
            in_use: flags.contains(Flags::IN_USE),
            auto: flags.contains(Flags::AUTO),
        })
    }
}

#[cfg(test)]
mod tests;
