//! What the user wants, checked in the order of qemu-img and with its words.

use alloc::vec::Vec;

use super::{GRAIN_SECTORS, MAX_GRAINS};
use crate::creation::{Creation, Options};
use crate::image::Specific;
use crate::vmdk::VmdkError;
use crate::vmdk::descriptor::MAX_PARENT_NAME;
use crate::vmdk::error::quote;
use crate::vmdk::{MONOLITHIC_SPARSE, SECTOR, STREAM_OPTIMIZED};

/// The type of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subformat {
    /// One sparse extent with a descriptor inside.
    MonolithicSparse,
    /// A flat extent in a file of its own.
    MonolithicFlat,
    /// Sparse extents of 2 GiB.
    TwoGbMaxExtentSparse,
    /// Flat extents of 2 GiB.
    TwoGbMaxExtentFlat,
    /// One sparse extent whose grains are compressed.
    StreamOptimized,
}

impl Subformat {
    const ALL: [Self; 5] = [
        Self::MonolithicSparse,
        Self::MonolithicFlat,
        Self::TwoGbMaxExtentSparse,
        Self::TwoGbMaxExtentFlat,
        Self::StreamOptimized,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::MonolithicSparse => MONOLITHIC_SPARSE,
            Self::MonolithicFlat => b"monolithicFlat",
            Self::TwoGbMaxExtentSparse => b"twoGbMaxExtentSparse",
            Self::TwoGbMaxExtentFlat => b"twoGbMaxExtentFlat",
            Self::StreamOptimized => STREAM_OPTIMIZED,
        }
    }

    /// Whether its extents are plain bytes.
    pub(super) fn is_flat(self) -> bool {
        matches!(self, Self::MonolithicFlat | Self::TwoGbMaxExtentFlat)
    }

    /// Whether its extents have 2 GiB.
    pub(super) fn is_split(self) -> bool {
        matches!(self, Self::TwoGbMaxExtentSparse | Self::TwoGbMaxExtentFlat)
    }
}

/// The controllers that a disk can be made for.
const ADAPTERS: [&[u8]; 4] = [b"ide", b"buslogic", b"lsilogic", b"legacyESX"];

/// The parent of a new image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    /// Its file name.
    pub(super) name: Vec<u8>,
    /// Its content id.
    pub(super) content_id: u32,
}

/// What an image is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) subformat: Subformat,
    /// The size of the disk in sectors.
    pub(super) sectors: u64,
    /// The name of the image's own file.
    pub(super) file_name: Vec<u8>,
    pub(super) content_id: u32,
    pub(super) parent: Option<Parent>,
    /// The controller that the disk is for.
    pub(super) adapter: &'static [u8],
    /// The version of the virtual hardware.
    pub(super) hardware_version: Vec<u8>,
    /// The version of VMware's tools in the guest.
    pub(super) tools_version: Vec<u8>,
    /// Whether grains of zeros are to be told from those of the parent.
    pub(super) zeroed_grains: bool,
}

impl Settings {
    /// What is wanted.
    ///
    /// # Errors
    ///
    /// If something of it makes no sense.
    pub(super) fn new(creation: &Creation<'_>) -> Result<Self, VmdkError> {
        let options = &creation.options;
        if options.text("backing_fmt").is_some_and(|format| format != b"vmdk") {
            return Err(VmdkError::BackingFormatNotVmdk);
        }
        let adapter = choice(options, "adapter_type", &ADAPTERS)?.unwrap_or(b"ide");
        let subformats = Subformat::ALL.map(Subformat::name);
        let name = choice(options, "subformat", &subformats)?.unwrap_or(MONOLITHIC_SPARSE);
        let subformat = Subformat::ALL.into_iter().find(|subformat| subformat.name() == name);
        let subformat = subformat.unwrap_or(Subformat::MonolithicSparse);
        let hardware_version = hardware_version(options)?;
        let zeroed_grains = options.flag("zeroed_grain").unwrap_or(false);
        let backing_file = options.text("backing_file");
        if subformat.is_flat() && backing_file.is_some() {
            return Err(VmdkError::FlatWithBacking);
        }
        if subformat.is_flat() && zeroed_grains {
            return Err(VmdkError::FlatWithZeroedGrains);
        }
        let sectors = creation.size.div_ceil(SECTOR);
        if !subformat.is_flat() && sectors.div_ceil(GRAIN_SECTORS) > MAX_GRAINS {
            return Err(VmdkError::DiskTooLarge);
        }
        let parent = backing_file.map(|name| parent(creation, name)).transpose()?;
        Ok(Self {
            subformat,
            sectors,
            file_name: creation.file_name.clone(),
            content_id: content_id(creation),
            parent,
            adapter,
            hardware_version: hardware_version.to_vec(),
            tools_version: options.text("toolsversion").unwrap_or(b"2147483647").to_vec(),
            zeroed_grains,
        })
    }
}

/// The value of an option that has one of these.
fn choice(
    options: &Options,
    name: &str,
    known: &[&'static [u8]],
) -> Result<Option<&'static [u8]>, VmdkError> {
    let Some(value) = options.text(name) else { return Ok(None) };
    let found = known.iter().copied().find(|known| *known == value);
    found.map(Some).ok_or_else(|| VmdkError::InvalidParameter { value: quote(value) })
}

/// The version of the virtual hardware. The default of its option is `undefined`.
fn hardware_version(options: &Options) -> Result<&[u8], VmdkError> {
    let wanted = options.text("hwversion").filter(|version| *version != b"undefined");
    match (options.flag("compat6").unwrap_or(false), wanted) {
        (true, Some(_)) => Err(VmdkError::CompatWithHardwareVersion),
        (true, None) => Ok(b"6"),
        (false, wanted) => Ok(wanted.unwrap_or(b"4")),
    }
}

/// The parent with a name.
fn parent(creation: &Creation<'_>, name: &[u8]) -> Result<Parent, VmdkError> {
    let backing = creation.backing.ok_or(VmdkError::NoParentContentId)?;
    let Some(Specific::Vmdk(specific)) = &backing.specific else {
        let format = creation.backing_format.unwrap_or("another").into();
        return Err(VmdkError::BackingNotVmdk { format });
    };
    if name.len() > MAX_PARENT_NAME {
        return Err(VmdkError::ParentTooLong { limit: MAX_PARENT_NAME });
    }
    Ok(Parent { name: name.to_vec(), content_id: specific.content_id })
}

/// The content id of a new image. The last two numbers have a meaning: that there is no
/// parent, and for some products that the disk is empty.
fn content_id(creation: &Creation<'_>) -> u32 {
    let id = creation.id(0).first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if id >= u32::MAX.saturating_sub(1) { id >> 1 } else { id }
}
