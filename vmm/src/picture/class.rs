//! The ways in which something is stored that a picture tells apart.

use abi::map::{Extent, Flags};

/// How a range of a disk is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In a file, as it is.
    Data,
    /// In a file, compressed.
    Compressed,
    /// It has a place in an image, where its file has a hole.
    Reserved,
    /// It reads as zeros: an image says so, or is nothing but a file that has a hole.
    Zeros,
    /// No image of the chain has it.
    Unallocated,
}

impl Kind {
    /// All of them, in the order in which they are stacked in a cell, from the bottom up.
    pub const ALL: [Self; 5] =
        [Self::Data, Self::Compressed, Self::Reserved, Self::Zeros, Self::Unallocated];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Compressed => "compressed",
            Self::Reserved => "reserved",
            Self::Zeros => "zeros",
            Self::Unallocated => "unallocated",
        }
    }

    /// What that means.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Data => "stored as it is",
            Self::Compressed => "stored in compressed units",
            Self::Reserved => "has room in the image, with nothing in it yet",
            Self::Zeros => "a hole, or an image says that it is zeros",
            Self::Unallocated => "no image of the chain has it",
        }
    }

    /// How a range is stored that has these flags.
    fn of(flags: Flags) -> Self {
        match flags {
            Flags { present: false, .. } => Self::Unallocated,
            Flags { zero: true, data: true, .. } => Self::Reserved,
            Flags { zero: true, .. } => Self::Zeros,
            Flags { compressed: true, .. } => Self::Compressed,
            _ => Self::Data,
        }
    }
}

/// A range of depths that have one shade. The eye tells no more than a few shades apart,
/// and most chains are short.
struct Shade {
    /// The least depth that has it.
    from: u32,
    name: &'static str,
}

const SHADES: [Shade; 7] = [
    Shade { from: 0, name: "depth 0, the image itself" },
    Shade { from: 1, name: "depth 1" },
    Shade { from: 2, name: "depth 2" },
    Shade { from: 3, name: "depth 3" },
    Shade { from: 4, name: "depth 4 to 7" },
    Shade { from: 8, name: "depth 8 to 15" },
    Shade { from: 16, name: "depth 16 and more" },
];

/// The colours of each kind, of the image itself first: what is deeper is paler, in steps of
/// lightness that are largest where most chains are. Blue, red, yellow and grey are told
/// apart by those who see fewer colours.
const COLOURS: [[&str; SHADES.len()]; 4] = [
    ["#03397f", "#3360a1", "#557eba", "#759ad0", "#93b3e2", "#aec9f1", "#c7dcfc"],
    ["#a42500", "#c15431", "#d47456", "#e59279", "#f3ae98", "#fcc6b5", "#ffdbcf"],
    ["#bf9a00", "#d2b144", "#dfc266", "#ecd384", "#f3dd9a", "#fae7af", "#fff1c5"],
    ["#9499a0", "#a5aab1", "#b3b8bf", "#c0c4cc", "#cbd0d7", "#d5d9e1", "#dde2e9"],
];

/// The colour of what no image has. It has no depth either.
const UNALLOCATED: &str = "#f1f2f5";

/// How many classes there are.
pub const CLASSES: usize = COLOURS.len() * SHADES.len() + 1;

/// A kind and a range of depths: what has one colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class(usize);

impl Class {
    /// All of them, in the order in which they are stacked in a cell, from the bottom up.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CLASSES).map(Self)
    }

    /// The class of an extent.
    #[must_use]
    pub fn of(extent: &Extent) -> Self {
        let kind = Kind::of(extent.flags);
        let row = Kind::ALL.iter().position(|it| *it == kind).unwrap_or(COLOURS.len());
        let deeper = SHADES.iter().skip(1).filter(|shade| shade.from <= extent.depth).count();
        let shade = if kind == Kind::Unallocated { 0 } else { deeper };
        Self(row * SHADES.len() + shade)
    }

    /// Its number, below [`CLASSES`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }

    /// How what it has is stored.
    #[must_use]
    pub fn kind(self) -> Kind {
        *Kind::ALL.get(self.0 / SHADES.len()).unwrap_or(&Kind::Unallocated)
    }

    /// How deep it is in the chain, in words; what no image has is nowhere.
    #[must_use]
    pub fn depth(self) -> Option<&'static str> {
        COLOURS.get(self.0 / SHADES.len())?;
        SHADES.get(self.0 % SHADES.len()).map(|shade| shade.name)
    }

    /// The least depth in it.
    #[must_use]
    pub fn least_depth(self) -> Option<u32> {
        COLOURS.get(self.0 / SHADES.len())?;
        SHADES.get(self.0 % SHADES.len()).map(|shade| shade.from)
    }

    /// Its colour.
    #[must_use]
    pub fn colour(self) -> &'static str {
        let shades = COLOURS.get(self.0 / SHADES.len());
        shades.and_then(|shades| shades.get(self.0 % SHADES.len())).unwrap_or(&UNALLOCATED)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn extent(flags: [bool; 4], depth: u32) -> Extent {
        let [present, zero, data, compressed] = flags;
        let flags = Flags { present, zero, data, compressed };
        Extent { start: 0, length: 512, depth, flags, place: None }
    }

    #[test]
    fn what_an_extent_is_follows_from_its_flags() {
        let (yes, no) = (true, false);
        for (flags, kind) in [
            ([yes, no, yes, no], Kind::Data),
            ([yes, no, yes, yes], Kind::Compressed),
            ([yes, yes, yes, no], Kind::Reserved),
            ([yes, yes, no, no], Kind::Zeros),
            ([no, yes, no, no], Kind::Unallocated),
            // A guest may say anything.
            ([no, no, no, no], Kind::Unallocated),
            ([no, yes, yes, yes], Kind::Unallocated),
            ([yes, no, no, no], Kind::Data),
            ([yes, yes, yes, yes], Kind::Reserved),
            ([yes, yes, no, yes], Kind::Zeros),
        ] {
            assert_eq!(Class::of(&extent(flags, 0)).kind(), kind, "{flags:?}");
        }
    }

    #[test]
    fn depths_have_shades() {
        let shade = |depth| Class::of(&extent([true, false, true, true], depth)).least_depth();
        for (depth, least) in [
            (0, 0),
            (1, 1),
            (3, 3),
            (4, 4),
            (7, 4),
            (8, 8),
            (15, 8),
            (16, 16),
            (63, 16),
            (u32::MAX, 16),
        ] {
            assert_eq!(shade(depth), Some(least), "{depth}");
        }
        let nowhere = Class::of(&extent([false, true, false, false], 9));
        assert_eq!((nowhere.depth(), nowhere.least_depth()), (None, None));
        assert_eq!(nowhere.index(), CLASSES - 1);
    }

    #[test]
    fn every_class_has_a_colour_of_its_own() {
        let colours: BTreeSet<_> = Class::all().map(Class::colour).collect();
        assert_eq!(colours.len(), CLASSES);
    }
}
