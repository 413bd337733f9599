//! An open qcow2 image.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::encryption::Encryption;
use super::extension::Extra;
use super::feature::{Autoclear, Compatible, Incompatible};
use super::header::MIN_VERSION;
use super::layout::Layout;
use super::{Qcow2Error, refcounts, snapshot};
use crate::creation::{Options, Value};
use crate::error::Error;
use crate::extent::{Extent, File};
use crate::image::{
    Backing, Description, Holes, Image, Part, Qcow2, Qcow2Encryption, Qcow2Version3, Reference,
    Role, SnapshotChoice, Specific, Visitor,
};
use crate::recreation::{Irreplaceable, keep_backing};
use crate::storage::{Storage, WholeSectors};
use crate::text::until_nul;

/// An open qcow2 image.
#[derive(Clone)]
pub struct Qcow2Image {
    pub(super) storage: Rc<dyn Storage>,
    pub(super) layout: Layout,
    extra: Extra,
    encryption: Option<Encryption>,
    /// The name of the backing file.
    backing: Option<Vec<u8>>,
    /// Whether the file with the data is there, if that is another.
    has_data: bool,
}

impl Qcow2Image {
    /// Opens an image. Snapshots and bitmaps are looked at when somebody asks for
    /// them.
    ///
    /// # Errors
    ///
    /// If the header or an extension is damaged or uses what is not supported, or
    /// what they name is not in the file.
    pub fn open(storage: Rc<dyn Storage>) -> Result<Self, Error> {
        let storage: Rc<dyn Storage> = Rc::new(WholeSectors::new(storage));
        let layout = Layout::read(storage.as_ref())?;
        let extra = Extra::read(storage.as_ref(), &layout)?;
        let encryption = layout.encryption;
        let read = |method| Encryption::read(method, extra.luks_header, &storage);
        let encryption = encryption.map(read).transpose()?;
        let backing = layout.read_backing_name(storage.as_ref())?;
        let backing = backing.map(|name| until_nul(&name).to_vec()).filter(|name| !name.is_empty());
        Ok(Self { storage, layout, extra, encryption, backing, has_data: false })
    }

    pub(super) fn has(&self, feature: Incompatible) -> bool {
        self.layout.features.incompatible.contains(feature)
    }

    /// What version 3 adds, if it is that.
    fn version_3(&self) -> Option<Qcow2Version3> {
        let features = &self.layout.features;
        let raw = features.autoclear.contains(Autoclear::RAW_DATA_FILE);
        (self.layout.version > MIN_VERSION).then(|| Qcow2Version3 {
            lazy_refcounts: features.compatible.contains(Compatible::LAZY_REFCOUNTS),
            corrupt: self.has(Incompatible::CORRUPT),
            extended_l2: self.has(Incompatible::EXTENDED_L2),
            data_file: self.extra.data_file.clone(),
            data_file_raw: self.has(Incompatible::DATA_FILE).then_some(raw),
            has_bitmaps: self.extra.bitmaps.is_some(),
        })
    }

    /// The name of the file with the data, if that is another and has a name here.
    fn data_file(&self) -> Option<&[u8]> {
        let name = self.extra.data_file.as_deref().filter(|name| !name.is_empty());
        name.filter(|_| self.has(Incompatible::DATA_FILE))
    }
}

impl Image for Qcow2Image {
    fn description(&self) -> Description {
        let format = self.extra.backing_format.clone().filter(|name| !name.is_empty());
        Description {
            virtual_size: self.layout.virtual_size,
            cluster_size: Some(self.layout.cluster_size),
            encrypted: self.layout.encryption.is_some(),
            dirty: Some(self.has(Incompatible::DIRTY)),
            backing: self.backing.clone().map(|path| Backing { path, format }),
            specific: Some(Specific::Qcow2(Qcow2 {
                refcount_bits: self.layout.refcount_bits,
                compression: self.layout.compression.name(),
                version_3: self.version_3(),
                encryption: self.encryption.as_ref().map(|encryption| match encryption {
                    Encryption::Aes => Qcow2Encryption::Aes,
                    Encryption::Luks(volume) => Qcow2Encryption::Luks(volume.description(false)),
                }),
            })),
        }
    }

