//! What can be wrong with a LUKS volume.

use alloc::boxed::Box;
use alloc::string::String;

use super::json::Fault;
use crate::error::{ErrorKind, FormatError};

/// A LUKS volume that cannot be used. Version 1 calls key slots keyslots, as
/// qemu-img does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LuksError {
    /// The content is encrypted.
    #[error("Parameter 'key-secret' is required for cipher")]
    KeyNeeded,
    /// The content of a volume of version 2, which qemu-img does not know, is encrypted.
    #[error("the content of LUKS version 2 is encrypted and cannot be read")]
    KeyNeeded2,
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
        slot: u32,
        /// Into how many it is split; qemu-img prints a signed number.
        stripes: u32,
        /// Into how many it should be.
        expected: u32,
    },
    /// A slot is neither in use nor free.
    #[error("Keyslot {slot} state (active/disable) is corrupted")]
    SlotState {
        /// The number of the slot.
        slot: u32,
    },
    /// A slot in use has no iterations.
    #[error("Keyslot {slot} iteration count is zero")]
    SlotIterations {
        /// The number of the slot.
        slot: u32,
    },
    /// The key of a slot is where the header is.
    #[error("Keyslot {slot} is overlapping with the LUKS header")]
    SlotInHeader {
        /// The number of the slot.
        slot: u32,
    },
    /// The key of a slot is where the payload is, or behind.
    #[error("Keyslot {slot} is overlapping with the encrypted payload")]
    SlotInPayload {
        /// The number of the slot.
        slot: u32,
    },
    /// The keys of two slots share a place.
    #[error("Keyslots {first} and {second} are overlapping in the header")]
    SlotsOverlap {
        /// The number of one slot.
        first: u32,
        /// The number of the other.
        second: u32,
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
    /// The disk is larger than one can be.
    #[error("Could not refresh total sector count: File too large")]
    DiskTooLarge,
    /// Version 2: neither header is valid. This is what is wrong with the first.
    #[error("{0}, and the other header is not valid either")]
    NoValidHeader(Box<LuksError>),
    /// A header, or its metadata, are not in the file.
    #[error("the header at {offset} ({size} bytes) does not lie in the file")]
    HeaderPastEnd {
        /// Where it is, in bytes.
        offset: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// There is no header of version 2 where one should be.
    #[error("there is no header at {offset}")]
    NoHeader {
        /// Where, in bytes.
        offset: u64,
    },
    /// A header says that it is elsewhere.
    #[error("the header at {offset} belongs to {said}")]
    HeaderMoved {
        /// Where it is, in bytes.
        offset: u64,
        /// Where it says it is.
        said: u64,
    },
    /// A header has a size that none has.
    #[error("a header cannot have {size} bytes")]
    HeaderSize {
        /// The size in bytes.
        size: u64,
    },
    /// The checksum is made in an unknown way.
    #[error("Checksum algorithm '{name}' not supported")]
    UnknownChecksum {
        /// Its name.
        name: String,
    },
    /// The header or its metadata have changed.
    #[error("the checksum of the header is wrong")]
    WrongChecksum,
    /// Zeros should follow the metadata.
    #[error("the metadata have no end")]
    MetadataEnd,
    /// The metadata are not what is specified.
    #[error("the metadata are damaged: {0}")]
    Metadata(Fault),
    /// The metadata and the header do not agree on their size.
    #[error("the metadata have {said} bytes, and the header says otherwise")]
    MetadataSize {
        /// What the metadata say, in bytes.
        said: u64,
    },
    /// There is more room for keys than there can be, or a part of a page.
    #[error("the room for keys cannot have {size} bytes")]
    KeysSize {
        /// Its size in bytes.
        size: u64,
    },
    /// The key of a slot is not in the file.
    #[error("Keyslot {slot} does not lie in the file")]
    SlotPastEnd {
        /// The number of the slot.
        slot: u32,
    },
    /// No segment is encrypted.
    #[error("the volume has no encrypted segment")]
    NothingEncrypted,
    /// The type of a segment is unknown.
    #[error("Segment type '{kind}' not supported")]
    UnknownSegment {
        /// Its type.
        kind: String,
    },
    /// A segment goes on to the end of the file, and another one follows.
    #[error("a segment without a size is not the last one")]
    SegmentWithoutSize,
    /// A segment is not in the file.
    #[error("the segment at {offset} does not lie in the file")]
    SegmentPastEnd {
        /// Where it starts, in bytes.
        offset: u64,
    },
    /// A segment should have the superblock of dm-integrity.
    #[error("there is no superblock of dm-integrity at {offset}")]
    NoIntegrity {
        /// Where, in bytes.
        offset: u64,
    },
}

/// A name for a message. It was in a field that bounds its length.
#[must_use]
pub fn quote(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

impl FormatError for LuksError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoMagic => ErrorKind::NotThisFormat,
            Self::NoValidHeader(fault) => fault.kind(),
            Self::UnsupportedVersion { .. }
            | Self::KeyNeeded
            | Self::KeyNeeded2
            | Self::UnknownMode { .. }
            | Self::UnknownCipher { .. }
            | Self::UnknownHash { .. }
            | Self::UnknownIvGenerator { .. }
            | Self::EssivKeySize { .. }
            | Self::EssivCipher { .. }
            | Self::DiskTooLarge
            | Self::UnknownChecksum { .. }
            | Self::NothingEncrypted
            | Self::UnknownSegment { .. } => ErrorKind::Unsupported,
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
            | Self::PayloadPastEnd
            | Self::HeaderPastEnd { .. }
            | Self::NoHeader { .. }
            | Self::HeaderMoved { .. }
            | Self::HeaderSize { .. }
            | Self::WrongChecksum
            | Self::MetadataEnd
            | Self::Metadata(_)
            | Self::MetadataSize { .. }
            | Self::KeysSize { .. }
            | Self::SlotPastEnd { .. }
            | Self::SegmentWithoutSize
            | Self::SegmentPastEnd { .. }
            | Self::NoIntegrity { .. } => ErrorKind::Corrupt,
        }
    }
}
