//! The first cluster: header, extensions, name of the backing file.

use alloc::vec;
use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::super::Qcow2Error;
use super::super::error::quote;
use super::super::extension::{BACKING_FORMAT, DATA_FILE, END, FEATURE_NAMES};
use super::super::feature::{Autoclear, Compatible, Incompatible, Name};
use super::super::header::{Header, LENGTH_2, MAGIC, MIN_VERSION};
use super::super::layout::{Compression, MAX_BACKING_NAME};
use super::clusters::Clusters;
use super::shape::Shape;

/// Clusters up to this size have no room for the names of features, as with qemu-img.
const MAX_WITHOUT_NAMES: u64 = 4096;

/// The unit of the length of an extension, in bytes.
const ALIGNMENT: usize = 8;

/// The names of features: kind, bit, name (specification, "Feature name table").
const NAMES: [(u8, u8, &[u8]); 8] = [
    (Name::INCOMPATIBLE, 0, b"dirty bit"),
    (Name::INCOMPATIBLE, 1, b"corrupt bit"),
    (Name::INCOMPATIBLE, 2, b"external data file"),
    (Name::INCOMPATIBLE, 3, b"compression type"),
    (Name::INCOMPATIBLE, 4, b"extended L2 entries"),
    (Name::COMPATIBLE, 0, b"lazy refcounts"),
    (Name::AUTOCLEAR, 0, b"bitmaps"),
    (Name::AUTOCLEAR, 1, b"raw external data"),
];

/// What the file starts with.
///
/// # Errors
///
/// If a name is too long.
pub fn head(shape: &Shape, clusters: &Clusters) -> Result<Vec<u8>, Qcow2Error> {
    let mut header = header(shape, clusters)?;
    let length = if shape.version == MIN_VERSION { LENGTH_2 as usize } else { size_of::<Header>() };
    let room = usize::try_from(shape.cluster_size).unwrap_or(0).saturating_sub(length);
    if extensions(shape, None).len() > room {
        return Err(Qcow2Error::HeaderFull);
    }
    let mut tail = extensions(shape, shape.backing_format.as_deref());
    if let Some(name) = &shape.backing_file {
        let failed = |reason| Qcow2Error::BackingNotAssigned {
            name: quote(name),
            format: quote(shape.backing_format.as_deref().unwrap_or(b"(null)")),
            reason,
        };
        if name.len() as u64 > MAX_BACKING_NAME {
            return Err(failed("Invalid argument"));
        }
        header.backing_name_offset = (length.saturating_add(tail.len()) as u64).into();
        header.backing_name_length = u32::try_from(name.len()).unwrap_or(u32::MAX).into();
        tail.extend_from_slice(name);
        if tail.len() > room {
            return Err(failed("No space left on device"));
        }
    }
    Ok([header.as_bytes().get(..length).unwrap_or_default(), &tail].concat())
}

fn header(shape: &Shape, clusters: &Clusters) -> Result<Header, Qcow2Error> {
    let small = |number| u32::try_from(number).map_err(|_| Qcow2Error::SizeTooLarge);
    let (table, table_clusters) = clusters.table();
    let l1_entries = shape.l1_entries();
    let mut header = Header::new_zeroed();
    header.magic = MAGIC;
    header.version = shape.version.into();
    header.cluster_bits = shape.cluster_size.trailing_zeros().into();
    header.size = shape.size.into();
    header.l1_entries = small(l1_entries)?.into();
    // A disk of no size has no table.
    header.l1_table_offset = if l1_entries == 0 { 0 } else { clusters.l1_table() }.into();
    header.refcount_table_offset = table.into();
    header.refcount_table_clusters = small(table_clusters)?.into();
    let mut incompatible = Incompatible::empty();
    incompatible.set(Incompatible::DATA_FILE, shape.data_file.is_some());
    incompatible.set(Incompatible::COMPRESSION, shape.compression != Compression::Zlib);
    incompatible.set(Incompatible::EXTENDED_L2, shape.extended_l2);
    header.incompatible = incompatible.bits().into();
    let mut compatible = Compatible::empty();
    compatible.set(Compatible::LAZY_REFCOUNTS, shape.lazy_refcounts);
    header.compatible = compatible.bits().into();
    let mut autoclear = Autoclear::empty();
    autoclear.set(Autoclear::RAW_DATA_FILE, shape.data_file_raw);
    header.autoclear = autoclear.bits().into();
    header.refcount_order = shape.refcount_bits.trailing_zeros().into();
    header.header_length = small(size_of::<Header>() as u64)?.into();
    header.compression = match shape.compression {
        Compression::Zlib => 0,
        Compression::Zstd => 1,
    };
    Ok(header)
}

/// The extensions, in the order of qemu-img.
fn extensions(shape: &Shape, backing_format: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(name) = backing_format {
        append(&mut bytes, BACKING_FORMAT, name);
    }
    if let Some(name) = &shape.data_file {
        append(&mut bytes, DATA_FILE, name);
    }
    if shape.version > MIN_VERSION && shape.cluster_size > MAX_WITHOUT_NAMES {
        append(&mut bytes, FEATURE_NAMES, names().as_bytes());
    }
    append(&mut bytes, END, b"");
    bytes
}

/// Appends an extension.
fn append(bytes: &mut Vec<u8>, kind: u32, data: &[u8]) {
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// The feature name table.
fn names() -> Vec<Name> {
    let mut names = vec![Name::new_zeroed(); NAMES.len()];
    for (entry, (kind, bit, name)) in names.iter_mut().zip(NAMES) {
        (entry.kind, entry.bit) = (kind, bit);
        entry.name.iter_mut().zip(name).for_each(|(byte, letter)| *byte = *letter);
    }
    names
}
