//! Small disks with something on them, for tests.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::gpt::{self, Header};
use super::mbr::{self, BootSector, Entry};
use super::volumes::{self, BLOCK, BootRecord, Descriptor, Primary, START, ValidationEntry};
use crate::checksum::CRC_32;
use crate::guid::Guid;

/// A disk with a DOS partition table.
#[derive(Clone, Debug)]
pub struct Mbr {
    /// The size of the disk in sectors of 512 bytes.
    pub sectors: u32,
    /// The disk's id.
    pub disk: u32,
    /// The entries: type, first sector, and how many.
    pub entries: Vec<(u8, u32, u32)>,
    /// The logical partitions in the first extended one. Each takes two sectors of
    /// it, behind the one of its table.
    pub logical: u32,
}

impl Default for Mbr {
    /// A disk of 1 MiB with two partitions.
    fn default() -> Self {
        let entries = vec![(0x83, 64, 64), (0x07, 128, 1920)];
        Self { sectors: 2048, disk: 0x1234_abcd, entries, logical: 0 }
    }
}

impl Mbr {
    /// A disk of 1 MiB with a partition and an extended one.
    #[must_use]
    pub fn extended(logical: u32) -> Self {
        Self { entries: vec![(0x83, 1, 63), (0x0f, 64, 1984)], logical, ..Self::default() }
    }

    /// The disk.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut disk = vec![0; size(512, self.sectors.into())];
        put(&mut disk, 0, boot_sector(self.disk, &self.entries).as_bytes());
        let is_extended = |entry: &&(u8, u32, u32)| mbr::EXTENDED.contains(&entry.0);
        let (_, start, _) = self.entries.iter().find(is_extended).copied().unwrap_or_default();
        for number in 0..self.logical {
            let place = number.saturating_mul(4);
            let next = place.saturating_add(4);
            let mut entries = vec![(0x83, 1, 2)];
            if number.saturating_add(1) < self.logical {
                entries.push((0x05, next, 4));
            }
            let offset = size(512, start.saturating_add(place).into());
            put(&mut disk, offset, boot_sector(0, &entries).as_bytes());
        }
        disk
    }
}

/// A boot sector with these entries: type, first sector, and how many.
#[must_use]
pub fn boot_sector(disk: u32, entries: &[(u8, u32, u32)]) -> BootSector {
    let mut sector = BootSector::new_zeroed();
    sector.disk = disk.into();
    sector.signature = mbr::SIGNATURE;
    for (entry, (kind, start, sectors)) in sector.entries.iter_mut().zip(entries) {
        *entry = Entry::new_zeroed();
        entry.kind = *kind;
        entry.start = (*start).into();
        entry.sectors = (*sectors).into();
    }
    sector
}

/// A disk of 1 MiB with a FAT file system and no partition table, as Windows makes
/// it: there is text where the table would be.
#[must_use]
pub fn fat() -> Vec<u8> {
    let mut sector = boot_sector(0, &[]);
    sector.jump = [0xeb, 0x3c, 0x90];
    sector.system = *b"MSDOS5.0";
    sector.sector_size = 512.into();
    let mut disk = vec![0; 1 << 20];
    put(&mut disk, 0, sector.as_bytes());
    put(&mut disk, 430, b"Remove disks or other media.\xff\r\nDisk error\xff\r\nPress any key");
    disk
}

/// A disk with a GUID partition table.
#[derive(Clone, Debug)]
pub struct Gpt {
    /// The size of a sector in bytes.
    pub sector_size: u32,
    /// The size of the disk in sectors.
    pub sectors: u64,
    /// The disk's id.
    pub disk: Guid,
    /// How many entries there are.
    pub entries: u32,
    /// The size of an entry in bytes.
    pub entry_size: u32,
    /// How many of them are used.
    pub partitions: u32,
    /// The size of the header in bytes.
    pub header_size: u32,
    /// What the DOS partition table has besides its protection.
    pub hybrid: Vec<(u8, u32, u32)>,
}

/// The id of a sample's disk, as it is written.
pub const DISK: &str = "12345678-9abc-def0-1122-334455667788";

impl Default for Gpt {
    /// A disk of 1 MiB with three partitions.
    fn default() -> Self {
        let last = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
        Self {
            sector_size: 512,
            sectors: 2048,
            disk: Guid::new(0x1234_5678, 0x9abc, 0xdef0, last),
            entries: 128,
            entry_size: 128,
            partitions: 3,
            header_size: 92,
            hybrid: Vec::new(),
        }
    }
}

impl Gpt {
    /// A disk of 1 MiB in sectors of 4 KiB.
    #[must_use]
    pub fn with_large_sectors() -> Self {
        Self { sector_size: 4096, sectors: 256, ..Self::default() }
    }

