//! Small valid images, for tests: descriptors and the three sparse extents.
//!
//! Sparse extents are empty: every grain reads as zeros, or as what the parent
//! has. A disk of several files is a [`Text`] and one file for each extent that
//! it names.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::header::{DIRECTORY_AT_END, Flags, Footer, Header, Marker};
use super::{SECTOR, cowd, header, sesparse};

/// The text of a descriptor.
#[derive(Clone, Debug)]
pub struct Text {
    /// The content id.
    pub content_id: u32,
    /// The content id of the parent.
    pub parent_content_id: u32,
    /// The type of the disk.
    pub create_type: &'static str,
    /// The name of the parent.
    pub parent: Option<Vec<u8>>,
    /// The extent lines.
    pub extents: Vec<Vec<u8>>,
    /// What ends a line.
    pub line_end: &'static str,
}

impl Text {
    /// The descriptor of a disk without parent.
    #[must_use]
    pub fn new(create_type: &'static str, extents: &[&str]) -> Self {
        Self {
            content_id: 0x1234_5678,
            parent_content_id: u32::MAX,
            create_type,
            parent: None,
            extents: extents.iter().map(|line| line.as_bytes().to_vec()).collect(),
            line_end: "\n",
        }
    }

    /// The text.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = vec![
            b"# Disk DescriptorFile".to_vec(),
            b"version=1".to_vec(),
            format!("CID={:08x}", self.content_id).into_bytes(),
            format!("parentCID={:08x}", self.parent_content_id).into_bytes(),
            format!("createType=\"{}\"", self.create_type).into_bytes(),
        ];
        if let Some(parent) = &self.parent {
            lines.push([b"parentFileNameHint=\"", &parent[..], b"\""].concat());
        }
        lines.push(b"# Extent description".to_vec());
        lines.extend(self.extents.iter().cloned());
        lines.push(b"# The Disk Data Base".to_vec());
        lines.push(b"ddb.virtualHWVersion = \"4\"".to_vec());
        lines.push(b"ddb.geometry.sectors = \"63\"".to_vec());
        lines.push(b"ddb.adapterType = \"lsilogic\"".to_vec());
        lines.push(Vec::new());
        lines.join(self.line_end.as_bytes())
    }
}

/// A hosted sparse extent.
#[derive(Clone, Debug)]
pub struct Hosted {
    /// 1 to 3.
    pub version: u32,
    /// How much of the disk it holds, in sectors.
    pub capacity: u64,
    /// The size of a grain in sectors.
    pub grain_size: u64,
    /// Its descriptor, if it is a disk of its own.
    pub descriptor: Option<Vec<u8>>,
    /// Whether there are two copies of the grain directory.
    pub redundant: bool,
    /// Whether grains are compressed, and there are markers.
    pub compressed: bool,
    /// Whether the grain directory is at the end, so that there is a footer.
    pub footer: bool,
    /// Whether it was left open.
    pub unclean: bool,
}

impl Default for Hosted {
    /// A disk of 1 MiB: `monolithicSparse`.
    fn default() -> Self {
        let descriptor = Text::new("monolithicSparse", &["RW 2048 SPARSE \"disk.vmdk\""]);
        Self {
            version: 1,
            capacity: 2048,
            grain_size: 128,
            descriptor: Some(descriptor.bytes()),
            redundant: true,
            compressed: false,
            footer: false,
            unclean: false,
        }
    }
}

impl Hosted {
    /// A disk of 1 MiB with its grain directory at the end: `streamOptimized`.
    #[must_use]
    pub fn stream_optimized() -> Self {
        let descriptor = Text::new("streamOptimized", &["RW 2048 SPARSE \"disk.vmdk\""]);
        let descriptor = Some(descriptor.bytes());
        let disk = Self { descriptor, redundant: false, ..Self::default() };
        Self { version: 3, compressed: true, footer: true, ..disk }
    }

