//! What an image has of its disk.
//!
//! A format turns a range of the disk into extents, and nothing else: it says
//! where bytes lie and how they are stored, and leaves it to others to fetch them.
//! Reading, mapping, measuring and comparing all start here.

use crate::codec::Codec;
use crate::error::Error;

/// A range of a disk that is stored in one way. It starts at the offset that was
/// asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its length in bytes, never zero.
    pub length: u64,
    /// How it is stored.
    pub content: Content,
}

/// How a range of a disk is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Not here: it is in the image underneath, or zeros if there is none.
    Unallocated,
    /// The same, but a place is set aside for it.
    Reserved(Place),
    /// Zeros, whatever is underneath. Some formats set a place aside for them.
    Zero(Option<Place>),
    /// As it is, one byte after the other.
    Data(Place),
    /// In a unit that is compressed as a whole.
    Compressed(Compressed),
}

/// A place in one of the files of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub file: File,
    /// Where in it, in bytes. The file may be shorter: what is missing reads as
    /// zeros.
    pub offset: u64,
}

/// One of the files of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// The image's own.
    Own,
    /// Another one: by its position in [`references`](crate::Image::references),
    /// or among those that a writer makes.
    Other(usize),
    /// The image's own, with changes that its log has and that are not in their
    /// places: [`replayed`](crate::Image::replayed) has it.
    Replayed,
}

/// A part of a unit (a cluster, a grain, a chunk) that is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// Where the unit is.
    pub place: Place,
    /// How many bytes of the file it takes at the most. Some formats only know it
    /// in whole sectors, so there can be something else behind it.
    pub length: u64,
    /// How it is compressed.
    pub codec: Codec,
    /// How many bytes it decompresses to.
    pub size: u64,
    /// Where in the unit the extent starts, in bytes. The extent ends in the unit.
    pub skip: u64,
}

impl Place {
    /// A place in the image's own file.
    #[must_use]
    pub const fn own(offset: u64) -> Self {
        Self { file: File::Own, offset }
    }

    /// The place so many bytes further on. Nothing is where that cannot be said.
    #[must_use]
    pub const fn after(self, bytes: u64) -> Self {
        Self { offset: self.offset.saturating_add(bytes), ..self }
    }
}

impl Extent {
    /// An extent of at most `limit` bytes.
    #[must_use]
    pub fn new(length: u64, limit: u64, content: Content) -> Self {
        Self { length: length.min(limit), content }
    }

    /// The extent at an offset of a disk that is stored by units of so many bytes, for
    /// `limit` bytes at the most. `content` tells how the unit with a number is stored.
    /// Units that are stored one behind the other are one extent.
    ///
    /// # Errors
    ///
    /// Those of `content`, if it is for the first unit. One behind is left for when it
    /// is asked about.
    pub fn of_units(
        offset: u64,
        limit: u64,
        unit: u64,
        mut content: impl FnMut(u64) -> Result<Content, Error>,
    ) -> Result<Self, Error> {
        Self::of_pieces(offset, limit, |offset, _| {
            let number = offset.checked_div(unit).unwrap_or(0);
            let skip = offset.checked_rem(unit).unwrap_or(0);
            let content = content(number)?;
            let content = if skip == 0 { content } else { content.inside(skip) };
            Ok(Self { length: unit.saturating_sub(skip), content })
        })
    }

    /// The extent at an offset of a disk that is stored in pieces of any length, for
    /// `limit` bytes at the most. `piece` tells how the disk is stored from an offset
    /// on; what is behind as many bytes as it is told does not matter. Pieces that are
    /// stored one behind the other are one extent.
    ///
    /// # Errors
    ///
    /// Those of `piece`, if it is for the first one. One behind is left for when it is
    /// asked about.
    pub fn of_pieces(
        offset: u64,
        limit: u64,
        mut piece: impl FnMut(u64, u64) -> Result<Self, Error>,
    ) -> Result<Self, Error> {
        let Self { mut length, content } = piece(offset, limit)?;
        while length < limit {
            let Some(behind) = content.behind(length) else { break };
            let next = piece(offset.saturating_add(length), limit.saturating_sub(length));
            match next {
                Ok(next) if next.content == behind && next.length > 0 => {
                    length = length.saturating_add(next.length);
                }
                _ => break,
            }
        }
        Ok(Self::new(length, limit, content))
    }
}

