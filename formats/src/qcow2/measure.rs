//! How large an image gets, before it is made: qemu-img's figures.

pub use crate::measure::Measure;

use super::Qcow2Error;
use super::bitmap::Entry;
use super::error::quote;
use super::header::{MAX_VERSION, MIN_VERSION};
use super::layout::{EXTENDED_L2_ENTRY_SIZE, L1_ENTRY_SIZE, L1_TABLE, L2_ENTRY_SIZE};
use super::writer::clusters::refcount_clusters;
use super::writer::shape;
use crate::creation::Options;
use crate::error::Error;
use crate::image::Bitmap;
use crate::measure::{self, Ruler};
use crate::writer::Preallocation;

/// What bitmaps take in an image: their bits, their tables, and their list. Each is added
/// as it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitmapsSize {
    cluster_size: u64,
    bytes: u64,
    /// The length of the list in bytes.
    list: u64,
}

impl BitmapsSize {
    /// None, in an image with clusters of this size in bytes.
    #[must_use]
    pub fn new(cluster_size: u64) -> Self {
        Self { cluster_size, bytes: 0, list: 0 }
    }

    /// Adds a bitmap of a disk of a size in bytes.
    pub fn add(&mut self, bitmap: &Bitmap, disk: u64) {
        /// The size of an entry in the table of a bitmap, and the unit of the length of an
        /// entry of the list, in bytes.
        const ENTRY_SIZE: u64 = 8;
        let bytes = disk.div_ceil(bitmap.granularity.max(1)).div_ceil(8);
        let clusters = bytes.div_ceil(self.cluster_size.max(1));
        let table = self.in_clusters(clusters.saturating_mul(ENTRY_SIZE));
        let bytes = clusters.saturating_mul(self.cluster_size).saturating_add(table);
        self.bytes = self.bytes.saturating_add(bytes);
        let entry = (size_of::<Entry>() as u64).saturating_add(bitmap.name.len() as u64);
        self.list = self.list.saturating_add(entry.next_multiple_of(ENTRY_SIZE));
    }

    /// What they take together, in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.bytes.saturating_add(self.in_clusters(self.list))
    }

    fn in_clusters(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.cluster_size.max(1)).saturating_mul(self.cluster_size)
    }
}

/// What is to be put into the image.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A disk of a size in bytes, without data.
    Empty(u64),
    /// Another image.
    Image {
        /// The size of its disk in bytes.
        size: u64,
        /// Clusters, as large as those of the new image, in which it has data.
        clusters: u64,
        /// Its bitmaps, if its format can have some.
        bitmaps: Option<BitmapsSize>,
    },
}

/// The size of a cluster of the image that the options say, in bytes: the unit in which to
/// count where the source has data.
///
/// # Errors
///
/// If there is no such image.
pub fn cluster_size(options: &Options) -> Result<u64, Qcow2Error> {
    let size = shape::cluster_size(options);
    shape::check_cluster_size(size, options.flag("extended_l2").unwrap_or(false))?;
    Ok(size)
}

