//! An open QED image.

use super::header::{Features, Geometry};
use crate::image::{Backing, Description, Image};

/// An open QED image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QedImage {
    /// The size of the disk in bytes. The tables cover it.
    pub size: u64,
    /// The sizes of clusters and tables.
    pub geometry: Geometry,
    /// Where the L1 table is, in bytes. It lies in the file.
    pub l1_table: u64,
    /// All of them are known.
    pub features: Features,
    /// The backing file.
    pub backing: Option<Backing>,
}

impl Image for QedImage {
    fn description(&self) -> Description {
        Description {
            virtual_size: self.size,
            cluster_size: Some(self.geometry.cluster_size),
            dirty: Some(self.features.contains(Features::NEED_CHECK)),
            backing: self.backing.clone(),
            ..Description::default()
        }
    }
}
