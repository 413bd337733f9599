//! File systems of optical discs: ISO 9660 and UDF.
//!
//! Both have a row of descriptors from 32 KiB on. Those of ISO 9660 (ECMA-119,
//! section 8) come first; a disc can have both. UDF (ECMA-167, part 2, section 8)
//! has one that starts an extended area and one that names the standard of what is
//! in it.

use alloc::vec::Vec;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::read as read_struct;
use crate::storage::{Storage, StorageError};

/// Where the descriptors start, in bytes.
pub const START: u64 = 32 << 10;

/// The size of a descriptor in bytes, and of a block of ISO 9660.
pub const BLOCK: u64 = 2048;

/// The most descriptors that are looked at. Discs have less than ten.
pub const MAX_DESCRIPTORS: u32 = 64;

/// How many blocks without a descriptor may be between two: where sectors have
/// 4 KiB each descriptor has its own.
const MAX_GAP: u32 = 1;

/// The identifier of every descriptor of ISO 9660.
pub const ISO_9660: [u8; 5] = *b"CD001";
/// The identifier of the start of an extended area.
pub const EXTENDED_AREA: [u8; 5] = *b"BEA01";
/// The identifiers of UDF up to version 1.50, and of later ones.
pub const UDF: [[u8; 5]; 2] = [*b"NSR02", *b"NSR03"];
/// Other identifiers that a row can have: the end of an extended area, a boot
/// record, and CD-ROM.
pub const OTHERS: [[u8; 5]; 3] = [*b"TEA01", *b"BOOT2", *b"CDW02"];

/// What a boot record of El Torito is called.
pub const EL_TORITO: &[u8] = b"EL TORITO SPECIFICATION";

/// An ISO 9660 file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Iso9660 {
    /// The name of the volume, without the blanks that fill it up.
    pub volume: Vec<u8>,
    /// Whether it can be booted from as a CD.
    pub bootable: bool,
}

/// The file systems of a disc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volumes {
    /// ISO 9660.
    pub iso9660: Option<Iso9660>,
    /// Whether there is UDF.
    pub udf: bool,
}

/// The start of a descriptor, as far as it counts here.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Descriptor {
    /// Of ISO 9660, what it describes: see [`Kind`](Self::BOOT_RECORD).
    pub kind: u8,
    /// Which standard it belongs to.
    pub identifier: [u8; 5],
    /// 1.
    pub version: u8,
    /// What depends on the kind: [`Primary`] or [`BootRecord`].
    pub content: [u8; 68],
}

/// What a primary volume descriptor of ISO 9660 has behind its start (ECMA-119,
/// section 8.4).
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Primary {
    /// Zero.
    pub unused: u8,
    /// For which system the first 32 KiB are.
    pub system: [u8; 32],
    /// The name of the volume.
    pub volume: [u8; 32],
}

/// What a boot record of El Torito has behind its start ("El Torito Bootable CD-ROM
/// Format Specification 1.0", section 2.0).
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct BootRecord {
    /// [`EL_TORITO`], filled up with zeros.
    pub system: [u8; 32],
    /// Zeros.
    pub unused: [u8; 32],
    /// The block that the boot catalog is in.
    pub catalog: U32,
}

/// The first entry of a boot catalog (section 2.1).
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct ValidationEntry {
    /// 1.
    pub id: u8,
    /// For which platform it is.
    pub platform: u8,
    /// Zeros.
    pub reserved: [u8; 2],
    /// Who made the disc.
    pub maker: [u8; 24],
    /// What makes the sum of all words zero.
    pub checksum: [u8; 2],
    /// [`ValidationEntry::KEY`].
    pub key: [u8; 2],
}

impl ValidationEntry {
    /// What the entry ends with.
    pub const KEY: [u8; 2] = [0x55, 0xaa];

    fn is_valid(&self) -> bool {
        let (words, _) = self.as_bytes().as_chunks();
        let words = words.iter().map(|word| u16::from_le_bytes(*word));
        self.id == 1 && self.key == Self::KEY && words.fold(0, u16::wrapping_add) == 0
    }
}

impl Descriptor {
    /// Describes how to boot.
    pub const BOOT_RECORD: u8 = 0;
    /// Describes the volume.
    pub const PRIMARY: u8 = 1;
    /// Describes nothing: the last of ISO 9660.
    pub const TERMINATOR: u8 = 255;

    /// Whether it is one of any kind.
    fn is_known(&self) -> bool {
        let identifier = &self.identifier;
        [ISO_9660, EXTENDED_AREA].contains(identifier)
            || UDF.contains(identifier)
            || OTHERS.contains(identifier)
    }
}

/// Looks at the descriptors of a disc.
///
/// # Errors
///
/// If the disc cannot be read.
pub fn read(disc: &dyn Storage) -> Result<Volumes, StorageError> {
    let mut volumes = Volumes::default();
    let mut name = None;
    let mut bootable = false;
    let mut is_extended = false;
    let mut gap = 0;
    for number in 0..MAX_DESCRIPTORS {
        let offset = BLOCK.saturating_mul(number.into()).saturating_add(START);
        let Some(descriptor) = read_struct::<Descriptor>(disc, offset)? else { break };
        if !descriptor.is_known() {
            gap = u32::saturating_add(gap, 1);
            if number == 0 || gap > MAX_GAP {
                break;
            }
            continue;
        }
        gap = 0;
        match (descriptor.identifier, descriptor.kind) {
            (ISO_9660, Descriptor::PRIMARY) if name.is_none() => {
                name = descriptor.volume_name();
            }
            (ISO_9660, Descriptor::BOOT_RECORD) => {
                bootable = bootable || descriptor.is_bootable(disc)?;
            }
            (EXTENDED_AREA, _) => is_extended = true,
            (identifier, _) if is_extended && UDF.contains(&identifier) => volumes.udf = true,
            _ => {}
        }
    }
    volumes.iso9660 = name.map(|volume| Iso9660 { volume, bootable });
    Ok(volumes)
}

impl Descriptor {
    /// The name in a primary volume descriptor.
    fn volume_name(&self) -> Option<Vec<u8>> {
        let (primary, _) = Primary::read_from_prefix(&self.content).ok()?;
        let end = primary.volume.iter().rposition(|byte| !matches!(byte, b' ' | 0));
        let length = end.map_or(0, |end| end.saturating_add(1));
        primary.volume.get(..length).map(<[u8]>::to_vec)
    }

    /// Whether this is a boot record whose catalog is there.
    fn is_bootable(&self, disc: &dyn Storage) -> Result<bool, StorageError> {
        let Ok((record, _)) = BootRecord::read_from_prefix(&self.content) else { return Ok(false) };
        if crate::text::until_nul(&record.system) != EL_TORITO {
            return Ok(false);
        }
        let catalog = u64::from(record.catalog.get()).saturating_mul(BLOCK);
        let entry: Option<ValidationEntry> = read_struct(disc, catalog)?;
        Ok(entry.is_some_and(|entry| entry.is_valid()))
    }
}
