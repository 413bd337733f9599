//! Valid images, for tests: fixed, dynamic and differencing disks with whatever
//! content, and images whose log is not finished.

mod log;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::{FromZeros, IntoBytes};

pub use self::log::{Change, Log};
use super::bat::{BITMAP_BLOCK_SIZE, Entry};
use super::header::{self, Header};
use super::metadata::{self, FileParameters};
pub use super::region::table_with as region_table;
use super::region::{self, Region};
pub use super::seal;
use super::{MIB, parent};
use crate::guid::Guid;

/// A VHDX image.
#[derive(Clone, Debug)]
pub struct Vhdx {
    /// The size of the disk in bytes.
    pub size: u64,
    /// The size of a payload block in bytes.
    pub block_size: u32,
    /// The size of a logical sector in bytes.
    pub sector_size: u32,
    /// Whether all blocks are there, and stay there.
    pub fixed: bool,
    /// The disk underneath.
    pub parent: Option<Parent>,
    /// The id of the data. Disks on top know their parent by it.
    pub data_write_id: Guid,
    /// The length of the log in bytes.
    pub log_length: u32,
    /// What was written to the disk: at which logical sector, and what. Elsewhere
    /// there are zeros, or the parent's sectors.
    pub content: Vec<(u64, Vec<u8>)>,
}

impl Default for Vhdx {
    /// A dynamic disk of 3 MiB.
    fn default() -> Self {
        Self {
            size: 3 * MIB,
            block_size: 1 << 20,
            sector_size: 512,
            fixed: false,
            parent: None,
            data_write_id: Guid::new(0x1234_5678, 0xdada, 0x4444, *b"the data"),
            log_length: 1 << 20,
            content: Vec::new(),
        }
    }
}

/// What a disk says of the disk underneath.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Keys and values of the parent locator.
    pub pairs: Vec<(String, String)>,
}

impl Parent {
    /// A parent with this id of its data, at a path from the folder of the disk
    /// and at an absolute path.
    #[must_use]
    pub fn new(data_write_id: Guid, relative: &str, absolute: &str) -> Self {
        let pairs = [
            ("parent_linkage", format!("{{{data_write_id}}}")),
            ("relative_path", relative.into()),
            ("absolute_win32_path", absolute.into()),
        ];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        Self { pairs: pairs.map(|(key, value)| (key.into(), value)).collect() }
    }

    /// The parent locator.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut header = parent::LocatorHeader::new_zeroed();
        header.locator_type = parent::VHDX;
        header.pairs = u16::try_from(self.pairs.len()).unwrap_or(u16::MAX).into();
        let table = self.pairs.len().saturating_mul(size_of::<parent::Pair>());
        let mut place = size_of::<parent::LocatorHeader>().saturating_add(table);
        let (mut pairs, mut texts) = (Vec::new(), Vec::new());
        for (key, value) in &self.pairs {
            let [(key_offset, key_length), (value_offset, value_length)] =
                [key, value].map(|text| {
                    let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    let offset = u32::try_from(place).unwrap_or(u32::MAX);
                    place = place.saturating_add(text.len());
                    texts.extend_from_slice(&text);
                    (offset.into(), u16::try_from(text.len()).unwrap_or(u16::MAX).into())
                });
            pairs.push(parent::Pair { key_offset, value_offset, key_length, value_length });
        }
        [header.as_bytes(), pairs.as_bytes(), &texts].concat()
    }
}

/// Where the log is, in bytes.
pub const LOG_OFFSET: u64 = MIB;

/// Where items are in the metadata, behind its table.
const ITEMS_OFFSET: u64 = metadata::TABLE_SIZE;

impl Vhdx {
    /// A disk on top of another, which is called `parent.vhdx`.
    #[must_use]
    pub fn differencing(parent: &Self) -> Self {
        let id = parent.data_write_id;
        let locator = Parent::new(id, r".\parent.vhdx", r"C:\images\parent.vhdx");
        let data_write_id = Guid::new(0x1234_5678, 0xdada, 0x5555, *b"on top\0\0");
        Self { parent: Some(locator), data_write_id, content: Vec::new(), ..parent.clone() }
    }

    /// A header of the file.
    #[must_use]
    pub fn header(&self) -> Header {
        let mut header = Header::new_zeroed();
        header.signature = header::SIGNATURE;
        header.sequence_number = 7.into();
        header.file_write_id = Guid::new(0x1234_5678, 0xf11e, 0x4444, *b"the file");
        header.data_write_id = self.data_write_id;
        header.version = header::VERSION.into();
        header.log_length = self.log_length.into();
        header.log_offset = LOG_OFFSET.into();
        header
    }

