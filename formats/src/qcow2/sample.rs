//! Small valid images, for tests. They are empty: every cluster reads as zeros,
//! or as what the backing file has. Every cluster of the file is counted once, so
//! that the images pass a check.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::encryption::Pointer;
use super::feature::Autoclear;
use super::header::{Header, LENGTH_2, MAGIC, MAX_VERSION, MIN_VERSION};
use super::layout::{EXTENDED_L2_ENTRY_SIZE, L1_ENTRY_SIZE, L2_ENTRY_SIZE};
use super::{bitmap, extension, feature, snapshot};

/// A qcow2 image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// 2 or 3.
    pub version: u32,
    /// The size of a cluster in bytes, as a power of two.
    pub cluster_bits: u32,
    /// The size of the disk in bytes.
    pub size: u64,
    /// The width of a reference count in bits, as a power of two.
    pub refcount_order: u32,
    /// Features that one must know.
    pub incompatible: u64,
    /// Features that need not be known.
    pub compatible: u64,
    /// Features that are easily lost. That for bitmaps is added.
    pub autoclear: u64,
    /// How compressed clusters are compressed.
    pub compression: u8,
    /// How clusters are encrypted.
    pub encryption: u32,
    /// Header extensions: kind and data. That for bitmaps and that for the LUKS
    /// header are added.
    pub extensions: Vec<(u32, Vec<u8>)>,
    /// The name of the backing file.
    pub backing: Option<Vec<u8>>,
    /// Internal snapshots.
    pub snapshots: Vec<Snapshot>,
    /// Persistent bitmaps.
    pub bitmaps: Vec<Bitmap>,
    /// The LUKS header.
    pub luks_header: Option<Vec<u8>>,
}

impl Default for Sample {
    /// A disk of 1 MiB with small clusters, so that the file is small.
    fn default() -> Self {
        Self {
            version: MAX_VERSION,
            cluster_bits: 9,
            size: 1 << 20,
            refcount_order: 4,
            incompatible: 0,
            compatible: 0,
            autoclear: 0,
            compression: 0,
            encryption: 0,
            extensions: Vec::new(),
            backing: None,
            snapshots: Vec::new(),
            bitmaps: Vec::new(),
            luks_header: None,
        }
    }
}

/// An internal snapshot. It was taken of a disk of no size, so it has no L1 table.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its id.
    pub id: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
    /// When it was taken: seconds and nanoseconds.
    pub date: (u32, u32),
    /// How long the machine had run, in nanoseconds.
    pub vm_clock: u64,
    /// The size of the machine's saved state in bytes.
    pub vm_state_size: u32,
    /// Extra data.
    pub extra: Vec<u8>,
}

impl Snapshot {
    /// A snapshot with the extra data that qemu writes.
    #[must_use]
    pub fn new(id: &[u8], name: &[u8]) -> Self {
        let extra = snapshot::Extra {
            vm_state_size: 0.into(),
            disk_size: 0.into(),
            instruction_count: u64::MAX.into(),
        };
        Self {
            id: id.to_vec(),
            name: name.to_vec(),
            date: (1_700_000_000, 5),
            vm_clock: 3_723_004_000_000,
            vm_state_size: 0,
            extra: extra.as_bytes().to_vec(),
        }
    }

    /// The entry in the snapshot table.
    fn entry(&self) -> Vec<u8> {
        let mut entry = snapshot::Entry::new_zeroed();
        entry.id_length = short(&self.id).into();
        entry.name_length = short(&self.name).into();
        entry.date_seconds = self.date.0.into();
        entry.date_nanoseconds = self.date.1.into();
        entry.vm_clock = self.vm_clock.into();
        entry.vm_state_size = self.vm_state_size.into();
        entry.extra_length = long(&self.extra).into();
        [entry.as_bytes(), &self.extra, &self.id, &self.name].concat()
    }
}

/// A persistent bitmap without a bit set.
#[derive(Clone, Debug)]
pub struct Bitmap {
    /// Its name.
    pub name: Vec<u8>,
    /// Bytes of the disk that a bit stands for, as a power of two.
    pub granularity_bits: u8,
    /// [`bitmap::Flags`].
    pub flags: u32,
}

impl Bitmap {
    /// A bitmap that is to be enabled.
    #[must_use]
    pub fn new(name: &[u8], granularity_bits: u8) -> Self {
        Self { name: name.to_vec(), granularity_bits, flags: bitmap::Flags::AUTO.bits() }
    }

