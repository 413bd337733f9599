//! An open qcow image.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::QcowError;
use super::header::{ENTRY_SIZE, Header, Layout, MAX_BACKING_NAME};
use super::writer;
use crate::creation::Options;
use crate::error::Error;
use crate::extent::Extent;
use crate::image::{Backing, Description, Image};
use crate::recreation::{Irreplaceable, keep_backing};
use crate::storage::{self, Storage, WholeSectors, check_range};
use crate::text::until_nul;

/// The unit of the size of the disk that users see, in bytes. What is left of
/// the last sector cannot be reached.
const SECTOR: u64 = 512;

/// An open qcow image.
pub struct QcowImage {
    pub(super) storage: Rc<dyn Storage>,
    pub(super) layout: Layout,
    /// The name of the backing file.
    backing: Option<Vec<u8>>,
}

impl QcowImage {
    /// Opens an image.
    ///
    /// # Errors
    ///
    /// If the header is damaged, or what it names is not in the file.
    pub fn open(storage: Rc<dyn Storage>) -> Result<Self, Error> {
        let storage: Rc<dyn Storage> = Rc::new(WholeSectors::new(storage));
        // A file has whole sectors, but for an empty one.
        if storage.reach(1) == 0 {
            return Err(QcowError::NoMagic.into());
        }
        let header: Header = storage::read_padded(storage.as_ref(), 0)?;
        let layout = header.layout()?;
        let length = layout.l1_entries.saturating_mul(ENTRY_SIZE);
        check_inside(storage.as_ref(), "L1 table", layout.l1_table_offset, length)?;
        let backing = match header.backing_name_offset.get() {
            0 => None,
            offset => {
                let length = header.backing_name_length.get();
                backing_name(storage.as_ref(), offset, length)?
            }
        };
        Ok(Self { storage, layout, backing })
    }
}

/// The name of the backing file, not empty.
fn backing_name(storage: &dyn Storage, offset: u64, length: u32) -> Result<Option<Vec<u8>>, Error> {
    if length > MAX_BACKING_NAME {
        return Err(QcowError::BackingNameTooLong.into());
    }
    check_inside(storage, "name of the backing file", offset, length.into())?;
    let name = storage::read_bytes(storage, offset, usize::try_from(length).unwrap_or(0))?;
    let name = until_nul(&name);
    Ok((!name.is_empty()).then(|| name.to_vec()))
}

fn check_inside(
    storage: &dyn Storage,
    what: &'static str,
    offset: u64,
    length: u64,
) -> Result<(), QcowError> {
    let outside = |_| QcowError::OutsideFile { what, offset, length };
    check_range(storage, offset, length).map_err(outside)
}

impl Image for QcowImage {
    fn description(&self) -> Description {
        let sectors = self.layout.size / SECTOR;
        Description {
            virtual_size: sectors.saturating_mul(SECTOR),
            cluster_size: Some(self.layout.cluster_size),
            encrypted: self.layout.encrypted,
            dirty: Some(false),
            backing: self.backing.clone().map(|path| Backing { path, format: None }),
            specific: None,
        }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    /// Clusters and tables have the sizes that creation gives them, for which there are no
    /// options.
    fn recreation(&self) -> Result<Options, Error> {
        if self.layout.encrypted {
            return Err(Irreplaceable::Lost("the encryption").into());
        }
        let Layout { cluster_size, l2_entries, .. } = self.layout;
        let (cluster_bits, l2_bits) = writer::bits(self.backing.is_some());
        for (what, bytes, bits) in [
            ("clusters", cluster_size, cluster_bits),
            ("tables", l2_entries.saturating_mul(ENTRY_SIZE), l2_bits.saturating_add(3)),
        ] {
            if bytes.checked_shr(bits.into()) != Some(1) {
                return Err(Irreplaceable::OtherSize { what, bytes }.into());
            }
        }
        let mut options = Options::default();
        keep_backing(&mut options, self.description().backing);
        Ok(options)
    }

    fn check_content(&self) -> Result<(), Error> {
        if self.layout.encrypted { Err(QcowError::Encrypted.into()) } else { Ok(()) }
    }
}

impl core::fmt::Debug for QcowImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { layout, backing, .. } = self;
        let mut debug = formatter.debug_struct("QcowImage");
        debug.field("layout", layout).field("backing", backing).finish()
    }
}