    fn visit_parts(&self, visit: &mut Visitor<'_>) -> Result<(), Error> {
        if let Some(Encryption::Luks(volume)) = &self.encryption {
            volume.key_slots().try_for_each(|slot| visit(Part::KeySlot(slot)))?;
        }
        let storage = self.storage.as_ref();
        snapshot::visit(storage, &self.layout, visit)?;
        match &self.extra.bitmaps {
            Some(bitmaps) => bitmaps.visit(storage, &self.layout, visit),
            None => Ok(()),
        }
    }

    fn can_have_bitmaps(&self) -> bool {
        self.layout.version > MIN_VERSION
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn holes(&self, _file: File, room: u64) -> Result<Holes, Error> {
        let storage = self.storage.as_ref();
        let preallocated = refcounts::has_more_clusters_than_room(storage, &self.layout, room);
        Ok(if preallocated { Holes::Zeros } else { Holes::Hidden })
    }

    fn check_content(&self) -> Result<(), Error> {
        if self.has(Incompatible::DATA_FILE) && !self.has_data {
            return Err(Qcow2Error::NoDataFile.into());
        }
        if self.layout.encryption.is_some() {
            return Err(Qcow2Error::Encrypted.into());
        }
        Ok(())
    }

    fn recreation(&self) -> Result<Options, Error> {
        if self.has(Incompatible::CORRUPT) {
            return Err(Qcow2Error::MarkedAsCorrupt.into());
        }
        let lost = [
            (self.layout.encryption.is_some(), "the encryption"),
            (self.layout.snapshot_count > 0, "internal snapshots"),
            (self.extra.bitmaps.is_some(), "bitmaps"),
            (self.extra.has_unknown, "header extensions that are not known"),
        ];
        if let Some((_, what)) = lost.into_iter().find(|(is_there, _)| *is_there) {
            return Err(Irreplaceable::Lost(what).into());
        }
        if self.has(Incompatible::DATA_FILE) {
            return Err(Irreplaceable::SeveralFiles.into());
        }
        let features = &self.layout.features;
        let compat = if self.layout.version == MIN_VERSION { "0.10" } else { "1.1" };
        let lazy = features.compatible.contains(Compatible::LAZY_REFCOUNTS);
        let compression = self.layout.compression.name();
        let mut options = Options::default();
        options.set("compat", Value::Text(compat.into()));
        options.set("cluster_size", Value::Number(self.layout.cluster_size));
        options.set("refcount_bits", Value::Number(self.layout.refcount_bits));
        options.set("lazy_refcounts", Value::Flag(lazy));
        options.set("extended_l2", Value::Flag(self.has(Incompatible::EXTENDED_L2)));
        options.set("compression_type", Value::Text(compression.into()));
        keep_backing(&mut options, self.description().backing);
        Ok(options)
    }

    fn snapshot(&self, wanted: &SnapshotChoice) -> Result<Box<dyn Image>, Error> {
        let layout = snapshot::layout(self.storage.as_ref(), &self.layout, wanted)?;
        Ok(Box::new(Self { layout, ..self.clone() }))
    }

    fn references(&self) -> Vec<Reference> {
        let reference = |name: &[u8]| Reference { path: name.to_vec(), role: Role::Data };
        self.data_file().map(reference).into_iter().collect()
    }

    fn attach(&mut self, index: usize, _storage: Rc<dyn Storage>) -> Result<(), Error> {
        // The data is plain bytes, of which there is nothing to check.
        match (self.data_file(), index) {
            (Some(_), 0) => {
                self.has_data = true;
                Ok(())
            }
            _ => Err(Qcow2Error::NoSuchReference { index }.into()),
        }
    }
}

impl core::fmt::Debug for Qcow2Image {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { layout, extra, encryption, backing, .. } = self;
        let mut debug = formatter.debug_struct("Qcow2Image");
        debug
            .field("layout", layout)
            .field("extra", extra)
            .field("encryption", encryption)
            .field("backing", backing)
            .finish()
    }
}
