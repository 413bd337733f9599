//! Valid images, for tests: fixed, dynamic and differencing disks with whatever
//! content.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::footer::{self, Footer};
use super::geometry::Geometry;
use super::header::{self, Header, Locator};
use super::table::{Table, UNALLOCATED};
use super::{SECTOR, parent};
use crate::guid::Guid;

/// A VHD image.
#[derive(Clone, Debug)]
pub struct Vhd {
    /// [`Footer::FIXED`] and so on.
    pub disk_type: u32,
    /// The size of the disk in bytes.
    pub size: u64,
    /// The program that made it.
    pub creator: [u8; 4],
    /// Cylinders, heads and sectors, if they are to be others than usual.
    pub geometry: Option<(u16, u8, u8)>,
    /// The disk's id.
    pub id: Guid,
    /// The size of a block in bytes.
    pub block_size: u32,
    /// The disk underneath a differencing disk.
    pub parent: Option<Parent>,
    /// What was written to the disk: at which sector, and what. Fixed and dynamic
    /// disks have zeros elsewhere, differencing disks their parent's sectors.
    pub content: Vec<(u64, Vec<u8>)>,
}

/// The disk underneath, as a differencing disk knows it.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Its id.
    pub id: Guid,
    /// The path from the folder of the disk.
    pub relative: Option<String>,
    /// The absolute path.
    pub absolute: Option<String>,
    /// The file name in the header.
    pub file: String,
}

impl Default for Parent {
    /// `parent.vhd` in the same folder.
    fn default() -> Self {
        Self {
            id: PARENT_ID,
            relative: Some(r".\parent.vhd".into()),
            absolute: Some(r"C:\images\parent.vhd".into()),
            file: "parent.vhd".into(),
        }
    }
}

/// The id of a disk that others are on top of.
pub const PARENT_ID: Guid = Guid::from_bytes(*b"\x10\x32\x54\x76parent's id\0");

/// The size of a sector, for what is in memory.
const SECTOR_BYTES: usize = 512;

/// Where the dynamic header is, behind the copy of the footer.
const HEADER_OFFSET: u64 = SECTOR;

/// Where the block allocation table is, behind the header.
const TABLE_OFFSET: u64 = 3 * SECTOR;

impl Vhd {
    /// A fixed disk.
    #[must_use]
    pub fn fixed(size: u64) -> Self {
        Self {
            disk_type: Footer::FIXED,
            size,
            creator: *b"win ",
            geometry: None,
            id: PARENT_ID,
            block_size: 0x20_0000,
            parent: None,
            content: Vec::new(),
        }
    }

    /// A dynamic disk.
    #[must_use]
    pub fn dynamic(size: u64) -> Self {
        Self { disk_type: Footer::DYNAMIC, ..Self::fixed(size) }
    }

    /// A differencing disk.
    #[must_use]
    pub fn differencing(size: u64, parent: Parent) -> Self {
        Self {
            disk_type: Footer::DIFFERENCING,
            id: Guid::from_bytes(*b"the child's id\0\0"),
            parent: Some(parent),
            ..Self::fixed(size)
        }
    }

    /// The footer.
    #[must_use]
    pub fn footer(&self) -> Footer {
        let fixed = self.disk_type == Footer::FIXED;
        let mut footer = Footer::new_zeroed();
        footer.cookie = footer::COOKIE;
        footer.features = 2.into();
        footer.version = 0x0001_0000.into();
        footer.data_offset = if fixed { u64::MAX } else { HEADER_OFFSET }.into();
        footer.timestamp = 0x1234_5678.into();
        footer.creator = self.creator;
        footer.creator_version = 0x000a_0000.into();
        footer.creator_system = *b"Wi2k";
        footer.original_size = self.size.into();
        footer.current_size = self.size.into();
        footer.geometry = match self.geometry {
            Some((cylinders, heads, sectors)) => {
                Geometry { cylinders: cylinders.into(), heads, sectors }
            }
            None => Geometry::of(self.size / SECTOR),
        };
        footer.disk_type = self.disk_type.into();
        footer.id = self.id;
        footer.checksum = footer.sum().into();
        footer
    }

