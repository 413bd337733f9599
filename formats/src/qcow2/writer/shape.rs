//! What an image is to be like: the options, checked.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::super::Qcow2Error;
use super::super::error::quote;
use super::super::header::{MAX_VERSION, MIN_VERSION};
use super::super::layout::{
    Compression, EXTENDED_L2_ENTRY_SIZE, L1_ENTRY_SIZE, L1_TABLE, L2_ENTRY_SIZE, MAX_CLUSTER_BITS,
    MAX_REFCOUNT_ORDER, MIN_CLUSTER_BITS, SECTOR, SUBCLUSTERS,
};
use crate::creation::{Creation, Options};
use crate::error::Error;
use crate::writer::{Preallocation, Refusal};

/// The size of a cluster if nobody says another, in bytes.
const CLUSTER_SIZE: u64 = 64 << 10;

/// The width of a reference count if nobody says another, in bits.
const REFCOUNT_BITS: u64 = 16;

/// What an image is to be like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The size of the disk in bytes, whole sectors.
    pub size: u64,
    /// 2 or 3.
    pub version: u32,
    /// The size of a cluster in bytes.
    pub cluster_size: u64,
    /// Whether clusters have subclusters.
    pub extended_l2: bool,
    /// The width of a reference count in bits.
    pub refcount_bits: u64,
    /// Whether reference counts may be written late.
    pub lazy_refcounts: bool,
    /// How compressed clusters are compressed.
    pub compression: Compression,
    /// Whether clusters are to be compressed.
    pub compress: bool,
    /// Whether every cluster has room from the start.
    pub preallocate: bool,
    /// What is to be done for the room of the files.
    pub preallocation: Preallocation,
    /// The name of the file with the data, if that is another.
    pub data_file: Option<Vec<u8>>,
    /// Whether that file can be read as a raw image.
    pub data_file_raw: bool,
    /// The name of the backing file.
    pub backing_file: Option<Vec<u8>>,
    /// The name of its format.
    pub backing_format: Option<Vec<u8>>,
}

impl Shape {
    /// What the options say. Checks are in the order of qemu-img, whose messages they
    /// have.
    ///
    /// # Errors
    ///
    /// If there is no such image.
    pub fn of(creation: &Creation<'_>) -> Result<Self, Error> {
        let options = &creation.options;
        check_encryption(options)?;
        let version = version(options)?;
        let (preallocate, preallocation) = preallocation(options)?;
        let text = |name| options.text(name).map(<[u8]>::to_vec);
        let flag = |name| options.flag(name).unwrap_or(false);
        let shape = Self {
            size: creation.size.checked_next_multiple_of(SECTOR).ok_or(Qcow2Error::SizeTooLarge)?,
            version,
            cluster_size: options.number("cluster_size").unwrap_or(CLUSTER_SIZE),
            extended_l2: flag("extended_l2"),
            refcount_bits: options.number("refcount_bits").unwrap_or(REFCOUNT_BITS),
            lazy_refcounts: flag("lazy_refcounts"),
            compression: compression(options)?,
            compress: creation.compress,
            // A raw data file is read by who does not know the tables: they must say the
            // same.
            preallocate: preallocate || flag("data_file_raw"),
            preallocation,
            data_file: text("data_file"),
            data_file_raw: flag("data_file_raw"),
            backing_file: text("backing_file"),
            backing_format: text("backing_fmt"),
        };
        shape.check_clusters()?;
        shape.check_backing(preallocate)?;
        shape.check_counts()?;
        shape.check_data_file()?;
        if shape.is_version_2() && shape.compression != Compression::Zlib {
            return Err(Qcow2Error::needs_version_3("Non-zlib compression type is").into());
        }
        shape.check_compress(preallocate)?;
        if shape.l1_entries().saturating_mul(L1_ENTRY_SIZE) > L1_TABLE.length {
            return Err(Qcow2Error::SizeTooLarge.into());
        }
        Ok(shape)
    }

    fn is_version_2(&self) -> bool {
        self.version == MIN_VERSION
    }

    fn check_clusters(&self) -> Result<(), Qcow2Error> {
        if self.is_version_2() && self.extended_l2 {
            return Err(Qcow2Error::needs_version_3("Extended L2 entries are"));
        }
        check_cluster_size(self.cluster_size, self.extended_l2)
    }

    fn check_backing(&self, preallocate: bool) -> Result<(), Qcow2Error> {
        if self.backing_file.is_some() && preallocate && !self.extended_l2 {
            Err(Qcow2Error::PreallocatedOnBacking)
        } else if self.backing_file.is_none() && self.backing_format.is_some() {
            Err(Qcow2Error::FormatWithoutBacking)
        } else {
            Ok(())
        }
    }

    fn check_counts(&self) -> Result<(), Qcow2Error> {
        if self.is_version_2() && self.lazy_refcounts {
            return Err(Qcow2Error::needs_version_3("Lazy refcounts"));
        }
        check_refcount_bits(self.refcount_bits)?;
        if self.is_version_2() && self.refcount_bits != REFCOUNT_BITS {
            return Err(Qcow2Error::RefcountBitsInVersion2 { hint: "version=v3" });
        }
        Ok(())
    }