    /// The region with the metadata, behind the log.
    #[must_use]
    pub fn metadata(&self) -> Region {
        Region::new(LOG_OFFSET.saturating_add(self.log_length.into()), MIB)
    }

    /// The region with the block allocation table, behind the metadata.
    #[must_use]
    pub fn bat(&self) -> Region {
        let length = self.entries().saturating_mul(8).next_multiple_of(MIB);
        Region::new(self.metadata().end, length.max(MIB))
    }

    /// The region table.
    #[must_use]
    pub fn regions(&self) -> Vec<u8> {
        let regions = [(region::BAT, self.bat()), (region::METADATA, self.metadata())];
        let entries = regions.map(|(id, region)| region::Entry {
            id,
            offset: region.start.into(),
            length: u32::try_from(region.length()).unwrap_or(u32::MAX).into(),
            required: 1.into(),
        });
        region_table(&entries)
    }

    /// The items of the metadata.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        let mut flags = 0;
        if self.fixed {
            flags |= FileParameters::LEAVE_BLOCKS_ALLOCATED;
        }
        if self.parent.is_some() {
            flags |= FileParameters::HAS_PARENT;
        }
        let parameters = FileParameters { block_size: self.block_size.into(), flags: flags.into() };
        let disk_id = Guid::new(0x1234_5678, 0xd15c, 0x4444, *b"the disk");
        let disk = metadata::Entry::IS_REQUIRED | metadata::Entry::IS_DISK;
        let sector_size = self.sector_size.to_le_bytes();
        let mut items = Vec::from([
            Item::new(
                metadata::FILE_PARAMETERS,
                metadata::Entry::IS_REQUIRED,
                parameters.as_bytes(),
            ),
            Item::new(metadata::DISK_SIZE, disk, &self.size.to_le_bytes()),
            Item::new(metadata::DISK_ID, disk, disk_id.as_bytes()),
            Item::new(metadata::LOGICAL_SECTOR_SIZE, disk, &sector_size),
            Item::new(metadata::PHYSICAL_SECTOR_SIZE, disk, &4096_u32.to_le_bytes()),
        ]);
        let required = metadata::Entry::IS_REQUIRED;
        let locator =
            self.parent.iter().map(|it| Item::new(metadata::PARENT_LOCATOR, required, &it.bytes()));
        items.extend(locator);
        items
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes_with(&self.regions(), &self.items())
    }

    /// The file with another region table and other metadata.
    #[must_use]
    pub fn bytes_with(&self, regions: &[u8], items: &[Item]) -> Vec<u8> {
        let mut file = File::default();
        file.put(0, &header::FILE_SIGNATURE);
        let creator: Vec<u8> = "exuvia".encode_utf16().flat_map(u16::to_le_bytes).collect();
        file.put(header::FILE_SIGNATURE.len() as u64, &creator);
        put_headers(&mut file.0, &self.header());
        for offset in region::OFFSETS {
            file.put(offset, regions);
        }
        self.put_items(&mut file, items);
        file.pad_to(self.bat().end);
        if self.fixed {
            (0..self.size.div_ceil(self.block_size())).for_each(|block| {
                self.payload_block(&mut file, block);
            });
        }
        for (sector, bytes) in &self.content {
            self.write(&mut file, *sector, bytes);
        }
        file.0
    }

    fn put_items(&self, file: &mut File, items: &[Item]) {
        let start = self.metadata().start;
        let mut header = metadata::TableHeader::new_zeroed();
        header.signature = metadata::SIGNATURE;
        header.entry_count = u16::try_from(items.len()).unwrap_or(u16::MAX).into();
        file.put(start, header.as_bytes());
        let mut entry_place = start.saturating_add(header.as_bytes().len() as u64);
        let mut item_place = ITEMS_OFFSET;
        for item in items {
            let mut entry = metadata::Entry::new_zeroed();
            entry.id = item.id;
            entry.offset = u32::try_from(item_place).unwrap_or(u32::MAX).into();
            entry.length = u32::try_from(item.bytes.len()).unwrap_or(u32::MAX).into();
            entry.flags = item.flags.into();
            file.put(entry_place, entry.as_bytes());
            file.put(start.saturating_add(item_place), &item.bytes);
            entry_place = entry_place.saturating_add(entry.as_bytes().len() as u64);
            item_place = item_place.saturating_add(item.bytes.len() as u64);
        }
    }

    /// Writes logical sectors to the disk.
    fn write(&self, file: &mut File, first: u64, bytes: &[u8]) {
        let sector_size = u64::from(self.sector_size).max(1);
        let chunk_size = usize::try_from(sector_size).unwrap_or(1);
        for (sector, bytes) in (first..).zip(bytes.chunks(chunk_size)) {
            let offset = sector.saturating_mul(sector_size);
            let number = offset.checked_div(self.block_size()).unwrap_or(0);
            let within = offset.checked_rem(self.block_size()).unwrap_or(0);
            let block = self.payload_block(file, number);
            file.put(block.saturating_add(within), bytes);
            if self.parent.is_some() {
                // In the bitmap the lowest bit comes first.
                let bits = BITMAP_BLOCK_SIZE.saturating_mul(8);
                let bitmap = self.bitmap_block(file, sector.checked_div(bits).unwrap_or(0));
                let bit = sector.checked_rem(bits).unwrap_or(0);
                let place = bitmap.saturating_add(bit / 8);
                file.put(place, &[file.byte(place) | 1 << (bit % 8)]);
            }
        }
    }

    /// Where a payload block is in the file, from now on if it was not there before.
    fn payload_block(&self, file: &mut File, number: u64) -> u64 {
        let entry = number.saturating_add(number.checked_div(self.chunk_ratio()).unwrap_or(0));
        let partial = self.parent.is_some();
        let state = if partial { Entry::PARTIALLY_PRESENT } else { Entry::FULLY_PRESENT };
        self.allocate(file, entry, self.block_size(), state)
    }

    /// Where the sector bitmap block of a chunk is, likewise.
    fn bitmap_block(&self, file: &mut File, chunk: u64) -> u64 {
        let chunks = chunk.saturating_add(1);
        let entry = chunks.saturating_mul(self.chunk_ratio()).saturating_add(chunk);
        self.allocate(file, entry, BITMAP_BLOCK_SIZE, Entry::FULLY_PRESENT)
    }

    fn allocate(&self, file: &mut File, entry: u64, size: u64, state: u64) -> u64 {
        let place = self.bat().start.saturating_add(entry.saturating_mul(8));
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7].map(|at| file.byte(place.saturating_add(at)));
        let found = Entry(u64::from_le_bytes(bytes));
        if found.state() != 0 {
            return found.offset();
        }
        let start = file.length().next_multiple_of(MIB);
        file.put(place, &(start | state).to_le_bytes());
        file.pad_to(start.saturating_add(size));
        start
    }

    /// How many entries the block allocation table has.
    fn entries(&self) -> u64 {
        let blocks = self.size.div_ceil(self.block_size());
        let chunks = blocks.div_ceil(self.chunk_ratio());
        chunks.saturating_mul(self.chunk_ratio().saturating_add(1))
    }

    fn chunk_ratio(&self) -> u64 {
        let chunk = BITMAP_BLOCK_SIZE.saturating_mul(8).saturating_mul(self.sector_size.into());
        chunk.checked_div(self.block_size()).unwrap_or(1).max(1)
    }

    fn block_size(&self) -> u64 {
        u64::from(self.block_size).max(1)
    }
}

