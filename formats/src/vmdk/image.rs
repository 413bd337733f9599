//! An open VMDK image: its extents, and what its descriptor says of the disk.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::descriptor::Descriptor;
use super::error::quote;
use super::extent::{ExtentLine, ExtentType};
use super::sparse::Sparse;
use super::writer::GRAIN;
use super::{MONOLITHIC_SPARSE, SECTOR, STREAM_OPTIMIZED, VmdkError, sesparse};
use crate::creation::{Options, Value};
use crate::error::Error;
use crate::extent;
use crate::image::{
    self, Backing, Description, ExtentFile, Image, MAX_DISK, Part, Reference, Role, Specific,
    Visitor, Vmdk,
};
use crate::recreation::Irreplaceable;
use crate::storage::Storage;

/// The types of disks whose extents are files of their own. `vmfsThin` is `vmfs`
/// by another name.
const TYPES_WITH_EXTENT_FILES: [&[u8]; 7] = [
    b"monolithicFlat",
    b"vmfs",
    b"vmfsThin",
    b"vmfsSparse",
    b"seSparse",
    b"twoGbMaxExtentSparse",
    b"twoGbMaxExtentFlat",
];

/// The largest compressed grain in bytes that is decompressed: that of the largest
/// compressed units of other formats. VMware's have 64 KiB.
pub const MAX_COMPRESSED_GRAIN: u64 = 2 << 20;

/// An open VMDK image.
#[derive(Clone, Debug)]
pub struct VmdkImage {
    create_type: Vec<u8>,
    content_id: u32,
    parent_content_id: u32,
    /// The file name of the parent.
    parent: Option<Vec<u8>>,
    /// What it says of the machine that the disk is for, by the names of options.
    machine: Vec<(&'static str, Vec<u8>)>,
    /// In their order on the disk.
    extents: Vec<Extent>,
    /// Those of them that are in other files.
    referenced: Vec<usize>,
    /// The size of the disk in bytes.
    size: u64,
}

/// An extent of an open image.
#[derive(Clone)]
pub struct Extent {
    /// Where it is.
    pub file: File,
    /// That file, if it is there.
    pub storage: Option<Rc<dyn Storage>>,
    /// The position of the file among the references of the image, if it is another
    /// than the image's own.
    pub reference: Option<usize>,
    /// Where on the disk it starts, in bytes.
    pub start: u64,
    /// How much of the disk it holds, in sectors.
    pub sectors: u64,
    /// What is in it.
    pub content: Content,
}

/// Where an extent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// In the image's own file.
    Own,
    /// In another one, or nowhere if it holds zeros, as a line of the descriptor
    /// says.
    Named {
        /// What the line says it is.
        extent_type: ExtentType,
        /// The name of the file, empty if there is none.
        name: Vec<u8>,
    },
}

/// What is in an extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The bytes of the disk, from a sector of the file on.
    Flat {
        /// That sector.
        offset: u64,
    },
    /// Grains.
    Sparse(Sparse),
    /// Grains in a file that has not been attached yet.
    UnknownSparse,
    /// Zeros.
    Zero,
}

impl VmdkImage {
    /// An image whose only extent is in its own file.
    ///
    /// # Errors
    ///
    /// If the descriptor is missing or invalid, or the disk too large.
    pub fn with_own_extent(
        file: Rc<dyn Storage>,
        create_type: &[u8],
        extent: Sparse,
        descriptor: &Descriptor,
    ) -> Result<Self, Error> {
        if !descriptor.is_present() {
            return Err(VmdkError::NoDescriptor.into());
        }
        let extent = Extent {
            file: File::Own,
            storage: Some(file),
            reference: None,
            start: 0,
            sectors: extent.capacity,
            content: Content::Sparse(extent),
        };
        Ok(Self::new(create_type, vec![extent], descriptor)?)
    }

    /// An image with extents in other files. They are attached later.
    ///
    /// # Errors
    ///
    /// If the descriptor is invalid, or the disk too large or of a type that is
    /// not supported.
    pub fn with_extent_files(descriptor: &Descriptor) -> Result<Self, Error> {
        let create_type = descriptor.create_type()?;
        if !TYPES_WITH_EXTENT_FILES.contains(&create_type) {
            let create_type = quote(create_type);
            return Err(VmdkError::UnsupportedType { create_type }.into());
        }
        let extents = descriptor.extents()?.into_iter().map(Extent::from).collect();
        Ok(Self::new(create_type, extents, descriptor)?)
    }

    fn new(
        create_type: &[u8],
        mut extents: Vec<Extent>,
        descriptor: &Descriptor,
    ) -> Result<Self, VmdkError> {
        let mut referenced = Vec::new();
        for (number, extent) in extents.iter_mut().enumerate() {
            if extent.file_name().is_some() {
                extent.reference = Some(referenced.len());
                referenced.push(number);
            }
        }
        Ok(Self {
            create_type: create_type.to_vec(),
            parent: descriptor.parent()?.map(<[u8]>::to_vec),
            machine: descriptor.machine().map(|(name, value)| (name, value.to_vec())).collect(),
            content_id: descriptor.content_id()?,
            parent_content_id: descriptor.parent_content_id()?,
            size: lay_out(&mut extents)?,
            extents,
            referenced,
        })
    }

