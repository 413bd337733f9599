//! An open VHD image.

use alloc::vec::Vec;

use super::footer::{Footer, Found};
use super::header::Header;
use super::table::Table;
use super::{SECTOR, parent};
use crate::error::Error;
use crate::image::{Backing, Description, Image};
use crate::storage::Storage;

/// An open VHD image.
#[derive(Clone, Debug)]
pub struct VpcImage {
    footer: Footer,
    /// The size of the disk in sectors.
    sectors: u64,
    layout: Layout,
}

/// How the disk lies in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// From the start of the file on.
    Fixed,
    /// In blocks.
    Blocks {
        /// Where they are.
        table: Table,
        /// The name of the disk underneath.
        parent: Option<Vec<u8>>,
    },
}

impl VpcImage {
    /// Opens an image. What cannot be anything but a fixed disk is one, whatever
    /// the disk starts with.
    ///
    /// # Errors
    ///
    /// If the file has no footer, or the image is damaged.
    pub fn open(storage: &dyn Storage) -> Result<Self, Error> {
        let Found { footer, at_start } = match Footer::of_fixed_disk(storage)? {
            Some(footer) => Found { footer, at_start: false },
            None => Footer::find(storage)?,
        };
        let sectors = footer.disk_sectors()?;
        let layout =
            if at_start { Layout::blocks(storage, &footer, sectors)? } else { Layout::Fixed };
        Ok(Self { footer, sectors, layout })
    }

    /// The unit of allocation in bytes. A disk that says it is fixed has none,
    /// even if there is a table.
    fn cluster_size(&self) -> Option<u64> {
        match &self.layout {
            Layout::Blocks { table, .. } if self.footer.disk_type.get() != Footer::FIXED => {
                Some(table.block_size.into())
            }
            _ => None,
        }
    }
}

impl Layout {
    fn blocks(storage: &dyn Storage, footer: &Footer, sectors: u64) -> Result<Self, Error> {
        let header = Header::read(storage, footer)?;
        let table = header.table(sectors)?;
        table.check(storage)?;
        Header::check_place(storage, footer)?;
        let is_differencing = footer.disk_type.get() == Footer::DIFFERENCING;
        let parent = is_differencing.then(|| parent::name(storage, &header)).transpose()?;
        Ok(Self::Blocks { table, parent })
    }
}

impl Image for VpcImage {
    fn description(&self) -> Description {
        let parent = match &self.layout {
            Layout::Blocks { parent, .. } => parent.clone(),
            Layout::Fixed => None,
        };
        Description {
            // No disk is larger than 2040 GiB.
            virtual_size: self.sectors.saturating_mul(SECTOR),
            cluster_size: self.cluster_size(),
            dirty: Some(false),
            backing: parent.map(|path| Backing { path, format: Some(b"vpc".to_vec()) }),
            ..Description::default()
        }
    }
}
