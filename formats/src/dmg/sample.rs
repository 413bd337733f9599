//! Small valid images, for tests.
//!
//! Chunks that are zeros, stored as they are, or with Deflate (which may store as
//! well) can be read. There are no encoders for the others: they get bytes that
//! only look like theirs.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::table::Header;
use super::trailer::OnDisk as Trailer;
use super::{chunk, resource_fork, table, trailer};
use crate::samples::zlib_stored;

/// An image.
#[derive(Clone, Debug)]
pub struct Udif {
    /// The size of the disk in sectors.
    pub sectors: u64,
    /// The partitions: the first sector of each, and its chunks.
    pub tables: Vec<(u64, Vec<Chunk>)>,
    /// Where tables are.
    pub place: Place,
}

/// A chunk of a sample.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// How it is stored, as the number in the file.
    pub kind: u32,
    /// How many sectors it has.
    pub sectors: u64,
    /// What is stored.
    pub stored: Vec<u8>,
}

/// Where tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a resource fork.
    ResourceFork,
    /// In a property list.
    PropertyList,
}

impl Default for Udif {
    /// A disk of 64 KiB with a chunk of each kind that can be read: raw, zeros,
    /// with Deflate, and not used.
    fn default() -> Self {
        let chunks = vec![
            Chunk::raw(&[0xaa; 16 << 10]),
            Chunk::new(0, 32, &[]),
            Chunk::deflated(&[0x55; 16 << 10]),
            Chunk::new(2, 32, &[]),
        ];
        Self { sectors: 128, tables: vec![(0, chunks)], place: Place::PropertyList }
    }
}

impl Chunk {
    /// A chunk with these numbers.
    #[must_use]
    pub fn new(kind: u32, sectors: u64, stored: &[u8]) -> Self {
        Self { kind, sectors, stored: stored.to_vec() }
    }

    /// A chunk that is stored as it is.
    #[must_use]
    pub fn raw(bytes: &[u8]) -> Self {
        Self::new(1, (bytes.len() as u64).div_ceil(super::SECTOR), bytes)
    }

    /// A chunk in a zlib stream.
    #[must_use]
    pub fn deflated(bytes: &[u8]) -> Self {
        Self { kind: 0x8000_0005, stored: zlib_stored(bytes), ..Self::raw(bytes) }
    }
}

impl Udif {
    /// A disk with two partitions, in which chunks are stored in every way.
    #[must_use]
    pub fn every_kind() -> Self {
        let first = vec![
            Chunk::new(chunk::COMMENT, 0, b"+beg"),
            Chunk::raw(&[1; 1000]),
            Chunk::new(0, 100_000, &[]),
            Chunk::new(2, 30, &[]),
            Chunk::new(0x8000_0004, 8, b"ADC has no signature"),
            Chunk::deflated(&[2; 1024]),
        ];
        let second = vec![
            Chunk::new(0x8000_0006, 8, b"BZh91AY&SY"),
            Chunk::new(0x8000_0007, 8, b"bvx$"),
            Chunk::new(0x8000_0008, 8, b"\xfd7zXZ\0"),
            Chunk::new(chunk::COMMENT, 0, b"+end"),
        ];
        let tables = vec![(0, first), (100_042, second)];
        Self { sectors: 100_066, tables, ..Self::default() }
    }

    /// A disk whose chunks are all stored in one way.
    #[must_use]
    pub fn of_kind(kind: u32) -> Self {
        let chunk = Chunk::new(kind, 8, &[7; 4096]);
        Self { sectors: 8, tables: vec![(0, vec![chunk])], ..Self::default() }
    }

    /// The same image with its tables in a resource fork.
    #[must_use]
    pub fn with_resource_fork(self) -> Self {
        Self { place: Place::ResourceFork, ..self }
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let fork = |table: &Vec<u8>| -> Vec<u8> {
            [&u32::try_from(table.len()).unwrap_or(0).to_be_bytes(), &table[..]].concat()
        };
        let tables = self.encoded_tables();
        match self.place {
            Place::ResourceFork => {
                let mut resources: Vec<Vec<u8>> = tables.iter().map(fork).collect();
                resources.push(fork(&b"another resource".to_vec()));
                self.with_fork(&resource_fork(&resources.concat()))
            }
            Place::PropertyList => self.with_list(property_list(&tables).as_bytes()),
        }
    }

    /// The file, with another resource fork.
    #[must_use]
    pub fn with_fork(&self, fork: &[u8]) -> Vec<u8> {
        self.with_parts(fork, b"")
    }

    /// The file, with another property list.
    #[must_use]
    pub fn with_list(&self, list: &[u8]) -> Vec<u8> {
        self.with_parts(b"", list)
    }

