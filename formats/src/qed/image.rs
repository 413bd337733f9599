//! An open QED image.

use alloc::rc::Rc;

use super::header::{Features, Geometry};
use crate::creation::{Options, Value};
use crate::error::Error;
use crate::extent::Extent;
use crate::image::{Backing, Description, Image};
use crate::recreation::keep_backing;
use crate::storage::Storage;

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
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

/// An open QED image.
pub struct QedImage {
    pub(super) file: Rc<dyn Storage>,
    pub(super) layout: Layout,
}

impl Image for QedImage {
    fn description(&self) -> Description {
        Description {
            virtual_size: self.layout.size,
            cluster_size: Some(self.layout.geometry.cluster_size),
            dirty: Some(self.layout.features.contains(Features::NEED_CHECK)),
            backing: self.layout.backing.clone(),
            ..Description::default()
        }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn recreation(&self) -> Result<Options, Error> {
        let Geometry { cluster_size, table_size, .. } = self.layout.geometry;
        let mut options = Options::default();
        options.set("cluster_size", Value::Number(cluster_size));
        let table_clusters = table_size.checked_div(cluster_size).unwrap_or(0);
        options.set("table_size", Value::Number(table_clusters));
        keep_backing(&mut options, self.layout.backing.clone());
        Ok(options)
    }
}

impl core::fmt::Debug for QedImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.layout.fmt(formatter)
    }
}
