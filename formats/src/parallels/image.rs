//! An open Parallels image.

use crate::image::{Description, Image};

/// An open Parallels image. Sizes and places are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParallelsImage {
    /// The size of the disk. The BAT may cover less: the rest is zeros.
    pub size: u64,
    /// The size of a cluster.
    pub cluster_size: u64,
    /// Entries of the BAT, which lies in the file.
    pub bat_entries: u32,
    /// What BAT entries count.
    pub bat_unit: u64,
    /// Where clusters start; zero for behind the BAT.
    pub data: u64,
    /// Where the format extension is.
    pub extension: Option<u64>,
    /// Whether its last user left it open.
    pub in_use: bool,
}

impl Image for ParallelsImage {
    /// Without the size of a cluster, since qemu-img has none for this format. Nor
    /// does it say whether the image was left open; that is said if it was.
    fn description(&self) -> Description {
        let dirty = self.in_use.then_some(true);
        Description { virtual_size: self.size, dirty, ..Description::default() }
    }
}
