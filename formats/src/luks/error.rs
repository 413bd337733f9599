//! What can be wrong with a LUKS volume.

use alloc::string::String;

use crate::error::{ErrorKind, FormatError};

/// A LUKS volume that cannot be used. Version 1 calls key slots keyslots, as
/// qemu-img does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LuksError {
    /// There is no header.
    #[error("Volume is not in LUKS format")]
    NoMagic,
    /// The header is of another version.
    #[error("LUKS version {version} is not supported")]
    UnsupportedVersion {
        /// The version.
        version: u16,
    },
    /// A name in the header fills its field and has no end.
    #[error("LUKS header {field} is not NUL terminated")]
    NotTerminated {
        /// Which one.
        field: &'static str,
    },
    /// The payload starts where the header is. This is also what the header of a
    /// volume says whose payload is a file of its own.
    #[error("LUKS payload is overlapping with the header")]
    PayloadInHeader,
    /// The digest of the master key has no iterations.
    #[error("LUKS key iteration count is zero")]
    NoIterations,
    /// A key is not split into as many stripes as all are.
    #[error("Keyslot {slot} is corrupted (stripes {} != {expected})", .stripes.cast_signed())]
    SlotStripes {
        /// The number of the slot.
        slot: usize,
        /// Into how many it is split; qemu-img prints a signed number.
        stripes: u32,
        /// Into how many it should be.
        expected: u32,
    },
    /// A slot is neither in use nor free.
    #[error("Keyslot {slot} state (active/disable) is corrupted")]
    SlotState {
        /// The number of the slot.
        slot: usize,
    },
    /// A slot in use has no iterations.
    #[error("Keyslot {slot} iteration count is zero")]
    SlotIterations {
        /// The number of the slot.
        slot: usize,
    },
    /// The key of a slot is where the header is.
    #[error("Keyslot {slot} is overlapping with the LUKS header")]
    SlotInHeader {
        /// The number of the slot.
        slot: usize,
    },
    /// The key of a slot is where the payload is, or behind.
    #[error("Keyslot {slot} is overlapping with the encrypted payload")]
    SlotInPayload {
        /// The number of the slot.
        slot: usize,
    },
    /// The keys of two slots share a place.
    #[error("Keyslots {first} and {second} are overlapping in the header")]
    SlotsOverlap {
        /// The number of one slot.
        first: usize,
        /// The number of the other.
        second: usize,
    },
    /// The mode of the cipher names no generator of initialisation vectors.
    #[error("Unexpected cipher mode string format '{mode}'")]
    InvalidMode {
        /// The mode as the header has it.
        mode: String,
    },
    /// The mode of the cipher is unknown.
    #[error("Cipher mode '{name}' not supported")]
    UnknownMode {
        /// Its name.
        name: String,
    },
    /// The cipher is unknown, or has no keys of this size.
    #[error("Algorithm '{name}' with key size {} bytes not supported", .key_size.cast_signed())]
    UnknownCipher {
        /// Its name.
        name: String,
        /// The size of the key in bytes; qemu-img prints a signed number.
        key_size: u32,
    },
    /// The hash is unknown.
    #[error("Hash algorithm '{name}' not supported")]
    UnknownHash {
        /// Its name.
        name: String,
    },
    /// The generator of initialisation vectors is unknown.
    #[error("IV generator '{name}' not supported")]
    UnknownIvGenerator {
        /// Its name.
        name: String,
    },
    /// The generator of initialisation vectors needs a hash, and none is named.
    #[error("Missing IV generator hash specification")]
    NoIvHash,
    /// The hash for initialisation vectors makes no key for the cipher.
    #[error("No {cipher} cipher with key size {size} available")]
    EssivKeySize {
        /// The cipher.
        cipher: &'static str,
        /// The size of the hash in bytes.
        size: u32,
    },
    /// The same, of another cipher.
    #[error("Cipher {cipher} not supported with essiv")]
    EssivCipher {
        /// The cipher and its key size.
        cipher: String,
    },
    /// The file ends before the payload.
    #[error("Could not refresh total sector count: Input/output error")]
    PayloadPastEnd,
}

impl FormatError for LuksError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoMagic => ErrorKind::NotThisFormat,
            Self::UnsupportedVersion { .. }
            | Self::UnknownMode { .. }
            | Self::UnknownCipher { .. }
            | Self::UnknownHash { .. }
            | Self::UnknownIvGenerator { .. }
            | Self::EssivKeySize { .. }
            | Self::EssivCipher { .. } => ErrorKind::Unsupported,
            Self::NotTerminated { .. }
            | Self::PayloadInHeader
            | Self::NoIterations
            | Self::SlotStripes { .. }
            | Self::SlotState { .. }
            | Self::SlotIterations { .. }
            | Self::SlotInHeader { .. }
            | Self::SlotInPayload { .. }
            | Self::SlotsOverlap { .. }
            | Self::InvalidMode { .. }
            | Self::NoIvHash
            | Self::PayloadPastEnd => ErrorKind::Corrupt,
        }
    }
}
