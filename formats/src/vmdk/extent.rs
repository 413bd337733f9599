//! The lines of a descriptor that name its extents (specification, "The
//! Descriptor File", "The Extents").
//!
//! A line has the access to the extent, its size in sectors, its type, the name
//! of its file, and for an extent of type `FLAT` the sector where it starts:
//!
//! ```text
//! RW 4192256 SPARSE "disk-s001.vmdk"
//! RW 16384 FLAT "disk-f001.vmdk" 0
//! RW 63 ZERO
//! ```

use alloc::vec::Vec;

use super::VmdkError;
use super::error::quote;

/// The longest file name of an extent in bytes, as with qemu-img.
pub const MAX_NAME: usize = 511;

/// The type of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentType {
    /// A part of a file.
    Flat,
    /// A file on VMFS.
    Vmfs,
    /// A hosted sparse extent.
    Sparse,
    /// An ESX sparse extent.
    VmfsSparse,
    /// A seSparse extent.
    SeSparse,
    /// Zeros, without a file.
    Zero,
}

impl ExtentType {
    /// Every type with its name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("FLAT", Self::Flat),
        ("VMFS", Self::Vmfs),
        ("SPARSE", Self::Sparse),
        ("VMFSSPARSE", Self::VmfsSparse),
        ("SESPARSE", Self::SeSparse),
        ("ZERO", Self::Zero),
    ];

    /// Its name in descriptors.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, it)| *it)
    }
}

/// An extent as its line describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtentLine {
    /// What it is.
    pub extent_type: ExtentType,
    /// How much of the disk it holds, in sectors, not zero.
    pub sectors: u64,
    /// The name of its file; empty for one of zeros.
    pub name: Vec<u8>,
    /// The sector of the file where it starts.
    pub offset: u64,
}

impl ExtentLine {
    /// Takes a line apart. Nothing if it is no extent line, or one of an empty
    /// extent.
    ///
    /// # Errors
    ///
    /// If it starts like an extent line and does not go on like one, or the
    /// extent is of a kind that is not supported.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, VmdkError> {
        let (access, rest) = word(line);
        if !matches!(access, b"RW" | b"RDONLY" | b"NOACCESS") {
            return Ok(None);
        }
        let invalid = || VmdkError::InvalidExtentLine { line: quote(line) };
        let (sectors, rest) = number(rest).ok_or_else(invalid)?;
        let (type_name, rest) = word(rest);
        if type_name.is_empty() {
            return Err(invalid());
        }
        let unsupported = || VmdkError::UnsupportedExtentType { extent_type: quote(type_name) };
        let extent_type = ExtentType::from_name(type_name).ok_or_else(unsupported)?;
        let (name, offset) = match extent_type {
            ExtentType::Zero => (Vec::new(), 0),
            _ => {
                let (name, rest) = file_name(rest).ok_or_else(invalid)?;
                let offset = match (extent_type, number(rest)) {
                    (ExtentType::Flat, offset) => offset.map(|(offset, _)| offset),
                    (_, None) => Some(0),
                    (_, Some(_)) => None,
                };
                (name.to_vec(), offset.ok_or_else(invalid)?)
            }
        };
        if sectors == 0 {
            return Ok(None);
        }
        if access == b"NOACCESS" {
            return Err(VmdkError::NoAccess);
        }
        Ok(Some(Self { extent_type, sectors, name, offset }))
    }
}

/// The first word, and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, &[]))
}

/// The number that a text starts with, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((core::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// The name in quotation marks that a text starts with, and what follows it.
fn file_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    let (name, rest) = text.split_at_checked(end)?;
    let valid = !name.is_empty() && name.len() <= MAX_NAME;
    rest.strip_prefix(b"\"").filter(|_| valid).map(|rest| (name, rest))
}

#[cfg(test)]
mod tests;
