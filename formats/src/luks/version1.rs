//! Volumes of version 1.
//!
//! The header of one is also in the qcow2 images that are encrypted this way. So
//! it is read from any storage, and where the payload lies is left to the caller.

pub mod header;

use alloc::string::ToString;

use super::SECTOR;
use super::names::Encryption;
use crate::error::Error;
use crate::image::{self, Luks};
use crate::storage::Storage;
use crate::text;
use header::{Header, SLOT_ENABLED};

/// A volume, as its header describes it.
#[derive(Clone, Debug)]
pub struct Volume {
    header: Header,
    encryption: Encryption,
}

impl Volume {
    /// Reads the header that a storage starts with.
    ///
    /// # Errors
    ///
    /// If there is no header, if it is damaged, or if it names a cipher, mode or
    /// hash that nobody knows.
    pub fn read(storage: &dyn Storage) -> Result<Self, Error> {
        let header = Header::read(storage)?;
        let encryption = Encryption::parse(
            text::until_nul(&header.cipher),
            text::until_nul(&header.mode),
            text::until_nul(&header.hash),
            header.key_size.get(),
        )?;
        Ok(Self { header, encryption })
    }

    /// Where the payload starts, in bytes.
    #[must_use]
    pub fn payload_offset(&self) -> u64 {
        in_bytes(self.header.payload_offset.get())
    }

    /// What only LUKS has. The caller knows whether the header is a file of its
    /// own.
    #[must_use]
    pub fn description(&self, detached_header: bool) -> Luks {
        let Encryption { mode, iv_generator, iv_hash, hash, .. } = &self.encryption;
        Luks {
            cipher: self.encryption.cipher_name(),
            mode: mode.name.to_string(),
            iv_generator: iv_generator.unwrap_or("none").to_string(),
            iv_hash: iv_hash.map(|hash| hash.name.to_string()),
            hash: hash.name.to_string(),
            detached_header,
            uuid: text::until_nul(&self.header.uuid).to_vec(),
            payload_offset: self.payload_offset(),
            master_key_iterations: self.header.digest_iterations.get().into(),
        }
    }

    /// All key slots, those in use and those that are free.
    pub fn key_slots(&self) -> impl Iterator<Item = image::KeySlot> + '_ {
        self.header.key_slots.iter().map(|slot| image::KeySlot {
            key_offset: in_bytes(slot.key_offset.get()),
            active: (slot.state.get() == SLOT_ENABLED)
                .then(|| (slot.iterations.get().into(), slot.stripes.get().into())),
        })
    }
}

fn in_bytes(sectors: u32) -> u64 {
    u64::from(sectors).saturating_mul(SECTOR)
}
