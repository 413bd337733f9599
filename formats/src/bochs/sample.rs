//! Small valid images, for tests.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::SECTOR;
use super::header::{
    HEADER_SIZE, Header, MAGIC, Rest1, Rest2, SUBTYPE, TYPE, VERSION_1, VERSION_2,
};

/// A growing disk.
#[derive(Clone, Debug)]
pub struct Growing {
    /// [`VERSION_1`] or [`VERSION_2`].
    pub version: u32,
    /// The size of the disk in bytes.
    pub disk: u64,
    /// Entries in the catalog.
    pub catalog_entries: u32,
    /// The size of an extent's bitmap in bytes.
    pub bitmap_size: u32,
    /// The size of an extent in bytes.
    pub extent_size: u32,
    /// The extents that were written to, in the order in which they were: the
    /// number of each on the disk, and what it starts with.
    pub extents: Vec<(u32, Vec<u8>)>,
}

impl Default for Growing {
    /// An empty disk of 1 MiB, as bximage makes it.
    fn default() -> Self {
        Self {
            version: VERSION_2,
            disk: 1 << 20,
            catalog_entries: 512,
            bitmap_size: 1,
            extent_size: 4096,
            extents: Vec::new(),
        }
    }
}

impl Growing {
    /// A disk of 1 MiB in which two extents were written to, the later one first.
    #[must_use]
    pub fn written() -> Self {
        let extents = vec![(200, vec![0xaa; 4096]), (3, vec![0x55; 1000])];
        Self { extents, ..Self::default() }
    }

    /// The largest disk, of 8 TiB.
    #[must_use]
    pub fn largest() -> Self {
        let disk = 8 << 40;
        Self {
            disk,
            catalog_entries: 1 << 20,
            bitmap_size: 2048,
            extent_size: 8 << 20,
            ..Self::default()
        }
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = self.header().as_bytes().to_vec();
        for number in 0..self.catalog_entries {
            let place = self.extents.iter().position(|(written, _)| *written == number);
            let place = place.and_then(|place| u32::try_from(place).ok());
            file.extend(place.unwrap_or(u32::MAX).to_le_bytes());
        }
        for (_, content) in &self.extents {
            append(&mut file, &bitmap(content), self.bitmap_size);
            append(&mut file, content, self.extent_size);
        }
        file
    }

    fn header(&self) -> Header {
        let mut header = Header::new_zeroed();
        put(&mut header.magic, MAGIC);
        put(&mut header.type_name, TYPE);
        put(&mut header.subtype, SUBTYPE);
        header.version = self.version.into();
        header.header_size = u32::try_from(HEADER_SIZE).unwrap_or(0).into();
        header.catalog_entries = self.catalog_entries.into();
        header.bitmap_size = self.bitmap_size.into();
        header.extent_size = self.extent_size.into();
        let disk = self.disk.into();
        match self.version {
            VERSION_1 => put(&mut header.rest, Rest1 { disk }.as_bytes()),
            _ => put(&mut header.rest, Rest2 { timestamp: 0.into(), disk }.as_bytes()),
        }
        header
    }
}

/// A bit for each sector that content has, the lowest first.
fn bitmap(content: &[u8]) -> Vec<u8> {
    let sectors = (content.len() as u64).div_ceil(SECTOR);
    let byte = |first: u64| {
        let bits = (0..8).filter(|bit| first.saturating_add(*bit) < sectors);
        bits.fold(0, |byte, bit| byte | 1 << bit)
    };
    (0..sectors).step_by(8).map(byte).collect()
}

/// Appends bytes and fills up with zeros: first to a size, then to a whole sector.
fn append(file: &mut Vec<u8>, bytes: &[u8], size: u32) {
    let size = u64::from(size).next_multiple_of(SECTOR);
    let end = file.len().saturating_add(usize::try_from(size).unwrap_or(0));
    file.extend_from_slice(bytes);
    file.resize(end, 0);
}

fn put(field: &mut [u8], bytes: &[u8]) {
    for (target, source) in field.iter_mut().zip(bytes) {
        *target = *source;
    }
}