    /// Entries in its table, for a disk of `size` bytes.
    fn table_entries(&self, size: u64, cluster_size: u64) -> u64 {
        let granularity = 1_u64.checked_shl(self.granularity_bits.into()).unwrap_or(1);
        // Bitmaps are in words of 64 bits.
        let bytes = size.div_ceil(granularity).div_ceil(64).saturating_mul(8);
        bytes.div_ceil(cluster_size).max(1)
    }

    /// The entry in the bitmap directory.
    fn entry(&self, table_offset: u64, table_entries: u64) -> Vec<u8> {
        let mut entry = bitmap::Entry::new_zeroed();
        entry.table_offset = table_offset.into();
        entry.table_entries = u32::try_from(table_entries).unwrap_or(u32::MAX).into();
        entry.flags = self.flags.into();
        entry.kind = 1;
        entry.granularity_bits = self.granularity_bits;
        entry.name_length = short(&self.name).into();
        padded([entry.as_bytes(), &self.name].concat())
    }
}

impl Sample {
    /// The size of a cluster in bytes.
    fn cluster_size(&self) -> u64 {
        1_u64.checked_shl(self.cluster_bits).unwrap_or(u64::MAX)
    }

    /// Entries in the L1 table.
    fn l1_entries(&self) -> u64 {
        let extended = self.incompatible & feature::Incompatible::EXTENDED_L2.bits() != 0;
        let entry_size = if extended { EXTENDED_L2_ENTRY_SIZE } else { L2_ENTRY_SIZE };
        let l2_entries = self.cluster_size().div_ceil(entry_size);
        self.size.div_ceil(self.cluster_size().saturating_mul(l2_entries))
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = File { bytes: Vec::new(), cluster_size: self.cluster_size() };
        let mut extensions = self.extensions.clone();
        // The first cluster is put in its place at the end, when it is known.
        let l1_entries = self.l1_entries();
        let mut header = self.header();
        file.append(1);
        header.l1_entries = u32::try_from(l1_entries).unwrap_or(u32::MAX).into();
        header.l1_table_offset = file.append(l1_entries.saturating_mul(L1_ENTRY_SIZE)).into();
        if !self.snapshots.is_empty() {
            header.snapshot_count = u32::try_from(self.snapshots.len()).unwrap_or(u32::MAX).into();
            header.snapshot_table_offset = file.append_bytes(&self.snapshot_table()).into();
        }
        if !self.bitmaps.is_empty() {
            let data = self.append_bitmaps(&mut file);
            extensions.push((extension::BITMAPS, data.as_bytes().to_vec()));
        }
        if let Some(luks_header) = &self.luks_header {
            let (offset, length) = (file.append_bytes(luks_header), luks_header.len() as u64);
            let pointer = Pointer { offset: offset.into(), length: length.into() };
            extensions.push((extension::ENCRYPTION, pointer.as_bytes().to_vec()));
        }
        let (offset, clusters) = file.append_refcounts(self.refcount_order);
        header.refcount_table_offset = offset.into();
        header.refcount_table_clusters = u32::try_from(clusters).unwrap_or(u32::MAX).into();
        file.put(0, &self.first_cluster(header, &extensions));
        file.bytes
    }

    /// The header without the places of what is in the file.
    fn header(&self) -> Header {
        let bitmaps = if self.bitmaps.is_empty() { 0 } else { Autoclear::BITMAPS.bits() };
        let mut header = Header::new_zeroed();
        header.magic = MAGIC;
        header.version = self.version.into();
        header.cluster_bits = self.cluster_bits.into();
        header.size = self.size.into();
        header.encryption = self.encryption.into();
        header.incompatible = self.incompatible.into();
        header.compatible = self.compatible.into();
        header.autoclear = (self.autoclear | bitmaps).into();
        header.refcount_order = self.refcount_order.into();
        header.header_length = u32::try_from(size_of::<Header>()).unwrap_or(u32::MAX).into();
        header.compression = self.compression;
        header
    }

    /// Header, extensions, name of the backing file.
    fn first_cluster(&self, mut header: Header, extensions: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let is_2 = self.version == MIN_VERSION;
        let length = if is_2 { LENGTH_2 as usize } else { size_of::<Header>() };
        let mut tail = Vec::new();
        for (kind, data) in extensions {
            tail.extend_from_slice(&kind.to_be_bytes());
            tail.extend_from_slice(&long(data).to_be_bytes());
            tail.extend_from_slice(&padded(data.clone()));
        }
        tail.extend_from_slice(&[0; 8]);
        if let Some(name) = &self.backing {
            let offset = length.saturating_add(tail.len()) as u64;
            header.backing_name_offset = offset.into();
            header.backing_name_length = long(name).into();
            tail.extend_from_slice(name);
        }
        [header.as_bytes().get(..length).unwrap_or_default(), &tail].concat()
    }