    /// The disk.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let last = self.sectors.saturating_sub(1);
        let mut disk = vec![0; size(self.sector_size, self.sectors)];
        let protected = u32::try_from(last).unwrap_or(u32::MAX);
        let boot_sector =
            boot_sector(0, &[&[(mbr::PROTECTIVE, 1, protected)], &self.hybrid[..]].concat());
        put(&mut disk, 0, boot_sector.as_bytes());
        let entries = self.entries();
        let sectors = (entries.len() as u64).div_ceil(u64::from(self.sector_size).max(1));
        let copy = last.saturating_sub(sectors);
        for (own, other, place) in [(1, last, 2), (last, 1, copy)] {
            let header = self.header(own, other, place, &entries);
            put(&mut disk, size(self.sector_size, own), &header);
            put(&mut disk, size(self.sector_size, place), &entries);
        }
        disk
    }

    fn entries(&self) -> Vec<u8> {
        let entry_size = usize::try_from(self.entry_size).unwrap_or(0);
        let mut entries = vec![0; size(self.entry_size, self.entries.into())];
        // Used ones are the last, so that nobody stops at the first that is not.
        for entry in entries.rchunks_mut(entry_size.max(1)).take(self.partitions as usize) {
            put(entry, 0, &[0xaf; 56]);
        }
        entries
    }

    fn header(&self, own: u64, other: u64, place: u64, entries: &[u8]) -> Vec<u8> {
        let mut header = Header::new_zeroed();
        header.signature = gpt::SIGNATURE;
        header.revision = 0x1_0000.into();
        header.size = self.header_size.into();
        header.own = own.into();
        header.other = other.into();
        header.first_usable = 34.into();
        header.last_usable = self.sectors.saturating_sub(34).into();
        header.disk = self.disk;
        header.entries = place.into();
        header.entry_count = self.entries.into();
        header.entry_size = self.entry_size.into();
        header.entries_checksum = CRC_32.checksum(entries).into();
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(usize::try_from(self.header_size).unwrap_or(0), 0xee);
        header.checksum = CRC_32.checksum(&bytes).into();
        put(&mut bytes, 0, header.as_bytes());
        bytes
    }
}

/// A disc with file systems, or what tells of them.
#[derive(Clone, Debug)]
pub struct Disc {
    /// The name of an ISO 9660 volume, if there is one.
    pub volume: Option<&'static str>,
    /// Whether it can be booted from.
    pub bootable: bool,
    /// The identifier of a UDF file system, if there is one.
    pub udf: Option<[u8; 5]>,
    /// The distance between descriptors in bytes: [`BLOCK`] or the size of a sector.
    pub distance: u64,
}

impl Default for Disc {
    /// An ISO 9660 volume.
    fn default() -> Self {
        Self { volume: Some("SAMPLE"), bootable: false, udf: None, distance: BLOCK }
    }
}

/// The block with the boot catalog of a sample.
const CATALOG: u32 = 30;

impl Disc {
    /// A UDF volume and no other.
    #[must_use]
    pub fn udf() -> Self {
        Self { volume: None, udf: Some(*b"NSR02"), ..Self::default() }
    }

    /// The disc.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut disc = vec![0; 100 << 10];
        let mut offset = START;
        let mut append = |disc: &mut Vec<u8>, descriptor: &Descriptor| {
            put(disc, usize::try_from(offset).unwrap_or(0), descriptor.as_bytes());
            offset = offset.saturating_add(self.distance);
        };
        if let Some(volume) = self.volume {
            let mut primary = Primary::new_zeroed();
            primary.volume = [b' '; 32];
            put(&mut primary.volume, 0, volume.as_bytes());
            let primary = descriptor(volumes::ISO_9660, Descriptor::PRIMARY, primary.as_bytes());
            append(&mut disc, &primary);
        }
        if self.bootable {
            let mut record = BootRecord::new_zeroed();
            put(&mut record.system, 0, volumes::EL_TORITO);
            record.catalog = CATALOG.into();
            let record = descriptor(volumes::ISO_9660, Descriptor::BOOT_RECORD, record.as_bytes());
            append(&mut disc, &record);
            put(&mut disc, size(2048, CATALOG.into()), validation_entry().as_bytes());
        }
        if self.volume.is_some() {
            append(&mut disc, &descriptor(volumes::ISO_9660, Descriptor::TERMINATOR, b""));
        }
        if let Some(udf) = self.udf {
            for identifier in [volumes::EXTENDED_AREA, udf, *b"TEA01"] {
                append(&mut disc, &descriptor(identifier, 0, b""));
            }
        }
        disc
    }
}

/// A descriptor of a disc.
#[must_use]
pub fn descriptor(identifier: [u8; 5], kind: u8, content: &[u8]) -> Descriptor {
    let mut descriptor = Descriptor::new_zeroed();
    descriptor.identifier = identifier;
    descriptor.kind = kind;
    descriptor.version = 1;
    put(&mut descriptor.content, 0, content);
    descriptor
}

fn validation_entry() -> ValidationEntry {
    let mut entry = ValidationEntry::new_zeroed();
    entry.id = 1;
    entry.key = ValidationEntry::KEY;
    let (words, _) = entry.as_bytes().as_chunks();
    let sum = words.iter().map(|word| u16::from_le_bytes(*word)).fold(0, u16::wrapping_add);
    entry.checksum = sum.wrapping_neg().to_le_bytes();
    entry
}

/// So many sectors in bytes.
fn size(sector_size: u32, sectors: u64) -> usize {
    usize::try_from(sectors.saturating_mul(sector_size.into())).unwrap_or(0)
}

/// Overwrites bytes, as far as the disk goes.
fn put(disk: &mut [u8], offset: usize, bytes: &[u8]) {
    for (target, source) in disk.iter_mut().skip(offset).zip(bytes) {
        *target = *source;
    }
}
