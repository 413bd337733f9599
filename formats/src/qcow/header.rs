//! The header of a qcow image (description, "The QCOW Header").

use core::ops::RangeInclusive;

use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::QcowError;
use crate::qcow2::header::MAGIC;

/// The version that this is.
pub const VERSION: u32 = 1;

/// Bits of an offset in a cluster: clusters have 512 bytes to 64 KiB.
pub const CLUSTER_BITS: RangeInclusive<u8> = 9..=16;

/// Bits of the number of an entry in an L2 table: tables have 512 bytes to
/// 64 KiB.
pub const L2_BITS: RangeInclusive<u8> = 6..=13;

/// The size of an entry in an L1 or L2 table, in bytes.
pub const ENTRY_SIZE: u64 = 8;

/// The most entries in an L1 table, as with qemu-img: 2 GiB of them.
pub const MAX_L1_ENTRIES: u64 = 0x0fff_ffff;

/// The longest name of a backing file in bytes (description, "The QCOW Header").
pub const MAX_BACKING_NAME: u32 = 1023;

/// What the file starts with.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// [`VERSION`].
    pub version: U32,
    /// Where the name of the backing file is, in bytes; zero if there is none.
    pub backing_name_offset: U64,
    /// Its length in bytes.
    pub backing_name_length: U32,
    /// When the backing file was changed last, in seconds since 1970; zero if
    /// nobody looked.
    pub backing_changed: U32,
    /// The size of the disk in bytes.
    pub size: U64,
    /// Bits of an offset in a cluster.
    pub cluster_bits: u8,
    /// Bits of the number of an entry in an L2 table.
    pub l2_bits: u8,
    /// Zeros.
    pub padding: U16,
    /// How clusters are encrypted: 0 for not, 1 for AES.
    pub encryption: U32,
    /// Where the L1 table is, in bytes.
    pub l1_table_offset: U64,
}

/// The number of the encryption with AES.
const AES: u32 = 1;

/// The header, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The size of the disk in bytes.
    pub size: u64,
    /// The size of a cluster in bytes.
    pub cluster_size: u64,
    /// Entries in an L2 table.
    pub l2_entries: u64,
    /// Whether clusters are encrypted, with AES.
    pub encrypted: bool,
    /// Where the L1 table is, in bytes.
    pub l1_table_offset: u64,
    /// Its entries.
    pub l1_entries: u64,
}

impl Header {
    /// What the header says. Checks are in the order of qemu-img, whose messages
    /// they have.
    ///
    /// # Errors
    ///
    /// If it is no header of a qcow image, or says what cannot be.
    pub fn layout(&self) -> Result<Layout, QcowError> {
        if self.magic != MAGIC {
            return Err(QcowError::NoMagic);
        }
        if self.version.get() != VERSION {
            return Err(QcowError::UnsupportedVersion { version: self.version.get() });
        }
        let size = self.size.get();
        if size <= 1 {
            return Err(QcowError::TooSmall);
        }
        let cluster_size =
            power_of_two(self.cluster_bits, CLUSTER_BITS).ok_or(QcowError::ClusterSize)?;
        let l2_entries = power_of_two(self.l2_bits, L2_BITS).ok_or(QcowError::L2TableSize)?;
        let encrypted = match self.encryption.get() {
            0 => false,
            AES => true,
            _ => return Err(QcowError::UnsupportedEncryption),
        };
        // What an entry of the L1 table covers, 512 MiB at most.
        let covered = cluster_size.saturating_mul(l2_entries);
        let l1_entries = size.div_ceil(covered);
        if l1_entries > MAX_L1_ENTRIES {
            return Err(QcowError::TooLarge);
        }
        let l1_table_offset = self.l1_table_offset.get();
        Ok(Layout { size, cluster_size, l2_entries, encrypted, l1_table_offset, l1_entries })
    }
}

/// Two to the power of `bits`, if these are as many as there can be.
fn power_of_two(bits: u8, valid: RangeInclusive<u8>) -> Option<u64> {
    1_u64.checked_shl(bits.into()).filter(|_| valid.contains(&bits))
}