/// An item of the metadata.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub id: Guid,
    /// [`metadata::Entry::IS_REQUIRED`] and so on.
    pub flags: u32,
    /// What it says.
    pub bytes: Vec<u8>,
}

impl Item {
    /// An item.
    #[must_use]
    pub fn new(id: Guid, flags: u32, bytes: &[u8]) -> Self {
        Self { id, flags, bytes: bytes.into() }
    }
}

/// Puts a header in both places of a file. The second is current.
pub fn put_headers(file: &mut Vec<u8>, header: &Header) {
    for (offset, more) in header::OFFSETS.into_iter().zip(0..) {
        let number = header.sequence_number.get().saturating_add(more);
        let header = Header { sequence_number: number.into(), ..header.clone() };
        put(file, offset, &header.bytes());
    }
}

/// Overwrites bytes of a file, which becomes longer if need be.
fn put(file: &mut Vec<u8>, place: u64, bytes: &[u8]) {
    let place = usize::try_from(place).unwrap_or(0);
    let end = place.saturating_add(bytes.len());
    file.resize(end.max(file.len()), 0);
    for (target, source) in file.iter_mut().skip(place).zip(bytes) {
        *target = *source;
    }
}

/// A file that is being made.
#[derive(Default)]
struct File(Vec<u8>);

impl File {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn byte(&self, place: u64) -> u8 {
        let place = usize::try_from(place).ok();
        place.and_then(|place| self.0.get(place)).copied().unwrap_or(0)
    }

    /// Appends zeros up to a length.
    fn pad_to(&mut self, length: u64) {
        self.0.resize(usize::try_from(length).unwrap_or(0).max(self.0.len()), 0);
    }

    fn put(&mut self, place: u64, bytes: &[u8]) {
        put(&mut self.0, place, bytes);
    }
}