    /// Extents in their order on the disk.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The extent with an offset of the disk.
    pub(super) fn extent_at(&self, offset: u64) -> Option<&Extent> {
        let behind = self.extents.partition_point(|extent| extent.start <= offset);
        let extent = self.extents.get(behind.checked_sub(1)?)?;
        Some(extent).filter(|extent| offset.saturating_sub(extent.start) < extent.bytes())
    }

    /// Whether qemu-img would have something to say of the extents as one:
    /// either all are flat or all have the same grains. Zeros go with anything.
    fn is_uniform(&self) -> bool {
        let mut kinds = self.extents.iter().filter_map(|extent| match &extent.content {
            Content::Zero => None,
            Content::Flat { .. } => Some(Kind::Flat),
            Content::UnknownSparse => Some(Kind::UnknownSparse),
            Content::Sparse(sparse) => Some(Kind::Sparse(sparse.grain_size, sparse.compressed)),
        });
        let first = kinds.next();
        kinds.all(|kind| Some(kind) == first)
    }

    /// The first extent with grains that were looked at.
    fn first_sparse(&self) -> Option<&Sparse> {
        self.extents.iter().find_map(|extent| extent.sparse())
    }

    /// Whether the last user of an extent left it open.
    fn is_unclean(&self) -> bool {
        self.extents.iter().any(|extent| extent.sparse().is_some_and(|sparse| sparse.unclean))
    }
}

/// What extents must have in common to be described as one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flat,
    UnknownSparse,
    /// The size of a grain in sectors, and whether it is compressed.
    Sparse(u64, bool),
}

impl Extent {
    /// Its header, if it has grains and its file is there.
    fn sparse(&self) -> Option<&Sparse> {
        match &self.content {
            Content::Sparse(sparse) => Some(sparse),
            _ => None,
        }
    }

    /// How much of the disk it holds, in bytes. All extents together are no larger than
    /// the largest disk.
    pub(super) fn bytes(&self) -> u64 {
        self.sectors.saturating_mul(SECTOR)
    }

    /// That its file is not there.
    pub(super) fn missing(&self) -> VmdkError {
        VmdkError::ExtentMissing { name: quote(self.file_name().unwrap_or_default()) }
    }

    /// Whether it can be read.
    fn check_content(&self) -> Result<(), VmdkError> {
        if self.reference.is_some() && self.storage.is_none() {
            return Err(self.missing());
        }
        let compressed = self.sparse().filter(|sparse| sparse.compressed);
        let (size, limit) = (compressed.map_or(0, Sparse::grain_bytes), MAX_COMPRESSED_GRAIN);
        if size > limit {
            return Err(VmdkError::CompressedGrainTooLarge { size, limit });
        }
        Ok(())
    }

    /// The name of its file, if that is another than the image's own.
    fn file_name(&self) -> Option<&[u8]> {
        match &self.file {
            File::Named { name, .. } if !name.is_empty() => Some(name),
            _ => None,
        }
    }

    /// Its description.
    fn part(&self) -> image::Extent {
        let (kind, file) = match &self.file {
            File::Own => ("", ExtentFile::Own),
            File::Named { extent_type, name } if name.is_empty() => {
                (extent_type.name(), ExtentFile::Nowhere)
            }
            File::Named { extent_type, name } => {
                (extent_type.name(), ExtentFile::Named(name.clone()))
            }
        };
        let sparse = self.sparse();
        image::Extent {
            kind: kind.into(),
            file,
            virtual_size: self.bytes(),
            cluster_size: sparse.map(Sparse::grain_bytes),
            compressed: sparse.is_some_and(|sparse| sparse.compressed),
        }
    }
}

impl From<ExtentLine> for Extent {
    fn from(line: ExtentLine) -> Self {
        let ExtentLine { extent_type, sectors, name, offset } = line;
        let content = match extent_type {
            ExtentType::Flat | ExtentType::Vmfs => Content::Flat { offset },
            ExtentType::Zero => Content::Zero,
            ExtentType::Sparse | ExtentType::VmfsSparse | ExtentType::SeSparse => {
                Content::UnknownSparse
            }
        };
        let file = File::Named { extent_type, name };
        Self { file, storage: None, reference: None, start: 0, sectors, content }
    }
}

impl fmt::Debug for Extent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, sectors, content, .. } = self;
        write!(formatter, "Extent({file:?}, {sectors} sectors, {content:?})")
    }
}

