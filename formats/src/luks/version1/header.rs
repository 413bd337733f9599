//! The header of version 1 (specification, "The partition header").

use zerocopy::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::error::Error;
use crate::luks::{LuksError, MAGIC, SECTOR};
use crate::storage::{self, Storage};
use crate::text;

/// The version.
pub const VERSION: u16 = 1;

/// How many key slots there are.
pub const KEY_SLOTS: usize = 8;

/// Into how many stripes a key is split ("Constants", `LUKS_STRIPES`).
pub const STRIPES: u32 = 4000;

/// The state of a slot that is in use (`LUKS_KEY_ENABLED`).
pub const SLOT_ENABLED: u32 = 0x00ac_71f3;

/// The state of a slot that is free (`LUKS_KEY_DISABLED`).
pub const SLOT_DISABLED: u32 = 0x0000_dead;

/// The first sector behind the header: it has a page of 4 KiB, of which it uses
/// less.
pub const HEADER_SECTORS: u32 = 8;

/// The header of a volume.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 6],
    /// [`VERSION`].
    pub version: U16,
    /// The name of the cipher: `aes`. Names end with a NUL.
    pub cipher: [u8; 32],
    /// Its mode, and how initialisation vectors are made: `xts-plain64`,
    /// `cbc-essiv:sha256`.
    pub mode: [u8; 32],
    /// The hash of key derivation and stripes: `sha256`.
    pub hash: [u8; 32],
    /// The first sector of the payload.
    pub payload_offset: U32,
    /// The size of the master key in bytes.
    pub key_size: U32,
    /// What the master key is recognised by.
    pub digest: [u8; 20],
    /// The salt of the digest.
    pub digest_salt: [u8; 32],
    /// The iterations of the digest.
    pub digest_iterations: U32,
    /// The volume's id, as text.
    pub uuid: [u8; 40],
    /// The key slots.
    pub key_slots: [KeySlot; KEY_SLOTS],
}

/// A key slot.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct KeySlot {
    /// [`SLOT_ENABLED`] or [`SLOT_DISABLED`].
    pub state: U32,
    /// Iterations of the key derivation.
    pub iterations: U32,
    /// Its salt.
    pub salt: [u8; 32],
    /// The first sector of the master key, encrypted and in stripes.
    pub key_offset: U32,
    /// How many stripes: [`STRIPES`].
    pub stripes: U32,
}

impl Header {
    /// Reads the header at the start of a storage.
    ///
    /// What is missing of a header that is cut off reads as zeros. No header is
    /// valid that ends early: its last field is not zero. So the checks find it,
    /// and say what qemu-img says.
    ///
    /// # Errors
    ///
    /// If there is no header, or it is damaged.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        let header: Self = storage::read_padded(storage, 0)?;
        header.check()?;
        Ok(header)
    }

    /// Checks are in the order of qemu-img, whose messages they have. Where the
    /// payload is stays open: it can be in another file.
    fn check(&self) -> Result<(), LuksError> {
        if self.magic != MAGIC {
            return Err(LuksError::NoMagic);
        }
        let version = self.version.get();
        if version != VERSION {
            return Err(LuksError::UnsupportedVersion { version });
        }
        for (field, name) in
            [("cipher name", &self.cipher), ("cipher mode", &self.mode), ("hash spec", &self.hash)]
        {
            if text::until_nul(name).len() == name.len() {
                return Err(LuksError::NotTerminated { field });
            }
        }
        if self.payload_offset.get() < HEADER_SECTORS {
            return Err(LuksError::PayloadInHeader);
        }
        if self.digest_iterations.get() == 0 {
            return Err(LuksError::NoIterations);
        }
        for (number, slot) in (0..).zip(&self.key_slots) {
            self.check_slot(number, slot)?;
        }
        Ok(())
    }

    fn check_slot(&self, number: u32, slot: &KeySlot) -> Result<(), LuksError> {
        let stripes = slot.stripes.get();
        if stripes != STRIPES {
            return Err(LuksError::SlotStripes { slot: number, stripes, expected: STRIPES });
        }
        let state = slot.state.get();
        if state != SLOT_ENABLED && state != SLOT_DISABLED {
            return Err(LuksError::SlotState { slot: number });
        }
        if state == SLOT_ENABLED && slot.iterations.get() == 0 {
            return Err(LuksError::SlotIterations { slot: number });
        }
        if slot.key_offset.get() < HEADER_SECTORS {
            return Err(LuksError::SlotInHeader { slot: number });
        }
        let area = self.area(slot);
        if area.last >= self.payload_offset.get().into() {
            return Err(LuksError::SlotInPayload { slot: number });
        }
        for (second, other) in (0..).zip(&self.key_slots) {
            if second > number && area.overlaps(self.area(other)) {
                return Err(LuksError::SlotsOverlap { first: number, second });
            }
        }
        Ok(())
    }

    /// The sectors that the key of a slot takes: as many as the header has, or a
    /// multiple of that.
    ///
    /// Like that of qemu-img, the product wraps, and the last sector of nothing at
    /// the start of the file is the last there can be. That matters only to which
    /// error is found first: a product that wraps is of a key that no cipher has.
    fn area(&self, slot: &KeySlot) -> Area {
        let bytes = u64::from(self.key_size.get().wrapping_mul(slot.stripes.get()));
        let sectors = bytes.div_ceil(SECTOR).next_multiple_of(HEADER_SECTORS.into());
        let first = u64::from(slot.key_offset.get());
        Area { first, last: first.wrapping_add(sectors).wrapping_sub(1) }
    }
}

/// Some sectors, the last included.
#[derive(Clone, Copy)]
struct Area {
    first: u64,
    last: u64,
}

impl Area {
    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

#[cfg(test)]
mod tests;