    /// The dynamic header.
    #[must_use]
    pub fn header(&self) -> Header {
        let mut header = Header::new_zeroed();
        header.cookie = header::COOKIE;
        header.data_offset = u64::MAX.into();
        header.table_offset = TABLE_OFFSET.into();
        header.version = 0x0001_0000.into();
        header.table_entries = self.blocks().into();
        header.block_size = self.block_size.into();
        if let Some(parent) = &self.parent {
            header.parent_id = parent.id;
            header.parent_timestamp = 0x1234_0000.into();
            let name = parent.file.encode_utf16().flat_map(u16::to_be_bytes);
            for (target, source) in header.parent_name.iter_mut().zip(name) {
                *target = source;
            }
            let locators = header.parent_locators.iter_mut().zip(self.locators());
            locators.for_each(|(target, (locator, _))| *target = locator);
        }
        header.checksum = footer::sum(header.as_bytes()).into();
        header
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let footer = self.footer();
        let mut file = File::default();
        if self.disk_type == Footer::FIXED {
            file.pad_to(self.size);
            for (sector, bytes) in &self.content {
                file.put(sector.saturating_mul(SECTOR), bytes);
            }
        } else {
            file.append(footer.as_bytes());
            file.append(self.header().as_bytes());
            file.append(&vec![0xff; to_size(u64::from(self.blocks()).saturating_mul(4))]);
            for (_, path) in self.locators() {
                file.append(&path);
            }
            for (sector, bytes) in &self.content {
                self.write(&mut file, *sector, bytes);
            }
        }
        file.append(footer.as_bytes());
        file.0
    }

    /// How many blocks the disk has.
    fn blocks(&self) -> u32 {
        let blocks = self.size.div_ceil(u64::from(self.block_size).max(1));
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    /// The paths of the parent and where they are, behind the table.
    fn locators(&self) -> Vec<(Locator, Vec<u8>)> {
        let Some(parent) = &self.parent else { return Vec::new() };
        let table = u64::from(self.blocks()).saturating_mul(4);
        let mut offset = TABLE_OFFSET.saturating_add(table.next_multiple_of(SECTOR));
        let paths = [(parent::RELATIVE, &parent.relative), (parent::ABSOLUTE, &parent.absolute)];
        let paths =
            paths.into_iter().filter_map(|(platform, path)| Some((platform, path.as_ref()?)));
        let locators = paths.map(|(platform, path)| {
            let path: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let space = (path.len() as u64).next_multiple_of(SECTOR);
            let mut locator = Locator::new_zeroed();
            locator.platform = platform;
            locator.space = u32::try_from(space).unwrap_or(u32::MAX).into();
            locator.length = u32::try_from(path.len()).unwrap_or(u32::MAX).into();
            locator.offset = offset.into();
            offset = offset.saturating_add(space);
            (locator, path)
        });
        locators.collect()
    }

    /// Writes sectors to the disk, as far as it goes.
    fn write(&self, file: &mut File, first: u64, bytes: &[u8]) {
        let sectors_per_block = (u64::from(self.block_size) / SECTOR).max(1);
        for (sector, bytes) in (first..).zip(bytes.chunks(SECTOR_BYTES)) {
            let block = self.allocate(file, sector.checked_div(sectors_per_block).unwrap_or(0));
            let Some(block) = block else { return };
            let within = sector.checked_rem(sectors_per_block).unwrap_or(0);
            // In the bitmap the highest bit comes first.
            let place = block.saturating_add(within / 8);
            let bit = 0x80_u8 >> (within % 8);
            file.put(place, &[file.byte(place) | bit]);
            let data = block.saturating_add(self.table().bitmap_size());
            file.put(data.saturating_add(within.saturating_mul(SECTOR)), bytes);
        }
    }

    /// Where a block is in the file, from now on if it was not there before.
    fn allocate(&self, file: &mut File, block: u64) -> Option<u64> {
        if block >= u64::from(self.blocks()) {
            return None;
        }
        let entry = TABLE_OFFSET.saturating_add(block.saturating_mul(4));
        let bytes = [0, 1, 2, 3].map(|place| file.byte(entry.saturating_add(place)));
        let sector = u32::from_be_bytes(bytes);
        if sector != UNALLOCATED {
            return Some(u64::from(sector).saturating_mul(SECTOR));
        }
        let start = file.length();
        let sector = u32::try_from(start / SECTOR).ok()?;
        file.put(entry, &sector.to_be_bytes());
        let size = self.table().bitmap_size().saturating_add(self.block_size.into());
        file.pad_to(start.saturating_add(size));
        Some(start)
    }

    fn table(&self) -> Table {
        let (entries, block_size) = (self.blocks(), self.block_size);
        Table { offset: TABLE_OFFSET, entries, block_size }
    }
}

fn to_size(length: u64) -> usize {
    usize::try_from(length).unwrap_or(0)
}

/// A file that is being made, in whole sectors.
#[derive(Default)]
struct File(Vec<u8>);

impl File {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn byte(&self, place: u64) -> u8 {
        self.0.get(to_size(place)).copied().unwrap_or(0)
    }

    /// Appends bytes and fills up their last sector.
    fn append(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.pad_to(self.length().next_multiple_of(SECTOR));
    }

    /// Appends zeros up to a length.
    fn pad_to(&mut self, length: u64) {
        self.0.resize(to_size(length).max(self.0.len()), 0);
    }

    /// Overwrites bytes, as far as the file goes.
    fn put(&mut self, place: u64, bytes: &[u8]) {
        for (target, source) in self.0.iter_mut().skip(to_size(place)).zip(bytes) {
            *target = *source;
        }
    }
}
