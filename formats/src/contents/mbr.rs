//! DOS partition tables (UEFI Specification 2.10, section 5.2 "LBA 0 Format").
//!
//! Four entries in the first sector. One of them can stand for more: it holds a
//! chain of sectors that look like the first, each with one entry for a logical
//! partition and one for the next sector of the chain.
//!
//! The signature says little: every boot sector has it, of a FAT file system too.
//! So the entries must look like entries.

use alloc::vec::Vec;

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::read;
use crate::storage::{Storage, StorageError};

/// The unit of entries in bytes.
const SECTOR: u64 = 512;

/// What a boot sector ends with.
pub const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// The type of a partition that protects a GUID partition table.
pub const PROTECTIVE: u8 = 0xee;

/// The types of partitions that hold others: by cylinders, by sectors, and the one
/// of Linux.
pub const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// The most logical partitions that are looked for. Linux numbers no more than 255
/// partitions of a disk.
pub const MAX_LOGICAL: u32 = 255;

/// A DOS partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mbr {
    /// The disk's id.
    pub disk: u32,
    /// How many partitions there are, logical ones included. One that holds others
    /// is none, and neither is one that protects a GUID partition table that is there.
    pub partitions: u32,
}

/// The first sector of a disk, and of a logical partition.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct BootSector {
    /// A jump to the code.
    pub jump: [u8; 3],
    /// The name of the system that made a FAT file system.
    pub system: [u8; 8],
    /// The size of a sector of a FAT file system, in bytes.
    pub sector_size: U16,
    /// Code.
    pub code: [u8; 427],
    /// The disk's id.
    pub disk: U32,
    /// Zero.
    pub unknown: U16,
    /// The partitions.
    pub entries: [Entry; 4],
    /// [`SIGNATURE`].
    pub signature: [u8; 2],
}

/// An entry for a partition.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Entry {
    /// 0x80 for the partition to boot from, 0 for others.
    pub status: u8,
    /// The first sector by cylinder, head and sector.
    pub first: [u8; 3],
    /// What the partition is for; 0 if there is none.
    pub kind: u8,
    /// The last sector by cylinder, head and sector.
    pub last: [u8; 3],
    /// The first sector.
    pub start: U32,
    /// How many sectors there are.
    pub sectors: U32,
}

impl BootSector {
    /// The first sector of a disk, if it has the signature.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read(disk: &dyn Storage) -> Result<Option<Self>, StorageError> {
        Self::read_at(disk, 0)
    }

    fn read_at(disk: &dyn Storage, sector: u64) -> Result<Option<Self>, StorageError> {
        let sector: Option<Self> = read(disk, sector.saturating_mul(SECTOR))?;
        Ok(sector.filter(|sector| sector.signature == SIGNATURE))
    }

    /// Whether it protects a GUID partition table.
    #[must_use]
    pub fn is_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == PROTECTIVE)
    }

    /// The partition table in it, if it is one. Where there is a GUID partition
    /// table, one that only protects it does not count.
    ///
    /// # Errors
    ///
    /// If the chain of logical partitions cannot be read.
    pub fn table(&self, disk: &dyn Storage, has_gpt: bool) -> Result<Option<Mbr>, StorageError> {
        let sectors = disk.length().div_ceil(SECTOR);
        if !self.entries.iter().all(|entry| entry.is_plausible(sectors)) {
            return Ok(None);
        }
        let mut used = self.entries.iter().filter(|entry| entry.is_used()).peekable();
        if used.peek().is_none() {
            let is_table = self.is_empty_table() && !has_gpt;
            return Ok(is_table.then_some(Mbr { disk: self.disk.get(), partitions: 0 }));
        }
        let mut others = used.filter(|entry| !has_gpt || entry.kind != PROTECTIVE).peekable();
        if others.peek().is_none() {
            return Ok(None);
        }
        let mut partitions = 0_u32;
        for entry in others {
            let count = if entry.is_extended() { logical_partitions(disk, entry)? } else { 1 };
            partitions = partitions.saturating_add(count);
        }
        Ok(Some(Mbr { disk: self.disk.get(), partitions }))
    }

    /// Whether a sector without partitions is a partition table all the same: new
    /// tables have an id, and boot sectors of file systems say what a sector is.
    fn is_empty_table(&self) -> bool {
        let sector_size = self.sector_size.get();
        let jumps = matches!(self.jump, [0xeb, _, 0x90] | [0xe9, ..]);
        let is_file_system = jumps && sector_size.is_power_of_two() && sector_size >= 512;
        let entries = self.entries.as_bytes();
        self.disk.get() != 0 && !is_file_system && entries.iter().all(|byte| *byte == 0)
    }
}

impl Entry {
    fn is_used(&self) -> bool {
        self.kind != 0
    }

    fn is_extended(&self) -> bool {
        EXTENDED.contains(&self.kind)
    }

    /// Whether this can be an entry on a disk with so many sectors.
    fn is_plausible(&self, disk: u64) -> bool {
        let end = u64::from(self.start.get()).saturating_add(self.sectors.get().into());
        // What protects has the size of another disk where an image was copied.
        let lies_on_disk = self.sectors.get() != 0 && end <= disk;
        let is_right = !self.is_used() || self.kind == PROTECTIVE || lies_on_disk;
        matches!(self.status, 0 | 0x80) && is_right
    }
}

/// How many partitions an extended partition holds.
fn logical_partitions(disk: &dyn Storage, extended: &Entry) -> Result<u32, StorageError> {
    let mut count = 0_u32;
    let mut seen = Vec::new();
    let mut next = 0;
    // Places count from the start of the extended partition.
    while next < extended.sectors.get() && count < MAX_LOGICAL && !seen.contains(&next) {
        seen.push(next);
        let place = u64::from(extended.start.get()).saturating_add(next.into());
        let Some(sector) = BootSector::read_at(disk, place)? else { break };
        let [partition, link, ..] = &sector.entries;
        if partition.is_used() && partition.sectors.get() != 0 {
            count = count.saturating_add(1);
        }
        if !link.is_extended() {
            break;
        }
        next = link.start.get();
    }
    Ok(count)
}
