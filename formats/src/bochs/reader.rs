//! Where the bytes of the disk are: the catalog says where an extent is, and its bitmap
//! which of its sectors are there (specification, "Catalog" and "Data").

use zerocopy::little_endian::U32;

use super::header::CATALOG_ENTRY;
use super::image::BochsImage;
use super::{BochsError, SECTOR};
use crate::error::Error;
use crate::extent::{Content, Extent, Place};
use crate::storage;

/// What the catalog has for an extent that is not there.
const NOT_THERE: u32 = u32::MAX;

/// How much of a bitmap is read at a time, in bytes: what 256 KiB of the disk take, so
/// that a question costs little, and a long run takes few reads.
const PIECE: usize = 64;

impl BochsImage {
    /// How the disk is stored from an offset on.
    pub(super) fn read_extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let mut found = self.run(offset, limit)?;
        // What is there ends with its extent: the bitmap of the next one is in between.
        while found.content == Content::Unallocated && found.length < limit {
            let next = offset.saturating_add(found.length);
            match self.run(next, limit.saturating_sub(found.length)) {
                Ok(run) if run.content == Content::Unallocated => {
                    found.length = found.length.saturating_add(run.length);
                }
                _ => break,
            }
        }
        Ok(found)
    }

    /// How an extent is stored from an offset of the disk on.
    fn run(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let size = u64::from(self.layout.extent_size);
        let number = offset.checked_div(size).unwrap_or(0);
        let inside = offset.checked_rem(size).unwrap_or(0);
        let limit = limit.min(size.saturating_sub(inside));
        let entry = number.saturating_mul(CATALOG_ENTRY).saturating_add(self.layout.catalog);
        let entry: U32 = storage::read_struct(self.file.as_ref(), entry)?;
        if entry.get() == NOT_THERE {
            return Ok(Extent { length: limit, content: Content::Unallocated });
        }
        let bitmap = self.bitmap(number, entry.get())?;
        let skip = inside % SECTOR;
        let first = inside / SECTOR;
        let wanted = limit.saturating_add(skip).div_ceil(SECTOR);
        let (is_there, sectors) = self.same_bits(bitmap, first, wanted)?;
        let length = sectors.saturating_mul(SECTOR).saturating_sub(skip);
        let place = Place::own(bitmap.saturating_add(self.layout.bitmap_room())).after(inside);
        let content = if is_there { Content::Data(place) } else { Content::Unallocated };
        Ok(Extent::new(length, limit, content))
    }

    /// Where the bitmap of an extent is, in bytes. The extent follows it.
    fn bitmap(&self, number: u64, entry: u32) -> Result<u64, BochsError> {
        let size = self.layout.bitmap_room().saturating_add(self.layout.extent_size.into());
        let bitmap = u64::from(entry).checked_mul(size);
        let bitmap = bitmap.and_then(|place| place.checked_add(self.layout.data()));
        let bitmap = bitmap.filter(|place| storage::is_reachable(*place, size));
        bitmap.ok_or(BochsError::ExtentOutOfReach { number, entry })
    }

    /// The bit of a sector in a bitmap, and how many are the same from there on, of so
    /// many at the most.
    fn same_bits(&self, bitmap: u64, first: u64, wanted: u64) -> Result<(bool, u64), Error> {
        let mut bits = [0; PIECE];
        let mut bit = first % 8;
        let mut place = bitmap.saturating_add(first / 8);
        let mut found = None;
        let mut count = 0;
        while count < wanted {
            storage::read_at_padded(self.file.as_ref(), place, &mut bits)?;
            for byte in bits {
                while bit < 8 && count < wanted {
                    let is_set = (byte >> bit) & 1 != 0;
                    if *found.get_or_insert(is_set) != is_set {
                        return Ok((!is_set, count));
                    }
                    bit = bit.saturating_add(1);
                    count = count.saturating_add(1);
                }
                bit = 0;
            }
            place = place.saturating_add(PIECE as u64);
        }
        Ok((found.unwrap_or(false), count))
    }
}