    /// An extent of 1 MiB of a disk with a descriptor file.
    #[must_use]
    pub fn extent() -> Self {
        Self { descriptor: None, ..Self::default() }
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let covered = u64::from(header::MAX_TABLE_ENTRIES).saturating_mul(self.grain_size);
        let tables = self.capacity.div_ceil(covered.max(1));
        let directory_sectors = tables.saturating_mul(4).div_ceil(SECTOR);

        let mut file = File::default();
        // The header is put in its place at the end, when it is known.
        file.append(&[0; SECTOR_BYTES]);
        if let Some(descriptor) = &self.descriptor {
            file.append(descriptor);
            file.pad_to(DESCRIPTOR_SECTORS.saturating_add(1));
        }
        let redundant = if self.redundant { file.append_tables(tables) } else { 0 };
        let directory = if self.footer { 0 } else { file.append_tables(tables) };
        let overhead = file.sectors().next_multiple_of(self.grain_size.max(1));
        file.pad_to(overhead);

        let mut header = self.header();
        if self.descriptor.is_some() {
            header.descriptor_offset = 1.into();
            header.descriptor_size = DESCRIPTOR_SECTORS.into();
        }
        header.redundant_directory_offset = redundant.into();
        header.directory_offset = directory.into();
        header.overhead = overhead.into();
        if self.footer {
            file.append(marker(Marker::GRAIN_DIRECTORY, directory_sectors).as_bytes());
            header.directory_offset = file.sectors().into();
            file.pad_to(file.sectors().saturating_add(directory_sectors));
            let footer = Footer {
                marker: marker(Marker::FOOTER, 1),
                header: header.clone(),
                end: marker(Marker::END_OF_STREAM, 0),
            };
            file.append(footer.as_bytes());
            header.directory_offset = DIRECTORY_AT_END.into();
        }
        file.put(0, header.as_bytes());
        file.0
    }

    /// The header without the places of what is in the file.
    fn header(&self) -> Header {
        let flags = [
            (Flags::LINE_ENDS, true),
            (Flags::REDUNDANT_DIRECTORY, self.redundant),
            (Flags::ZEROED_GRAINS, self.version == 2),
            (Flags::COMPRESSED | Flags::MARKERS, self.compressed),
        ];
        let flags = flags.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag);
        let mut header = Header::new_zeroed();
        header.magic = header::MAGIC;
        header.version = self.version.into();
        header.flags = flags.collect::<Flags>().bits().into();
        header.capacity = self.capacity.into();
        header.grain_size = self.grain_size.into();
        header.table_entries = header::MAX_TABLE_ENTRIES.into();
        header.unclean_shutdown = u8::from(self.unclean);
        header.line_ends = header::LINE_ENDS;
        header.compression = u16::from(self.compressed).into();
        header
    }
}

/// An ESX sparse extent.
#[derive(Clone, Debug)]
pub struct Cowd {
    /// How much of the disk it holds, in sectors.
    pub capacity: u32,
    /// The size of a grain in sectors.
    pub grain_size: u32,
    /// A descriptor where other extents have theirs. ESX writes none.
    pub descriptor: Vec<u8>,
    /// Whether it was left open.
    pub unclean: bool,
}

impl Default for Cowd {
    /// An extent of 1 MiB.
    fn default() -> Self {
        Self { capacity: 2048, grain_size: 1, descriptor: Vec::new(), unclean: false }
    }
}

impl Cowd {
    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let covered = cowd::TABLE_ENTRIES.saturating_mul(self.grain_size.into());
        let tables = u64::from(self.capacity).div_ceil(covered.max(1));
        let directory_sectors = tables.saturating_mul(4).div_ceil(SECTOR);
        let mut header = cowd::Header::new_zeroed();
        header.magic = cowd::MAGIC;
        header.version = 1.into();
        header.flags = 3.into();
        header.capacity = self.capacity.into();
        header.grain_size = self.grain_size.into();
        header.directory_offset = 4.into();
        header.directory_entries = u32::try_from(tables).unwrap_or(u32::MAX).into();
        header.free_sector =
            u32::try_from(directory_sectors.saturating_add(4)).unwrap_or(u32::MAX).into();
        header.unclean_shutdown = u32::from(self.unclean).into();
        let mut file = File::default();
        file.append(header.as_bytes());
        file.pad_to(directory_sectors.saturating_add(4));
        file.put(SECTOR_BYTES, &self.descriptor);
        file.0
    }
}

/// A seSparse extent with one sector of grain directory.
#[derive(Clone, Debug)]
pub struct SeSparse {
    /// How much of the disk it holds, in sectors.
    pub capacity: u64,
}

