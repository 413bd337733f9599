//! Small valid images, for tests.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::{FromZeros, IntoBytes};

use super::header::{Features, Header, MAGIC, MIN_CLUSTER_SIZE};

/// A disk of which nothing was written.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its size in bytes.
    pub size: u64,
    /// The size of a cluster in bytes.
    pub cluster_size: u32,
    /// The size of a table in clusters.
    pub table_size: u32,
    /// Features, besides that there is a backing file.
    pub features: Features,
    /// The name of the backing file, if it has one.
    pub backing: Option<Vec<u8>>,
}

impl Default for Disk {
    /// One of 10 MiB with the smallest tables that can be opened.
    fn default() -> Self {
        Self {
            size: 10 << 20,
            cluster_size: MIN_CLUSTER_SIZE,
            table_size: 2,
            features: Features::empty(),
            backing: None,
        }
    }
}

impl Disk {
    /// The file: a header of one cluster with the name of the backing file in it,
    /// and the L1 table.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let name = self.backing.as_deref().unwrap_or_default();
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut features = self.features;
        features.set(Features::BACKING_FILE, self.backing.is_some());
        let mut header = Header::new_zeroed();
        header.magic = MAGIC;
        header.cluster_size = self.cluster_size.into();
        header.table_size = self.table_size.into();
        header.header_size = 1.into();
        header.features = features.bits().into();
        header.l1_table_offset = u64::from(self.cluster_size).into();
        header.image_size = self.size.into();
        header.backing_name_offset = small(size_of::<Header>()).into();
        header.backing_name_size = small(name.len()).into();

        let clusters = u64::from(self.table_size).saturating_add(1);
        let length = clusters.saturating_mul(self.cluster_size.into());
        let mut file = vec![0; usize::try_from(length).unwrap_or(0)];
        let start = [header.as_bytes(), name].concat();
        file.iter_mut().zip(start).for_each(|(target, byte)| *target = byte);
        file
    }
}