impl Content {
    /// The same content from a later byte on.
    #[must_use]
    pub fn inside(self, skip: u64) -> Self {
        match self {
            Self::Unallocated => Self::Unallocated,
            Self::Reserved(place) => Self::Reserved(place.after(skip)),
            Self::Zero(place) => Self::Zero(place.map(|place| place.after(skip))),
            Self::Data(place) => Self::Data(place.after(skip)),
            Self::Compressed(unit) => {
                Self::Compressed(Compressed { skip: unit.skip.saturating_add(skip), ..unit })
            }
        }
    }

    /// What has to follow after so many bytes for both to be one extent.
    #[must_use]
    pub(crate) fn behind(self, length: u64) -> Option<Self> {
        (!matches!(self, Self::Compressed(_))).then(|| self.inside(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StorageError;

    const UNIT: u64 = 4096;

    fn extent(units: &[Option<Content>], offset: u64, limit: u64) -> Result<Extent, Error> {
        Extent::of_units(offset, limit, UNIT, |number| {
            let unit = units.get(usize::try_from(number).unwrap());
            unit.copied().flatten().ok_or_else(|| StorageError::InputOutput.into())
        })
    }

    fn data(offset: u64) -> Content {
        Content::Data(Place::own(offset))
    }

    fn compressed(skip: u64) -> Content {
        let (place, length) = (Place::own(7), 100);
        Content::Compressed(Compressed { place, length, codec: Codec::Zlib, size: UNIT, skip })
    }

    #[test]
    fn units_that_follow_each_other_are_one_extent() {
        let units = [
            Some(data(0x10000)),
            Some(data(0x11000)),
            Some(data(0x20000)),
            Some(Content::Unallocated),
            Some(Content::Unallocated),
            Some(Content::Zero(None)),
            Some(Content::Zero(Some(Place::own(0x30000)))),
            Some(Content::Zero(Some(Place::own(0x31000)))),
            Some(compressed(0)),
            Some(compressed(0)),
            None,
        ];
        for (offset, limit, length, content) in [
            (0, u64::MAX, 2 * UNIT, data(0x10000)),
            (0, 1, 1, data(0x10000)),
            (1, 2 * UNIT, 2 * UNIT - 1, data(0x10001)),
            (UNIT + 5, u64::MAX, UNIT - 5, data(0x11005)),
            (2 * UNIT, u64::MAX, UNIT, data(0x20000)),
            (3 * UNIT, u64::MAX, 2 * UNIT, Content::Unallocated),
            (3 * UNIT + 9, 2 * UNIT - 10, 2 * UNIT - 10, Content::Unallocated),
            (5 * UNIT, u64::MAX, UNIT, Content::Zero(None)),
            (6 * UNIT + 2, u64::MAX, 2 * UNIT - 2, Content::Zero(Some(Place::own(0x30002)))),
            (8 * UNIT, u64::MAX, UNIT, compressed(0)),
            (9 * UNIT + 3, u64::MAX, UNIT - 3, compressed(3)),
        ] {
            let found = extent(&units, offset, limit).unwrap();
            assert_eq!(found, Extent { length, content }, "{limit} at {offset}");
        }
        assert!(extent(&units, 10 * UNIT, 1).is_err());
    }

    #[test]
    fn pieces_of_any_length_that_follow_each_other_are_one_extent() {
        // The pieces end here, and are stored so.
        let pieces = [
            (700, data(5000)),
            (1000, data(5700)),
            (1001, Content::Unallocated),
            (5000, Content::Unallocated),
            (6000, data(9999)),
        ];
        let extent = |offset, limit| {
            Extent::of_pieces(offset, limit, |at, left| {
                assert_eq!(at + left, offset + limit);
                let index = pieces.iter().position(|(end, _)| at < *end);
                let (end, content) = pieces[index.ok_or(StorageError::InputOutput)?];
                let start = index.and_then(|index| index.checked_sub(1));
                let start = start.map_or(0, |before| pieces[before].0);
                Ok(Extent { length: end - at, content: content.inside(at - start) })
            })
        };
        for (offset, limit, length, content) in [
            (0, 9000, 1000, data(5000)),
            (0, 999, 999, data(5000)),
            (10, 700, 700, data(5010)),
            (999, 9000, 1, data(5999)),
            (1000, 9000, 4000, Content::Unallocated),
            (5001, 9000, 999, data(10_000)),
        ] {
            let found = extent(offset, limit).unwrap();
            assert_eq!(found, Extent { length, content }, "{limit} at {offset}");
        }
        assert!(extent(6000, 1).is_err());
    }
}
