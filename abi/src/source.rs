//! Which image an operation is about.

use serde::{Deserialize, Serialize};

use crate::info::{Format, Window};
use crate::text::{Name, Text};

/// An image that the user named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The slot of its file.
    pub slot: u8,
    /// The format that the user says it has; probed for if missing.
    pub format: Option<Format>,
    /// The [`extension`](crate::info::extension) of the file's name, if the user gave
    /// one. Formats without a signature at the start (dmg) are known by it.
    pub extension: Name,
    /// A raw image that is a part of the file.
    pub window: Option<Window>,
    /// The disk as it was when a snapshot was taken.
    pub snapshot: Option<Snapshot>,
}

impl Source {
    /// All of the image of a format in a slot.
    #[must_use]
    pub fn whole(slot: u8, format: Option<Format>) -> Self {
        Self { slot, format, extension: Name::default(), window: None, snapshot: None }
    }
}

/// The name or the id of a snapshot. Longer ones than these are none.
pub type SnapshotName = Text<1024>;

/// Which snapshot is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Snapshot {
    /// The one with this id or, if there is none, with this name.
    Either(SnapshotName),
    /// The one with this id, this name, or both.
    Exactly {
        /// Its id, if that matters.
        id: Option<SnapshotName>,
        /// Its name, if that matters.
        name: Option<SnapshotName>,
    },
}
