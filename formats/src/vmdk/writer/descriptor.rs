//! The descriptor of a new image (specification, "The Descriptor File").

use alloc::format;
use alloc::vec::Vec;

use super::settings::Settings;
use crate::vmdk::VmdkError;
use crate::vmdk::error::quote;

/// Sectors of a track, for old systems.
const TRACK_SECTORS: u64 = 63;

/// An extent of a new image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExtentLine {
    /// How much of the disk it holds, in sectors.
    pub(super) sectors: u64,
    /// The name of its file.
    pub(super) name: Vec<u8>,
}

/// The descriptor of an image with these extents, as qemu-img makes it.
///
/// # Errors
///
/// If it gets longer than `limit` bytes, or there are names that it cannot have.
pub(super) fn descriptor(
    settings: &Settings,
    extents: &[ExtentLine],
    limit: u64,
) -> Result<Vec<u8>, VmdkError> {
    let parent = settings.parent.as_ref();
    let parent_content_id = parent.map_or(u32::MAX, |parent| parent.content_id);
    let heads = if settings.adapter == b"ide" { 16 } else { 255 };
    let cylinder = TRACK_SECTORS.saturating_mul(heads);
    let cylinders = settings.sectors.checked_div(cylinder).unwrap_or(0);

    let mut text = b"# Disk DescriptorFile\nversion=1\n".to_vec();
    let mut add = |bytes: &[u8]| text.extend_from_slice(bytes);
    add(format!("CID={:x}\nparentCID={parent_content_id:x}\n", settings.content_id).as_bytes());
    add(b"createType=\"");
    add(settings.subformat.name());
    add(b"\"\n");
    if let Some(parent) = parent {
        add(b"parentFileNameHint=\"");
        add(quotable(&parent.name)?);
        add(b"\"");
    }
    add(b"\n# Extent description\n");
    let (kind, rest): (_, &[u8]) =
        if settings.subformat.is_flat() { ("FLAT", b"\" 0\n") } else { ("SPARSE", b"\"\n") };
    for extent in extents {
        add(format!("RW {} {kind} \"", extent.sectors).as_bytes());
        add(quotable(&extent.name)?);
        add(rest);
    }
    add(b"\n# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"");
    add(quotable(&settings.hardware_version)?);
    add(format!("\"\nddb.geometry.cylinders = \"{cylinders}\"\n").as_bytes());
    add(format!("ddb.geometry.heads = \"{heads}\"\n").as_bytes());
    add(format!("ddb.geometry.sectors = \"{TRACK_SECTORS}\"\n").as_bytes());
    add(b"ddb.adapterType = \"");
    add(settings.adapter);
    add(b"\"\nddb.toolsVersion = \"");
    add(quotable(&settings.tools_version)?);
    add(b"\"\n");

    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if text.len() > limit { Err(VmdkError::DescriptorTooLong { limit }) } else { Ok(text) }
}

/// A text that can stand between quotation marks. A descriptor has no way to say that
/// one is a part of a text.
fn quotable(text: &[u8]) -> Result<&[u8], VmdkError> {
    let ends = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r' | 0);
    if text.iter().any(ends) { Err(VmdkError::NotQuotable { text: quote(text) }) } else { Ok(text) }
}
