//! An open VHD image.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::footer::{Footer, Found};
use super::header::Header;
use super::table::Table;
use super::writer::BLOCK_SIZE;
use super::{SECTOR, parent};
use crate::creation::{Options, Value};
use crate::error::Error;
use crate::extent::{Extent, File};
use crate::guid::Guid;
use crate::image::{Backing, Description, Holes, Identity, Image};
use crate::recreation::Irreplaceable;
use crate::storage::Storage;

/// An open VHD image.
pub struct VpcImage {
    pub(super) file: Rc<dyn Storage>,
    footer: Footer,
    /// The size of the disk in sectors.
    sectors: u64,
    pub(super) layout: Layout,
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
        /// The disk underneath.
        parent: Option<Parent>,
    },
}

/// The disk underneath a differencing disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its name.
    pub name: Vec<u8>,
    /// Its id.
    pub id: Guid,
}

impl VpcImage {
    /// Opens an image. What cannot be anything but a fixed disk is one, whatever
    /// the disk starts with.
    ///
    /// # Errors
    ///
    /// If the file has no footer, or the image is damaged.
    pub fn open(file: Rc<dyn Storage>) -> Result<Self, Error> {
        let storage = file.as_ref();
        let Found { footer, at_start } = match Footer::of_fixed_disk(storage)? {
            Some(footer) => Found { footer, at_start: false },
            None => Footer::find(storage)?,
        };
        let sectors = footer.disk_sectors()?;
        let layout =
            if at_start { Layout::blocks(storage, &footer, sectors)? } else { Layout::Fixed };
        Ok(Self { file, footer, sectors, layout })
    }

    /// Whether the disk lies in the file from its start on. One that says it is fixed
    /// does, even if there is a table.
    pub(super) fn is_fixed(&self) -> bool {
        self.layout == Layout::Fixed || self.footer.disk_type.get() == Footer::FIXED
    }

    /// The disk underneath.
    fn parent(&self) -> Option<&Parent> {
        match &self.layout {
            Layout::Blocks { parent, .. } => parent.as_ref(),
            Layout::Fixed => None,
        }
    }

    /// The unit of allocation in bytes.
    fn cluster_size(&self) -> Option<u64> {
        match &self.layout {
            Layout::Blocks { table, .. } if !self.is_fixed() => Some(table.block_size.into()),
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
        let name = is_differencing.then(|| parent::name(storage, &header)).transpose()?;
        let parent = name.map(|name| Parent { name, id: header.parent_id });
        Ok(Self::Blocks { table, parent })
    }
}

impl Image for VpcImage {
    fn description(&self) -> Description {
        let backing =
            |parent: &Parent| Backing { path: parent.name.clone(), format: Some(b"vpc".to_vec()) };
        Description {
            // No disk is larger than 2040 GiB.
            virtual_size: self.sectors.saturating_mul(SECTOR),
            cluster_size: self.cluster_size(),
            dirty: Some(false),
            backing: self.parent().map(backing),
            ..Description::default()
        }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn holes(&self, _file: File, _room: u64) -> Result<Holes, Error> {
        Ok(if self.is_fixed() { Holes::Zeros } else { Holes::Hidden })
    }

    fn recreation(&self) -> Result<Options, Error> {
        if self.parent().is_some() {
            return Err(Irreplaceable::Lost("the parent").into());
        }
        if let Some(bytes) = self.cluster_size().filter(|size| *size != BLOCK_SIZE) {
            return Err(Irreplaceable::OtherSize { what: "blocks", bytes }.into());
        }
        let subformat: &[u8] = if self.is_fixed() { b"fixed" } else { b"dynamic" };
        let mut options = Options::default();
        options.set("subformat", Value::Text(subformat.to_vec()));
        let is_sized_by_geometry = self.footer.is_sized_by_geometry(self.sectors);
        options.set("force_size", Value::Flag(!is_sized_by_geometry));
        Ok(options)
    }

    fn identity(&self) -> Identity {
        Identity { own: Some(self.footer.id), parent: self.parent().map(|parent| parent.id) }
    }
}

impl core::fmt::Debug for VpcImage {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.layout.fmt(formatter)
    }
}