    fn snapshot_table(&self) -> Vec<u8> {
        let entries = self.snapshots.iter().map(|snapshot| padded(snapshot.entry()));
        entries.collect::<Vec<_>>().concat()
    }

    /// Appends the tables of all bitmaps and the directory.
    fn append_bitmaps(&self, file: &mut File) -> bitmap::Extension {
        let entries = self.bitmaps.iter().map(|bitmap| {
            let entries = bitmap.table_entries(self.size, self.cluster_size());
            bitmap.entry(file.append(entries.saturating_mul(8)), entries)
        });
        let directory = entries.collect::<Vec<_>>().concat();
        bitmap::Extension {
            count: u32::try_from(self.bitmaps.len()).unwrap_or(u32::MAX).into(),
            reserved: 0.into(),
            directory_length: (directory.len() as u64).into(),
            directory_offset: file.append_bytes(&directory).into(),
        }
    }
}

/// A file that is being made, in whole clusters.
struct File {
    bytes: Vec<u8>,
    cluster_size: u64,
}

impl File {
    fn clusters(&self) -> u64 {
        (self.bytes.len() as u64).div_ceil(self.cluster_size)
    }

    /// Appends zeros and fills up their last cluster; returns where they start.
    fn append(&mut self, length: u64) -> u64 {
        let start = self.bytes.len() as u64;
        let end = start.saturating_add(length).next_multiple_of(self.cluster_size);
        self.bytes.resize(usize::try_from(end).unwrap_or(0), 0);
        start
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> u64 {
        let start = self.append(bytes.len() as u64);
        self.put(start, bytes);
        start
    }

    /// Overwrites bytes, as far as the file goes.
    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        for (target, source) in self.bytes.iter_mut().skip(offset).zip(bytes) {
            *target = *source;
        }
    }

    /// Appends refcount table and refcount blocks that count every cluster once,
    /// their own included. Returns where the table is, and its clusters.
    fn append_refcounts(&mut self, order: u32) -> (u64, u64) {
        let bits = 1_u64.checked_shl(order).unwrap_or(1);
        let counts_in_block = self.cluster_size.saturating_mul(8).div_ceil(bits);
        let (mut table, mut blocks) = (1_u64, 1_u64);
        let clusters = loop {
            let clusters = self.clusters().saturating_add(table).saturating_add(blocks);
            let needed = clusters.div_ceil(counts_in_block);
            let needed_table = needed.saturating_mul(8).div_ceil(self.cluster_size);
            if (needed, needed_table) == (blocks, table) {
                break clusters;
            }
            (table, blocks) = (needed_table, needed);
        };
        let table_offset = self.append(table.saturating_mul(self.cluster_size));
        let first_block = self.append(blocks.saturating_mul(self.cluster_size));
        for block in 0..blocks {
            let place = first_block.saturating_add(block.saturating_mul(self.cluster_size));
            let entry = table_offset.saturating_add(block.saturating_mul(8));
            self.put(entry, &place.to_be_bytes());
        }
        self.put(first_block, &ones(clusters, bits));
        (table_offset, table)
    }
}

/// So many counts of one, each `bits` wide.
fn ones(count: u64, bits: u64) -> Vec<u8> {
    let length = usize::try_from(count.saturating_mul(bits).div_ceil(8)).unwrap_or(0);
    let mut bytes = vec![0; length];
    // Counts narrower than a byte start with its lowest bit; wider ones end with
    // their lowest byte.
    for index in 0..count {
        let first = index.saturating_mul(bits);
        let lowest = if bits < 8 { first } else { first.saturating_add(bits).saturating_sub(8) };
        let byte = usize::try_from(lowest / 8).ok().and_then(|place| bytes.get_mut(place));
        let bit = 1_u8.checked_shl(u32::try_from(lowest % 8).unwrap_or(0));
        if let (Some(byte), Some(bit)) = (byte, bit) {
            *byte |= bit;
        }
    }
    bytes
}

/// Bytes with zeros up to a multiple of 8.
fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn short(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}

fn long(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