/// Puts extents one behind the other. Returns the size of them all, in bytes.
fn lay_out(extents: &mut [Extent]) -> Result<u64, VmdkError> {
    let mut end = 0_u64;
    for extent in extents {
        extent.start = end;
        let bytes = extent.sectors.checked_mul(SECTOR);
        let next = bytes.and_then(|bytes| end.checked_add(bytes));
        end = next.filter(|end| *end <= MAX_DISK).ok_or(VmdkError::DiskTooLarge)?;
    }
    Ok(end)
}

impl Image for VmdkImage {
    fn description(&self) -> Description {
        let uniform = self.is_uniform();
        Description {
            virtual_size: self.size,
            cluster_size: self.first_sparse().filter(|_| uniform).map(Sparse::grain_bytes),
            encrypted: false,
            dirty: uniform.then(|| self.is_unclean()),
            backing: self
                .parent
                .clone()
                .map(|path| Backing { path, format: Some(b"vmdk".to_vec()) }),
            specific: Some(Specific::Vmdk(Vmdk {
                content_id: self.content_id,
                parent_content_id: self.parent_content_id,
                create_type: self.create_type.clone(),
            })),
        }
    }

    fn visit_parts(&self, visit: &mut Visitor<'_>) -> Result<(), Error> {
        self.extents.iter().try_for_each(|extent| visit(Part::Extent(extent.part())))
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<extent::Extent, Error> {
        self.read_extent(offset, limit)
    }

    fn holes(&self, file: extent::File, _room: u64) -> Result<image::Holes, Error> {
        let is_flat = |it: &Extent| matches!(it.content, Content::Flat { .. });
        let number = match file {
            extent::File::Other(index) => self.referenced.get(index),
            extent::File::Own | extent::File::Replayed => None,
        };
        let extent = number.and_then(|number| self.extents.get(*number));
        let shown = extent.is_some_and(is_flat);
        Ok(if shown { image::Holes::Zeros } else { image::Holes::Hidden })
    }

    /// The one extent of the image is in its own file, and what the descriptor says is what
    /// the options do.
    fn recreation(&self) -> Result<Options, Error> {
        if self.parent.is_some() {
            return Err(Irreplaceable::Lost("the parent").into());
        }
        if !self.referenced.is_empty() {
            return Err(Irreplaceable::SeveralFiles.into());
        }
        let kind = || Irreplaceable::Kind { kind: quote(&self.create_type) };
        if ![MONOLITHIC_SPARSE, STREAM_OPTIMIZED].contains(&self.create_type.as_slice()) {
            return Err(kind().into());
        }
        let sparse = self.first_sparse().ok_or_else(kind)?;
        let bytes = sparse.grain_bytes();
        if bytes != GRAIN {
            return Err(Irreplaceable::OtherSize { what: "grains", bytes }.into());
        }
        let mut options = Options::default();
        options.set("subformat", Value::Text(self.create_type.clone()));
        options.set("zeroed_grain", Value::Flag(sparse.zeroed_grains));
        for (name, value) in &self.machine {
            options.set(name, Value::Text(value.clone()));
        }
        Ok(options)
    }

    fn check_content(&self) -> Result<(), Error> {
        Ok(self.extents.iter().try_for_each(Extent::check_content)?)
    }

    fn check_backing(&self, backing: &Description) -> Result<(), Error> {
        let Some(Specific::Vmdk(parent)) = &backing.specific else {
            return Err(VmdkError::ParentNotVmdk.into());
        };
        let (found, expected) = (parent.content_id, self.parent_content_id);
        if found == expected {
            Ok(())
        } else {
            Err(VmdkError::ParentChanged { found, expected }.into())
        }
    }

    fn references(&self) -> Vec<Reference> {
        let names = self.extents.iter().filter_map(Extent::file_name);
        let reference = |(number, name): (u32, &[u8])| Reference {
            path: name.to_vec(),
            role: Role::Extent(number),
        };
        (0..).zip(names).map(reference).collect()
    }

    fn attach(&mut self, index: usize, storage: Rc<dyn Storage>) -> Result<(), Error> {
        let number = self.referenced.get(index);
        let extent = number.and_then(|number| self.extents.get_mut(*number));
        let extent = extent.ok_or(VmdkError::NoSuchReference { index })?;
        let sparse = match &extent.file {
            File::Named { extent_type: ExtentType::Sparse | ExtentType::VmfsSparse, .. } => {
                Sparse::read(storage.as_ref())?
            }
            File::Named { extent_type: ExtentType::SeSparse, .. } => {
                sesparse::read(storage.as_ref())?
            }
            // Of plain bytes there is nothing to check.
            _ => {
                extent.storage = Some(storage);
                return Ok(());
            }
        };
        // What the extent itself says counts more than its line.
        let is_as_said = extent.sectors == sparse.capacity;
        extent.sectors = sparse.capacity;
        if sparse.compressed {
            self.create_type = STREAM_OPTIMIZED.to_vec();
        }
        extent.content = Content::Sparse(sparse);
        extent.storage = Some(storage);
        if !is_as_said {
            self.size = lay_out(&mut self.extents)?;
        }
        Ok(())
    }
}
