//! Small valid images, for tests.

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::{FromZeros, IntoBytes};

use super::header::{CLOSED, EXTENDED_MAGIC, Header, MAGIC, VERSION};
use super::{SECTOR, extension};

/// A disk of zeros.
#[derive(Clone, Debug)]
pub struct Disk {
    /// [`MAGIC`] or [`EXTENDED_MAGIC`].
    pub magic: [u8; 16],
    /// Its size in sectors.
    pub sectors: u64,
    /// The size of a cluster in sectors.
    pub cluster_sectors: u32,
    /// How it was closed.
    pub in_use: u32,
    /// Its format extension, if it has one.
    pub extension: Option<Extension>,
}

/// A format extension in a cluster of 4 KiB.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The MD5 checksum of the cluster behind it.
    pub checksum: [u8; 16],
    /// Features, without the zeros behind them.
    pub features: Vec<u8>,
}

impl Default for Disk {
    /// One of 10 MiB in clusters of 4 KiB, with the extended magic.
    fn default() -> Self {
        Self {
            magic: EXTENDED_MAGIC,
            sectors: 20_480,
            cluster_sectors: 8,
            in_use: CLOSED,
            extension: None,
        }
    }
}

impl Disk {
    /// A disk as old software makes it: the old magic, clusters of 63 sectors.
    #[must_use]
    pub fn old() -> Self {
        Self { magic: MAGIC, cluster_sectors: 63, in_use: 0, ..Self::default() }
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let cluster_sectors = u64::from(self.cluster_sectors).max(1);
        let cluster_size = cluster_sectors.saturating_mul(SECTOR);
        let entries = self.sectors.div_ceil(cluster_sectors);
        let bat_end = entries.saturating_mul(4).saturating_add(size_of::<Header>() as u64);
        // Behind the old magic zero stands for the sector behind the BAT.
        let is_old = self.magic == MAGIC;
        let data = bat_end.next_multiple_of(if is_old { SECTOR } else { cluster_size });
        let data_sectors = data / SECTOR;

        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).into();
        let mut header = Header::new_zeroed();
        header.magic = self.magic;
        header.version = VERSION.into();
        header.heads = 16.into();
        header.cylinders = small(self.sectors / 512);
        header.tracks = self.cluster_sectors.into();
        header.bat_entries = small(entries);
        header.sectors = self.sectors.into();
        header.in_use = self.in_use.into();
        header.data_offset = if is_old { 0.into() } else { small(data_sectors) };
        let mut extension = Vec::new();
        if let Some(it) = &self.extension {
            header.extension_offset = data_sectors.into();
            let mut start = extension::Header::new_zeroed();
            start.magic = extension::MAGIC.into();
            start.checksum = it.checksum;
            extension = [start.as_bytes(), &it.features].concat();
            extension.resize(usize::try_from(cluster_size).unwrap_or(0), 0);
        }

        let mut file = header.as_bytes().to_vec();
        file.resize(usize::try_from(data).unwrap_or(0), 0);
        file.extend_from_slice(&extension);
        file
    }
}

impl Extension {
    /// One without features.
    #[must_use]
    pub fn empty() -> Self {
        let checksum = 0xaf9a_e9e2_2cd2_006f_01ab_c82d_14a8_0ef0_u128.to_be_bytes();
        Self { checksum, features: Vec::new() }
    }

    /// One with a dirty bitmap of a disk of 10 MiB, in which all bits are set.
    #[must_use]
    pub fn dirty_bitmap() -> Self {
        let features = [
            // The feature: its magic, no flags, its size.
            &0x2038_5fae_252c_b34a_u64.to_le_bytes()[..],
            &0_u64.to_le_bytes(),
            &40_u32.to_le_bytes(),
            &0_u32.to_le_bytes(),
            // The bitmap: the size of the disk in sectors, its id, sectors that a
            // bit stands for, entries of its table.
            &20_480_u64.to_le_bytes(),
            &[0x55; 16],
            &128_u32.to_le_bytes(),
            &1_u32.to_le_bytes(),
            // Its table: a cluster in which all bits are set.
            &1_u64.to_le_bytes(),
        ];
        let checksum = 0xf5a8_4964_6297_0c68_13f2_fa1b_ffa9_11b9_u128.to_be_bytes();
        Self { checksum, features: features.concat() }
    }
}
