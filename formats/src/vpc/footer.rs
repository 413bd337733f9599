//! The footer (specification, "Hard Disk Footer Format"): what every disk has.

use core::mem::size_of;

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::geometry::Geometry;
use super::{SECTOR, VpcError};
use crate::error::Error;
use crate::guid::Guid;
use crate::storage::{Storage, StorageError, length_in_sectors, read_padded};

/// What a footer starts with.
pub const COOKIE: [u8; 8] = *b"conectix";

/// The largest disk in sectors: 2040 GiB. Sectors of the file have numbers of 32
/// bits, and some are left for what is not data.
pub const MAX_SECTORS: u64 = 0xff00_0000;

/// Programs whose disks are as large as their geometry says. They round the size
/// in the footer, or did not write it down exactly.
const SIZED_BY_GEOMETRY: [[u8; 4]; 2] = [*b"vpc ", *b"qemu"];

/// The last 512 bytes of a file, and for other than fixed disks the first as
/// well.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Footer {
    /// [`COOKIE`].
    pub cookie: [u8; 8],
    /// Bit 0 is set for disks that may be deleted, bit 1 always.
    pub features: U32,
    /// 0x00010000.
    pub version: U32,
    /// Where the dynamic header is in bytes, all ones for fixed disks.
    pub data_offset: U64,
    /// When the disk was made, in seconds since the start of 2000 (UTC).
    pub timestamp: U32,
    /// The program that made it: `vpc `, `win ` and so on.
    pub creator: [u8; 4],
    /// The version of that program.
    pub creator_version: U32,
    /// The system that it ran on: `Wi2k` or `Mac `.
    pub creator_system: [u8; 4],
    /// The size of the disk when it was made, in bytes.
    pub original_size: U64,
    /// The size of the disk in bytes.
    pub current_size: U64,
    /// Its geometry.
    pub geometry: Geometry,
    /// [`Footer::FIXED`] and so on.
    pub disk_type: U32,
    /// Of this structure; see [`Footer::sum`].
    pub checksum: U32,
    /// The disk's id. A differencing disk has its parent's in its header.
    pub id: Guid,
    /// 1 if a machine was saved while it had the disk.
    pub saved_state: u8,
    /// Zeros.
    pub reserved: [u8; 427],
}

impl Footer {
    /// The type of a fixed disk.
    pub const FIXED: u32 = 2;
    /// The type of a dynamic disk.
    pub const DYNAMIC: u32 = 3;
    /// The type of a differencing disk.
    pub const DIFFERENCING: u32 = 4;

    /// The footer of a file that can be nothing but a fixed disk: everything is
    /// right, and the disk fills the file up to the footer.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn of_fixed_disk(storage: &dyn Storage) -> Result<Option<Self>, StorageError> {
        let Some(place) = Self::place_at_end(storage) else { return Ok(None) };
        let footer: Self = read_padded(storage, place)?;
        let fits = footer.is_of_fixed_disk()
            && footer.has_right_checksum()
            && footer.current_size.get() == place;
        Ok(Some(footer).filter(|_| fits))
    }

    /// Finds the footer, or its copy at the start of the file, as qemu-img does.
    ///
    /// # Errors
    ///
    /// If there is none, or it is damaged.
    pub fn find(storage: &dyn Storage) -> Result<Found, Error> {
        let start: Self = read_padded(storage, 0)?;
        let (footer, at_start) = if start.cookie == COOKIE {
            (start, true)
        } else {
            let place = Self::place_at_end(storage).ok_or(VpcError::TooSmall)?;
            (read_padded(storage, place)?, false)
        };
        if !at_start && !footer.is_of_fixed_disk() {
            return Err(VpcError::NoFooter.into());
        }
        if !footer.has_right_checksum() {
            return Err(VpcError::WrongChecksum.into());
        }
        Ok(Found { footer, at_start })
    }

    /// Where the footer at the end of a file starts, in bytes. Early versions of
    /// Virtual PC wrote 511 of its bytes.
    fn place_at_end(storage: &dyn Storage) -> Option<u64> {
        length_in_sectors(storage).checked_sub(SECTOR)
    }

    fn is_of_fixed_disk(&self) -> bool {
        self.cookie == COOKIE && self.disk_type.get() == Self::FIXED
    }

    fn has_right_checksum(&self) -> bool {
        self.sum() == self.checksum.get()
    }

    /// The checksum that the footer should have: the complement of the sum of its
    /// bytes, among which those of the checksum count as zeros.
    #[must_use]
    pub fn sum(&self) -> u32 {
        sum(Self { checksum: U32::ZERO, ..self.clone() }.as_bytes())
    }

    /// Whether the disk has so many sectors because of its geometry, and would have as many
    /// if it were made once more.
    #[must_use]
    pub fn is_sized_by_geometry(&self, sectors: u64) -> bool {
        let geometry = Geometry::with_room_for(sectors);
        SIZED_BY_GEOMETRY.contains(&self.creator)
            && (geometry == Geometry::MAX || geometry.disk_sectors() == sectors)
    }

    /// The size of the disk in sectors.
    ///
    /// Programs disagree on what says it. As in qemu since version 10, some are
    /// known to go by the geometry, and the others go by the size.
    ///
    /// # Errors
    ///
    /// If no disk can be that large.
    pub fn disk_sectors(&self) -> Result<u64, VpcError> {
        let by_geometry = SIZED_BY_GEOMETRY.contains(&self.creator);
        let sectors = if by_geometry && self.geometry != Geometry::MAX {
            self.geometry.disk_sectors()
        } else {
            self.current_size.get() / SECTOR
        };
        if sectors > MAX_SECTORS { Err(VpcError::TooLarge) } else { Ok(sectors) }
    }
}