impl Default for SeSparse {
    /// An extent of 1 MiB.
    fn default() -> Self {
        Self { capacity: 2048 }
    }
}

impl SeSparse {
    /// The file: two headers, the grain directory, and no grain tables.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut header = sesparse::ConstHeader::new_zeroed();
        header.magic = sesparse::MAGIC.into();
        header.version = sesparse::VERSION.into();
        header.capacity = self.capacity.into();
        header.grain_size = sesparse::GRAIN_SECTORS.into();
        header.grain_table_size = sesparse::GRAIN_TABLE_SECTORS.into();
        header.volatile_header_offset = 1.into();
        header.volatile_header_size = 1.into();
        header.grain_directory_offset = 2.into();
        header.grain_directory_size = 1.into();
        header.grain_tables_offset = 3.into();
        header.grain_tables_size = sesparse::GRAIN_TABLE_SECTORS.into();
        header.grains_offset = sesparse::GRAIN_TABLE_SECTORS.saturating_add(3).into();
        let mut volatile = sesparse::VolatileHeader::new_zeroed();
        volatile.magic = sesparse::VOLATILE_MAGIC.into();
        let mut file = File::default();
        file.append(header.as_bytes());
        file.append(volatile.as_bytes());
        file.pad_to(3);
        file.0
    }
}

/// The size of a sector, for what is in memory.
const SECTOR_BYTES: usize = 512;

/// The space for a descriptor behind a header, in sectors.
const DESCRIPTOR_SECTORS: u64 = 20;

/// A file that is being made, in whole sectors.
#[derive(Default)]
struct File(Vec<u8>);

impl File {
    fn sectors(&self) -> u64 {
        (self.0.len() as u64).div_ceil(SECTOR)
    }

    /// Appends bytes and fills up their last sector.
    fn append(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.pad_to(self.sectors());
    }

    /// Appends zeros up to a sector.
    fn pad_to(&mut self, sector: u64) {
        let length = usize::try_from(sector.saturating_mul(SECTOR)).unwrap_or(0);
        self.0.resize(length.max(self.0.len()), 0);
    }

    /// Overwrites bytes, as far as the file goes.
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        for (target, source) in self.0.iter_mut().skip(offset).zip(bytes) {
            *target = *source;
        }
    }

    /// Appends a grain directory and its empty grain tables; returns its sector.
    fn append_tables(&mut self, tables: u64) -> u64 {
        const TABLE_SECTORS: u64 = 4;
        let directory = self.sectors();
        let first = directory.saturating_add(tables.saturating_mul(4).div_ceil(SECTOR));
        let places =
            (0..tables).map(|table| first.saturating_add(table.saturating_mul(TABLE_SECTORS)));
        let places = places.map(|place| u32::try_from(place).unwrap_or(0).to_le_bytes());
        self.append(places.collect::<Vec<_>>().as_flattened());
        self.pad_to(first.saturating_add(tables.saturating_mul(TABLE_SECTORS)));
        directory
    }
}

/// A sector that says what comes next.
fn marker(kind: u32, sectors: u64) -> Marker {
    let mut marker = Marker::new_zeroed();
    marker.kind = kind.into();
    marker.sectors = sectors.into();
    marker
}

/// A descriptor with much that should not be there and all that should, which
/// is to be read all the same.
#[must_use]
pub fn odd_descriptor() -> Vec<u8> {
    let lines = [
        "# Disk DescriptorFile",
        "# createType=\"custom\"",
        " \t version = 1 ",
        "\u{b}\u{7f}garbage without a meaning",
        "parentCID=fFfFfFfF",
        "  CID\t=  0012AbCd and more",
        "CID=99999999",
        "createType  = \"twoGbMaxExtentFlat\"",
        "createType=\"vmfs\"",
        "createTypes=\"vmfsSparse\"",
        "",
        "\tRW 8 \t FLAT \"../../../../etc/passwd\" 8",
        "",
        "RW 0 FLAT \"nothing\" 0",
        "RW 16 ZERO",
        "RDONLY 8 FLAT \"/dev/null\" 0 \"\" x=\"y",
        "=",
        "ddb.uuid = \"60 00 C2 9",
    ];
    let mut text: String = lines.join("\r\n");
    text.push_str("\r\n\0createType=\"after the end\"\nRW 8 FLAT \"after the end\" 0\n");
    text.into_bytes()
}
