//! Small valid volumes, for tests. Their keys are nobody's: there is nothing to
//! decrypt.

use alloc::vec::Vec;

use zerocopy::{FromZeros, IntoBytes};

use super::{MAGIC, SECTOR, version1};

/// The id of a volume.
pub const UUID: &str = "01234567-89ab-4cde-8f01-23456789abcd";

/// A volume of version 1.
#[derive(Clone, Debug)]
pub struct Version1 {
    /// The name of the cipher.
    pub cipher: &'static str,
    /// Its mode.
    pub mode: &'static str,
    /// The hash.
    pub hash: &'static str,
    /// The size of the master key in bytes.
    pub key_size: u32,
    /// The volume's id.
    pub uuid: &'static str,
    /// Iterations in the digest of the master key.
    pub iterations: u32,
    /// Iterations of each slot, of which those with none are free.
    pub slots: [u32; version1::KEY_SLOTS],
    /// The size of the payload in sectors.
    pub payload: u32,
}

impl Default for Version1 {
    /// A disk of 1 MiB with one slot in use.
    fn default() -> Self {
        Self {
            cipher: "aes",
            mode: "cbc-plain64",
            hash: "sha256",
            key_size: 16,
            uuid: UUID,
            iterations: 7000,
            slots: [20_000, 0, 0, 0, 0, 0, 0, 0],
            payload: 2048,
        }
    }
}

impl Version1 {
    /// The header.
    #[must_use]
    pub fn header(&self) -> version1::Header {
        let mut header = version1::Header::new_zeroed();
        header.magic = MAGIC;
        header.version = version1::VERSION.into();
        put(&mut header.cipher, self.cipher);
        put(&mut header.mode, self.mode);
        put(&mut header.hash, self.hash);
        put(&mut header.uuid, self.uuid);
        header.key_size = self.key_size.into();
        header.digest = [0xdd; 20];
        header.digest_salt = [0x5a; 32];
        header.digest_iterations = self.iterations.into();
        let mut sector = version1::HEADER_SECTORS;
        for (slot, iterations) in header.key_slots.iter_mut().zip(self.slots) {
            let in_use = iterations != 0;
            let state = if in_use { version1::SLOT_ENABLED } else { version1::SLOT_DISABLED };
            slot.state = state.into();
            slot.iterations = iterations.into();
            slot.key_offset = sector.into();
            slot.stripes = version1::STRIPES.into();
            let key = self.key_size.saturating_mul(version1::STRIPES).div_ceil(512);
            sector = sector.saturating_add(key.next_multiple_of(version1::HEADER_SECTORS));
        }
        header.payload_offset = sector.into();
        header
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let header = self.header();
        let mut bytes = header.as_bytes().to_vec();
        let sectors = u64::from(header.payload_offset.get()).saturating_add(self.payload.into());
        bytes.resize(usize::try_from(sectors.saturating_mul(SECTOR)).unwrap_or(0), 0);
        bytes
    }
}

/// Puts a text into a field, as far as it goes.
fn put(field: &mut [u8], text: &str) {
    for (target, source) in field.iter_mut().zip(text.bytes()) {
        *target = source;
    }
}