    fn check_data_file(&self) -> Result<(), Qcow2Error> {
        if self.data_file_raw && self.data_file.is_none() {
            Err(Qcow2Error::RawWithoutDataFile)
        } else if self.data_file_raw && self.backing_file.is_some() {
            Err(Qcow2Error::RawOnBacking)
        } else if self.data_file.is_some() && self.is_version_2() {
            Err(Qcow2Error::needs_version_3("External data files are"))
        } else {
            Ok(())
        }
    }

    fn check_compress(&self, preallocate: bool) -> Result<(), Error> {
        if self.compress && preallocate {
            Err(Qcow2Error::CompressedAndPreallocated.into())
        } else if self.compress && self.data_file.is_some() {
            Err(Refusal::Compression.into())
        } else {
            Ok(())
        }
    }

    /// The size of an entry of an L2 table in bytes.
    #[must_use]
    pub fn entry_size(&self) -> u64 {
        if self.extended_l2 { EXTENDED_L2_ENTRY_SIZE } else { L2_ENTRY_SIZE }
    }

    /// Entries of an L2 table.
    #[must_use]
    pub fn l2_entries(&self) -> u64 {
        self.cluster_size.checked_div(self.entry_size()).unwrap_or(0)
    }

    /// Clusters of the disk.
    #[must_use]
    pub fn disk_clusters(&self) -> u64 {
        self.size.div_ceil(self.cluster_size)
    }

    /// Entries of the L1 table.
    #[must_use]
    pub fn l1_entries(&self) -> u64 {
        self.disk_clusters().div_ceil(self.l2_entries())
    }

    /// What is told apart as a whole, in bytes.
    #[must_use]
    pub fn unit(&self) -> u64 {
        // What is compressed is compressed by clusters.
        let has_parts = self.extended_l2 && !self.compress;
        if has_parts { self.cluster_size / SUBCLUSTERS } else { self.cluster_size }
    }
}

/// Images that nobody could read without a key are not made.
fn check_encryption(options: &Options) -> Result<(), Qcow2Error> {
    let is_wanted = options.flag("encryption").unwrap_or(false);
    if is_wanted || options.text("encrypt.format").is_some() {
        return Err(Qcow2Error::EncryptedCreation);
    }
    Ok(())
}

fn version(options: &Options) -> Result<u32, Qcow2Error> {
    match options.text("compat") {
        None | Some(b"1.1" | b"v3") => Ok(MAX_VERSION),
        Some(b"0.10" | b"v2") => Ok(MIN_VERSION),
        Some(value) => Err(not_accepted("version", value)),
    }
}

fn compression(options: &Options) -> Result<Compression, Qcow2Error> {
    match options.text("compression_type") {
        None | Some(b"zlib") => Ok(Compression::Zlib),
        Some(b"zstd") => Ok(Compression::Zstd),
        Some(value) => Err(not_accepted("compression-type", value)),
    }
}

/// Whether all clusters get room, and what is to be done for it.
pub(in super::super) fn preallocation(
    options: &Options,
) -> Result<(bool, Preallocation), Qcow2Error> {
    match options.text("preallocation") {
        None | Some(b"off") => Ok((false, Preallocation::Off)),
        Some(b"metadata") => Ok((true, Preallocation::Off)),
        Some(b"falloc") => Ok((true, Preallocation::Falloc)),
        Some(b"full") => Ok((true, Preallocation::Full)),
        Some(value) => Err(not_accepted("preallocation", value)),
    }
}

fn not_accepted(parameter: &'static str, value: &[u8]) -> Qcow2Error {
    Qcow2Error::NotAccepted { parameter, value: quote(value) }
}

/// The size of a cluster that the options say, in bytes.
pub(in super::super) fn cluster_size(options: &Options) -> u64 {
    options.number("cluster_size").unwrap_or(CLUSTER_SIZE)
}

/// The width of a reference count that the options say, in bits.
pub(in super::super) fn refcount_bits(options: &Options) -> u64 {
    options.number("refcount_bits").unwrap_or(REFCOUNT_BITS)
}

/// Whether clusters can have a size.
pub(in super::super) fn check_cluster_size(size: u64, extended_l2: bool) -> Result<(), Qcow2Error> {
    let (least, most) = (1_u64 << MIN_CLUSTER_BITS, 1_u64 << MAX_CLUSTER_BITS);
    if !size.is_power_of_two() || !(least..=most).contains(&size) {
        return Err(Qcow2Error::ClusterSize);
    }
    let least = least.saturating_mul(SUBCLUSTERS);
    if extended_l2 && size < least {
        return Err(Qcow2Error::ClusterSizeExtended { least });
    }
    Ok(())
}

/// Whether reference counts can have a width.
pub(in super::super) fn check_refcount_bits(bits: u64) -> Result<(), Qcow2Error> {
    let most = 1_u64 << MAX_REFCOUNT_ORDER;
    if !bits.is_power_of_two() || bits > most { Err(Qcow2Error::RefcountBits) } else { Ok(()) }
}

impl Qcow2Error {
    /// Something that version 2 has not.
    fn needs_version_3(what: &str) -> Self {
        Self::NeedsVersion3 { what: what.to_string() }
    }
}
