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

    /// The geometry of a disk with so many sectors (specification, "Appendix: CHS
    /// Calculation"). What is left of a last cylinder does not count.
    #[must_use]
    pub fn of(sectors: u64) -> Self {
        // A disk with so many heads, and sectors to a track.
        let with = |heads: u8, track: u8| {
            let cylinders = sectors.checked_div(u64::from(track)).unwrap_or(0);
            let cylinders = cylinders.checked_div(u64::from(heads)).unwrap_or(0);
            let cylinders = u16::try_from(cylinders).unwrap_or(u16::MAX).into();
            Self { cylinders, heads, sectors: track }
        };
        if sectors >= 65_535 * 16 * 63 {
            return with(16, 255);
        }
        let tracks = sectors / 17;
        match u8::try_from(tracks.div_ceil(1024).max(4)) {
            Ok(heads) if heads <= 16 && tracks < u64::from(heads).saturating_mul(1024) => {
                with(heads, 17)
            }
            _ if sectors / 31 < 16 * 1024 => with(16, 31),
            _ => with(16, 63),
        }
    }

    /// The first geometry with as many sectors at least, if there is one; otherwise the
    /// largest.
    #[must_use]
    pub fn with_room_for(sectors: u64) -> Self {
        let sectors = sectors.min(Self::MAX.disk_sectors());
        if sectors == 0 {
            return Self { cylinders: 0.into(), heads: 0, sectors: 0 };
        }
        // No cylinder has more sectors than that.
        let more = 0..u64::from(Self::MAX.heads).saturating_mul(Self::MAX.sectors.into());
        let mut geometries = more.map(|more| Self::of(sectors.saturating_add(more)));
        geometries.find(|geometry| geometry.disk_sectors() >= sectors).unwrap_or(Self::MAX)
    }

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

    #[test]
    fn a_disk_has_the_geometry_of_the_specification() {
        for (sectors, cylinders, heads, track) in [
            (0, 0, 4, 17),
            (20_480, 301, 4, 17),
            // More heads, then longer tracks.
            (17 * 4096 - 1, 1023, 4, 17),
            (17 * 4096, 140, 16, 31),
            (17 * 4097, 819, 5, 17),
            (17 * 16_384 - 1, 1023, 16, 17),
            (17 * 16_384, 561, 16, 31),
            (31 * 16_384 - 1, 1023, 16, 31),
            (31 * 16_384, 503, 16, 63),
            (65_535 * 16 * 63 - 1, 65_534, 16, 63),
            (65_535 * 16 * 63, 16_191, 16, 255),
            (267_382_800, 65_535, 16, 255),
            (u64::MAX, 65_535, 16, 255),
        ] {
            let geometry = Geometry { cylinders: U16::new(cylinders), heads, sectors: track };
            assert_eq!(Geometry::of(sectors), geometry, "{sectors}");
        }
    }

    #[test]
    fn there_is_a_geometry_with_room_for_every_disk() {
        for (sectors, expected) in [
            (0, 0),
            (1, 68),
            (68, 68),
            (69, 136),
            (20_468, 20_468),
            (20_469, 20_536),
            (17 * 4096 - 1, 69700),
            (65_535 * 16 * 63 - 1, 66059280),
            (267_382_799, 267_382_800),
            (267_382_801, 267_382_800),
            (u64::MAX, 267_382_800),
        ] {
            assert_eq!(Geometry::with_room_for(sectors).disk_sectors(), expected, "{sectors}");
        }
    }
}
