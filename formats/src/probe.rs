//! Which format a file has.

use crate::storage::{self, Storage, StorageError};
use crate::{FORMATS, Format};

/// How many bytes from the start of a file a format may look at. qemu-img looks
/// at as many.
pub const HEAD: usize = 2048;

/// How sure a format is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confidence(u32);

impl Confidence {
    /// It is something else.
    pub const NONE: Self = Self(0);
    /// It could be anything.
    pub const ANYTHING: Self = Self(1);
    /// There is a weak sign: a name, a text.
    pub const WEAK: Self = Self(2);
    /// The signature is there, but at the end of the file, so that a signature at
    /// its start counts more.
    pub const LIKELY: Self = Self(50);
    /// The signature is there.
    pub const CERTAIN: Self = Self(100);

    /// Certain if a condition holds.
    #[must_use]
    pub fn certain_if(condition: bool) -> Self {
        if condition { Self::CERTAIN } else { Self::NONE }
    }
}

/// What a format may look at to decide.
pub struct Probe<'a> {
    /// The first [`HEAD`] bytes, or all if there are fewer.
    pub head: &'a [u8],
    /// The extension of the file's name as it is written, without the dot.
    pub extension: &'a [u8],
    /// The file, for signatures that are elsewhere.
    pub storage: &'a dyn Storage,
}

impl core::fmt::Debug for Probe<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Probe({} bytes of a file)", self.head.len())
    }
}

impl Probe<'_> {
    /// Whether the file starts with a signature.
    #[must_use]
    pub fn starts_with(&self, signature: &[u8]) -> bool {
        self.head.starts_with(signature)
    }
}

/// The format of a file: the one that is surest. An empty file is a raw image,
/// whatever its name says.
///
/// # Errors
///
/// If the file cannot be read.
pub fn detect(
    storage: &dyn Storage,
    extension: &[u8],
) -> Result<&'static dyn Format, StorageError> {
    let there = storage.reach(HEAD as u64);
    if there == 0 {
        return Ok(&crate::raw::Raw);
    }
    let length = usize::try_from(there).map_or(HEAD, |length| length.min(HEAD));
    let head = storage::read_bytes(storage, 0, length)?;
    let probe = Probe { head: &head, extension, storage };
    let mut best: (&dyn Format, Confidence) = (&crate::raw::Raw, Confidence::NONE);
    for format in FORMATS {
        let confidence = format.probe(&probe);
        if confidence > best.1 {
            best = (*format, confidence);
        }
        // The formats that come last look further than the head, which costs.
        if confidence == Confidence::CERTAIN {
            break;
        }
    }
    Ok(best.0)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn an_empty_file_is_raw() {
        for extension in [&b""[..], b"dmg", b"vmdk"] {
            assert_eq!(detect(&vec![], extension).unwrap().name(), "raw");
        }
    }
}
