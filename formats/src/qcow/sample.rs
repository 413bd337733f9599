//! Small valid images, for tests. They are empty: every cluster reads as zeros,
//! or as what the backing file has.

use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::header::{ENTRY_SIZE, Header, VERSION};
use crate::qcow2::header::MAGIC;

/// A qcow image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The size of the disk in bytes.
    pub size: u64,
    /// 9 to 16.
    pub cluster_bits: u8,
    /// 6 to 13.
    pub l2_bits: u8,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The name of the backing file.
    pub backing: Option<Vec<u8>>,
}

impl Default for Sample {
    /// A disk of 1 MiB, with the clusters that qemu-img makes.
    fn default() -> Self {
        Self { size: 1 << 20, cluster_bits: 12, l2_bits: 9, encrypted: false, backing: None }
    }
}

impl Sample {
    /// The file: header, name, L1 table.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let name = self.backing.as_deref().unwrap_or_default();
        let mut header = Header::new_zeroed();
        let header_size = header.as_bytes().len();
        let table = header_size.saturating_add(name.len()).next_multiple_of(8);
        header.magic = MAGIC;
        header.version = VERSION.into();
        if self.backing.is_some() {
            header.backing_name_offset = (header_size as u64).into();
            header.backing_name_length = u32::try_from(name.len()).unwrap_or(u32::MAX).into();
        }
        header.size = self.size.into();
        header.cluster_bits = self.cluster_bits;
        header.l2_bits = self.l2_bits;
        header.encryption = u32::from(self.encrypted).into();
        header.l1_table_offset = (table as u64).into();

        let bits = u32::from(self.cluster_bits).saturating_add(self.l2_bits.into());
        let covered = 1_u64.checked_shl(bits).unwrap_or(u64::MAX);
        let table_length = self.size.div_ceil(covered).saturating_mul(ENTRY_SIZE);
        let mut file = header.as_bytes().to_vec();
        file.extend_from_slice(name);
        file.resize(table.saturating_add(usize::try_from(table_length).unwrap_or(0)), 0);
        file
    }
}
