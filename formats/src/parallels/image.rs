//! An open Parallels image.

use alloc::rc::Rc;

use crate::creation::{Options, Value};
use crate::error::Error;
use crate::extent::Extent;
use crate::image::{Description, Image};
use crate::recreation::Irreplaceable;
use crate::storage::Storage;

/// How an image is laid out. Sizes and places are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
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

/// An open Parallels image.
pub struct ParallelsImage {
    pub(super) file: Rc<dyn Storage>,
    pub(super) layout: Layout,
}

impl Image for ParallelsImage {
    /// Without the size of a cluster, since qemu-img has none for this format. Nor
    /// does it say whether the image was left open; that is said if it was.
    fn description(&self) -> Description {
        let dirty = self.layout.in_use.then_some(true);
        Description { virtual_size: self.layout.size, dirty, ..Description::default() }
    }

    fn can_have_bitmaps(&self) -> bool {
        true
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn recreation(&self) -> Result<Options, Error> {
        if self.layout.extension.is_some() {
            return Err(Irreplaceable::Lost("the format extension").into());
        }
        let mut options = Options::default();
        options.set("cluster_size", Value::Number(self.layout.cluster_size));
        Ok(options)
    }
}

impl core::fmt::Debug for ParallelsImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.layout.fmt(formatter)
    }
}
