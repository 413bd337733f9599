//! Why an image cannot be used.

use alloc::boxed::Box;
use core::fmt;

use crate::storage::StorageError;

/// What kind of failure it is: what a caller can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The file is not an image of this format.
    NotThisFormat,
    /// The image uses a feature that is not supported.
    Unsupported,
    /// The image contradicts itself or its file.
    Corrupt,
    /// The file could not be read.
    InputOutput,
}

/// Why an image cannot be used: the kind, and the format's own error with the
/// details. It reads as qemu-img would say it.
pub struct Error {
    kind: ErrorKind,
    is_bare: bool,
    detail: Box<dyn core::error::Error>,
}

/// An error of one format.
pub trait FormatError: core::error::Error + 'static {
    /// What kind of failure it is.
    fn kind(&self) -> ErrorKind;

    /// Whether the message is no more than the system's word for the failure,
    /// such as `Invalid argument`. Some of qemu's drivers have no words of their
    /// own; qemu-img then names the file once more in front of the system's.
    fn is_bare(&self) -> bool {
        false
    }
}

impl Error {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the message is no more than the system's word for the failure.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.is_bare
    }
}

impl<E: FormatError> From<E> for Error {
    fn from(error: E) -> Self {
        Self { kind: error.kind(), is_bare: error.is_bare(), detail: Box::new(error) }
    }
}

impl FormatError for StorageError {
    fn kind(&self) -> ErrorKind {
        match self {
            // An image whose own numbers lead past its end is damaged.
            Self::PastEnd { .. } => ErrorKind::Corrupt,
            Self::InputOutput => ErrorKind::InputOutput,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.detail.fmt(formatter)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.detail)
    }
}