    fn with_parts(&self, fork: &[u8], list: &[u8]) -> Vec<u8> {
        let mut file = self.data_fork();
        let mut on_disk = Trailer::new_zeroed();
        on_disk.magic = trailer::MAGIC;
        on_disk.version = trailer::VERSION.into();
        on_disk.size = trailer::TRAILER_SIZE.into();
        on_disk.flags = 1.into();
        on_disk.data_fork_length = (file.len() as u64).into();
        on_disk.segment_number = 1.into();
        on_disk.segment_count = 1.into();
        on_disk.variant = 1.into();
        on_disk.sectors = self.sectors.into();
        if !fork.is_empty() {
            on_disk.resource_fork_offset = (file.len() as u64).into();
            on_disk.resource_fork_length = (fork.len() as u64).into();
            file.extend_from_slice(fork);
        }
        if !list.is_empty() {
            on_disk.property_list_offset = (file.len() as u64).into();
            on_disk.property_list_length = (list.len() as u64).into();
            file.extend_from_slice(list);
        }
        file.extend_from_slice(on_disk.as_bytes());
        file
    }

    /// What chunks have stored, one after the other.
    fn data_fork(&self) -> Vec<u8> {
        let chunks = self.tables.iter().flat_map(|(_, chunks)| chunks);
        let stored = chunks.filter(|chunk| chunk.kind != chunk::COMMENT);
        stored.map(|chunk| &chunk.stored[..]).collect::<Vec<_>>().concat()
    }

    /// The tables as resources.
    #[must_use]
    pub fn encoded_tables(&self) -> Vec<Vec<u8>> {
        let mut place = 0;
        let tables = self.tables.iter().zip(0..);
        tables
            .map(|((sector, chunks), number)| table(*sector, chunks, number, &mut place))
            .collect()
    }
}

/// A table as a resource.
fn table(first: u64, chunks: &[Chunk], number: u32, place: &mut u64) -> Vec<u8> {
    let mut sector = 0_u64;
    let mut entries = Vec::new();
    for chunk in chunks {
        let mut entry = chunk::OnDisk::new_zeroed();
        entry.kind = chunk.kind.into();
        entry.sector = sector.into();
        entry.sectors = chunk.sectors.into();
        entry.offset = (*place).into();
        match chunk.stored.first_chunk() {
            Some(comment) if chunk.kind == chunk::COMMENT => {
                entry.comment = u32::from_be_bytes(*comment).into();
            }
            _ => {
                entry.length = (chunk.stored.len() as u64).into();
                *place = place.saturating_add(chunk.stored.len() as u64);
            }
        }
        sector = sector.saturating_add(chunk.sectors);
        entries.push(entry);
    }
    let mut terminator = chunk::OnDisk::new_zeroed();
    terminator.kind = chunk::TERMINATOR.into();
    terminator.sector = sector.into();
    terminator.offset = (*place).into();
    entries.push(terminator);
    let mut header = Header::new_zeroed();
    header.magic = table::MAGIC;
    header.version = 1.into();
    header.sector = first.into();
    header.sectors = sector.into();
    header.buffers_needed = 2056.into();
    header.partition = number.into();
    header.entries = u32::try_from(entries.len()).unwrap_or(u32::MAX).into();
    [header.as_bytes(), entries.as_bytes()].concat()
}

/// A resource fork with these resources, each behind its length.
#[must_use]
pub fn resource_fork(resources: &[u8]) -> Vec<u8> {
    const START: u32 = 256;
    const MAP: [u8; 30] = [0; 30];
    let length = u32::try_from(resources.len()).unwrap_or(0);
    let header = resource_fork::Header {
        data_offset: START.into(),
        map_offset: START.saturating_add(length).into(),
        data_length: length.into(),
        map_length: 30.into(),
    };
    [header.as_bytes(), &[0; 240], resources, &MAP].concat()
}

/// A property list with these tables.
#[must_use]
pub fn property_list(tables: &[Vec<u8>]) -> String {
    let partitions = tables.iter().enumerate().map(|(number, table)| {
        format!(
            "\t\t\t<dict>\n\t\t\t\t<key>Attributes</key>\n\t\t\t\t<string>0x0050</string>\n\
             \t\t\t\t<key>CFName</key>\n\t\t\t\t<string>disk image (Apple_HFS : {number})</string>\n\
             \t\t\t\t<key>Data</key>\n\t\t\t\t<data>\n{}\t\t\t\t</data>\n\
             \t\t\t\t<key>ID</key>\n\t\t\t\t<string>{number}</string>\n\
             \t\t\t\t<key>Name</key>\n\t\t\t\t<string>disk image</string>\n\t\t\t</dict>\n",
            base64(table)
        )
    });
    let partitions: String = partitions.collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n\t<key>resource-fork</key>\n\t<dict>\n\
         \t\t<key>blkx</key>\n\t\t<array>\n{partitions}\t\t</array>\n\
         \t\t<key>plst</key>\n\t\t<array>\n\t\t\t<dict>\n\t\t\t\t<key>Data</key>\n\
         \t\t\t\t<data>\n{}\t\t\t\t</data>\n\t\t\t</dict>\n\t\t</array>\n\
         \t</dict>\n</dict>\n</plist>\n",
        base64(&[0; 100])
    )
}

/// Bytes in base64, in lines as macOS writes them.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for line in bytes.chunks(39) {
        text.push_str("\t\t\t\t");
        for group in line.chunks(3) {
            let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
            let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
            for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
                let value = usize::try_from((bits >> shift) & 63).unwrap_or(0);
                let letter = ALPHABET.get(value).copied().filter(|_| index <= group.len());
                text.push(char::from(letter.unwrap_or(b'=')));
            }
        }
        text.push('\n');
    }
    text
}