/// How large an image with these options gets. Metadata is counted as if all of the disk had
/// data.
///
/// # Errors
///
/// If there is no such image.
pub fn measure(source: &Source, options: &Options) -> Result<Measure, Qcow2Error> {
    let cluster_size = cluster_size(options)?;
    let entry_size = match options.flag("extended_l2") {
        Some(true) => EXTENDED_L2_ENTRY_SIZE,
        _ => L2_ENTRY_SIZE,
    };
    let version = version(options)?;
    let refcount_bits = shape::refcount_bits(options);
    shape::check_refcount_bits(refcount_bits)?;
    if version == MIN_VERSION && refcount_bits != 16 {
        return Err(Qcow2Error::RefcountBitsInVersion2 { hint: "compat=1.1" });
    }
    let (_, preallocation) = shape::preallocation(options).map_err(invalid_value)?;
    let too_large = Qcow2Error::MeasuredSizeTooLarge;
    let (size, clusters, bitmaps) = match source {
        Source::Empty(size) => (*size, 0, None),
        Source::Image { size, clusters, bitmaps } => (*size, *clusters, *bitmaps),
    };
    let disk = size.checked_next_multiple_of(cluster_size).ok_or(too_large.clone())?;
    let l2_entries = cluster_size.checked_div(entry_size).unwrap_or(1);
    let disk_clusters = disk.checked_div(cluster_size).unwrap_or(0);
    let l1_entries = disk_clusters.div_ceil(l2_entries);
    // An image that is there is not asked, as with qemu-img.
    let is_new = matches!(source, Source::Empty(_));
    if is_new && l1_entries.saturating_mul(L1_ENTRY_SIZE) > L1_TABLE.length {
        return Err(too_large);
    }
    let is_on_backing = !is_new && options.text("backing_file").is_some();
    let data = if is_on_backing || preallocation != Preallocation::Off {
        disk
    } else {
        clusters.saturating_mul(cluster_size)
    };
    let l1_clusters = l1_entries.saturating_mul(L1_ENTRY_SIZE).div_ceil(cluster_size);
    let tables = l1_clusters.saturating_add(l1_entries).saturating_add(1);
    let counted = tables.saturating_add(disk_clusters);
    let (table, blocks) = refcount_clusters(counted, cluster_size, refcount_bits);
    let metadata = tables.saturating_add(table).saturating_add(blocks);
    let metadata = metadata.saturating_mul(cluster_size);
    let bitmaps = bitmaps.filter(|_| version > MIN_VERSION);
    Ok(Measure {
        required: metadata.saturating_add(data),
        fully_allocated: metadata.saturating_add(disk),
        bitmaps: bitmaps.map(|bitmaps| bitmaps.total()),
    })
}

/// Says how large images with some options get.
#[derive(Clone, Debug)]
pub struct Qcow2Ruler {
    options: Options,
    cluster_size: u64,
    bitmaps: BitmapsSize,
}

impl Qcow2Ruler {
    /// For images with these options.
    ///
    /// # Errors
    ///
    /// If there are no such images.
    pub fn new(options: &Options) -> Result<Self, Qcow2Error> {
        let cluster_size = cluster_size(options)?;
        // What is wrong with the options is said before the source is looked at.
        measure(&Source::Empty(0), options)?;
        if options.text("encrypt.format") == Some(b"luks") {
            // The volume's header would have to be made to know its size.
            return Err(match options.text("encrypt.key-secret") {
                None => Qcow2Error::Encrypted,
                Some(_) => Qcow2Error::EncryptedCreation,
            });
        }
        let bitmaps = BitmapsSize::new(cluster_size);
        Ok(Self { options: options.clone(), cluster_size, bitmaps })
    }
}

impl Ruler for Qcow2Ruler {
    fn unit(&self) -> Option<u64> {
        Some(self.cluster_size)
    }

    fn add_bitmap(&mut self, bitmap: &Bitmap, disk: u64) {
        self.bitmaps.add(bitmap, disk);
    }

    fn measure(&self, source: &measure::Source) -> Result<Measure, Error> {
        let source = match *source {
            measure::Source::Empty(size) => Source::Empty(size),
            measure::Source::Image { size, units, can_have_bitmaps } => Source::Image {
                size,
                clusters: units,
                bitmaps: can_have_bitmaps.then_some(self.bitmaps),
            },
        };
        Ok(measure(&source, &self.options)?)
    }
}

/// What qemu-img says of a value when an image is measured.
fn invalid_value(error: Qcow2Error) -> Qcow2Error {
    match error {
        Qcow2Error::NotAccepted { value, .. } => Qcow2Error::InvalidValue { value },
        error => error,
    }
}

/// The version that the options say. Only the old names are known here, as with qemu-img.
fn version(options: &Options) -> Result<u32, Qcow2Error> {
    match options.text("compat") {
        None | Some(b"1.1") => Ok(MAX_VERSION),
        Some(b"0.10") => Ok(MIN_VERSION),
        Some(level) => Err(Qcow2Error::CompatibilityLevel { level: quote(level) }),
    }
}

#[cfg(test)]
mod tests;