/// A footer and where it was.
#[derive(Clone, Debug)]
pub struct Found {
    /// The footer.
    pub footer: Footer,
    /// Whether it is the copy at the start of the file, so that there is more to
    /// the disk than its bytes.
    pub at_start: bool,
}

/// The complement of the sum of all bytes.
pub(super) fn sum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(0_u32, |sum, byte| sum.wrapping_add((*byte).into()))
}

const _: () = assert!(size_of::<Footer>() as u64 == SECTOR, "a footer has a sector");

#[cfg(test)]
mod tests {
    use core::mem::offset_of;
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::vpc::sample::Vhd;

    #[test]
    fn fields_are_where_the_specification_has_them() {
        for (offset, expected) in [
            (offset_of!(Footer, data_offset), 16),
            (offset_of!(Footer, creator), 28),
            (offset_of!(Footer, original_size), 40),
            (offset_of!(Footer, current_size), 48),
            (offset_of!(Footer, geometry), 56),
            (offset_of!(Footer, disk_type), 60),
            (offset_of!(Footer, checksum), 64),
            (offset_of!(Footer, id), 68),
            (offset_of!(Footer, saved_state), 84),
        ] {
            assert_eq!(offset, expected);
        }
    }

    #[test]
    fn the_checksum_is_the_complement_of_a_sum() {
        assert_eq!(sum(&[]), u32::MAX);
        assert_eq!(sum(&[1, 2, 0xff]), !0x102);
        let footer = Vhd::fixed(4096).footer();
        assert!(footer.has_right_checksum());
        for place in 0..size_of::<Footer>() {
            let mut damaged = footer.clone();
            damaged.as_mut_bytes()[place] ^= 0x10;
            assert!(!damaged.has_right_checksum(), "{place}");
        }
    }

    #[test]
    fn the_creator_says_what_the_size_is() {
        // A disk of 20,468 sectors by its geometry and 20,480 by its size.
        let vhd = |creator: &[u8; 4], geometry| Vhd {
            creator: *creator,
            geometry: Some(geometry),
            ..Vhd::dynamic(20_480 * SECTOR)
        };
        for (creator, expected) in [
            (b"vpc ", 20_468),
            (b"qemu", 20_468),
            (b"qem2", 20_480),
            (b"win ", 20_480),
            (b"d2v ", 20_480),
            (b"tap\0", 20_480),
            (b"CTXS", 20_480),
            (b"wa\0\0", 20_480),
            (b"vbox", 20_480),
            (b"vs  ", 20_480),
            (b"vpc\0", 20_480),
            (b"\0\0\0\0", 20_480),
        ] {
            let footer = vhd(creator, (301, 4, 17)).footer();
            assert_eq!(footer.disk_sectors(), Ok(expected), "{}", creator.escape_ascii());
            // The largest geometry says nothing.
            let footer = vhd(creator, (65_535, 16, 255)).footer();
            assert_eq!(footer.disk_sectors(), Ok(20_480), "{}", creator.escape_ascii());
        }
        // But one that is larger by mistake counts.
        let footer = vhd(b"vpc ", (65_535, 255, 255)).footer();
        assert_eq!(footer.disk_sectors(), Ok(4_261_413_375));
    }

    #[test]
    fn a_disk_has_a_largest_size() {
        for (sectors, expected) in [
            (MAX_SECTORS - 1, Ok(MAX_SECTORS - 1)),
            (MAX_SECTORS, Ok(MAX_SECTORS)),
            (MAX_SECTORS + 1, Err(VpcError::TooLarge)),
            (u64::MAX / SECTOR, Err(VpcError::TooLarge)),
        ] {
            let footer = Vhd::dynamic(sectors * SECTOR).footer();
            assert_eq!(footer.disk_sectors(), expected, "{sectors}");
        }
        // What is less than a sector does not count.
        let footer = Vhd::dynamic(MAX_SECTORS * SECTOR + 511).footer();
        assert_eq!(footer.disk_sectors(), Ok(MAX_SECTORS));
    }

    #[test]
    fn only_what_is_right_in_every_way_is_a_fixed_disk() {
        let is_fixed = |bytes: &Vec<u8>| Footer::of_fixed_disk(bytes).unwrap().is_some();
        let good = Vhd::fixed(4096).bytes();
        assert!(is_fixed(&good));
        // The footers of early versions of Virtual PC lack their last byte.
        assert!(is_fixed(&good[..good.len() - 1].to_vec()));
        // The footer is recognised with the bytes of the file, not of the sector.
        for length in 0..4096 + 68 {
            assert!(!is_fixed(&good[..length].to_vec()), "{length}");
        }
        for (size, length) in [(4096, 4608), (4608, 4096), (0, 4096), (u64::MAX, 4096)] {
            let footer = Vhd::fixed(size).footer();
            let bytes = [&vec![0; length], footer.as_bytes()].concat();
            assert!(!is_fixed(&bytes), "{size} in {length}");
        }
        let footer = Vhd::dynamic(4096).footer();
        assert!(!is_fixed(&[&[0; 4096], footer.as_bytes()].concat()));
        for place in 4096..good.len() {
            let mut bytes = good.clone();
            bytes[place] ^= 1;
            assert!(!is_fixed(&bytes), "{place}");
        }
    }
}
