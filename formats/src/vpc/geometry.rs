//! The geometry of a disk (specification, "Disk Geometry").

use zerocopy::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Cylinders, heads and sectors, as disks once had them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Geometry {
    /// Cylinders.
    pub cylinders: U16,
    /// Heads, so many to a cylinder.
    pub heads: u8,
    /// Sectors of a track.
    pub sectors: u8,
}

impl Geometry {
    /// The largest geometry, about 127 GiB. A disk that has it may be larger.
    pub const MAX: Self = Self { cylinders: U16::MAX_VALUE, heads: 16, sectors: 255 };

    /// How many sectors a disk with this geometry has.
    #[must_use]
    pub fn disk_sectors(self) -> u64 {
        let tracks = u64::from(self.cylinders.get()).saturating_mul(self.heads.into());
        tracks.saturating_mul(self.sectors.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_counted() {
        for (cylinders, heads, sectors, expected) in
            [(0, 0, 0, 0), (301, 4, 17, 20_468), (65_535, 255, 255, 4_261_413_375)]
        {
            let geometry = Geometry { cylinders: U16::new(cylinders), heads, sectors };
            assert_eq!(geometry.disk_sectors(), expected);
        }
        assert_eq!(Geometry::MAX.disk_sectors(), 267_382_800);
    }
}
