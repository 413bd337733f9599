//! Key slots in the metadata of version 2 (specification, "Keyslots Object").

use alloc::vec::Vec;

use super::metadata::{long, once};
use crate::image::KeyCost;
use crate::luks::json::{Fault, Reader};

/// A place for a key, in use. What is not in use is not in the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySlot {
    /// Its number.
    pub number: u32,
    /// Where it is.
    pub area: Area,
    /// The key in it. A slot can also hold what a reencryption needs to go on.
    pub key: Option<Key>,
}

/// The key in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its size in bytes.
    pub size: u64,
    /// How it is encrypted: `aes-xts-plain64`.
    pub encryption: Vec<u8>,
    /// How the key to that is derived from a passphrase: `argon2id`, `pbkdf2`.
    pub derivation: Vec<u8>,
    /// What the derivation takes, if it is known.
    pub cost: Option<KeyCost>,
}

/// A part of the file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Where it starts.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

impl Area {
    /// Where it ends. That is checked to lie in front of the segments.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }

    /// Whether a byte lies in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.offset < other.end() && other.offset < self.end()
    }
}

impl KeySlot {
    /// Reads the object of the slot with a number.
    pub(super) fn parse(number: u32, reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut kind, mut size, mut derivation) = (None, None, None);
        let (mut area, mut encryption) = (None, None);
        reader.object(&mut |name, reader| match name {
            b"type" => once(reader, &mut kind, Reader::string),
            b"key_size" => once(reader, &mut size, Reader::number),
            b"area" => once(reader, &mut area, |reader| Area::parse(reader, &mut encryption)),
            b"kdf" => once(reader, &mut derivation, Derivation::parse),
            _ => reader.skip(),
        })?;
        let kind = kind.ok_or(reader.fault("a key slot has no type"))?;
        let area = area.ok_or(reader.fault("a key slot has no area"))?;
        if kind != b"luks2" {
            return Ok(Self { number, area, key: None });
        }
        let Derivation { kind, cost } = derivation.ok_or(reader.fault("a key slot has no kdf"))?;
        let key = Key {
            size: size.ok_or(reader.fault("a key slot has no key_size"))?,
            encryption: encryption.ok_or(reader.fault("an area has no encryption"))?,
            derivation: kind,
            cost,
        };
        Ok(Self { number, area, key: Some(key) })
    }
}

impl Area {
    /// Reads an area, and how it is encrypted, if it is.
    fn parse(reader: &mut Reader<'_>, encryption: &mut Option<Vec<u8>>) -> Result<Self, Fault> {
        let (mut offset, mut size) = (None, None);
        reader.object(&mut |name, reader| match name {
            b"offset" => once(reader, &mut offset, long),
            b"size" => once(reader, &mut size, long),
            b"encryption" => once(reader, encryption, Reader::string),
            _ => reader.skip(),
        })?;
        Ok(Self {
            offset: offset.ok_or(reader.fault("an area has no offset"))?,
            size: size.ok_or(reader.fault("an area has no size"))?,
        })
    }
}

/// How a key is derived from a passphrase.
struct Derivation {
    kind: Vec<u8>,
    cost: Option<KeyCost>,
}

impl Derivation {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut kind, mut hash, mut iterations) = (None, None, None);
        let (mut time, mut memory, mut cpus) = (None, None, None);
        reader.object(&mut |name, reader| match name {
            b"type" => once(reader, &mut kind, Reader::string),
            b"hash" => once(reader, &mut hash, Reader::string),
            b"iterations" => once(reader, &mut iterations, Reader::number),
            b"time" => once(reader, &mut time, Reader::number),
            b"memory" => once(reader, &mut memory, Reader::number),
            b"cpus" => once(reader, &mut cpus, Reader::number),
            _ => reader.skip(),
        })?;
        let kind = kind.ok_or(reader.fault("a kdf has no type"))?;
        let cost = match &*kind {
            b"pbkdf2" => Some(KeyCost::Pbkdf2 {
                hash: hash.ok_or(reader.fault("a kdf has no hash"))?,
                iterations: iterations.ok_or(reader.fault("a kdf has no iterations"))?,
            }),
            b"argon2i" | b"argon2id" => Some(KeyCost::Argon2 {
                time: time.ok_or(reader.fault("a kdf has no time"))?,
                memory: memory.ok_or(reader.fault("a kdf has no memory"))?,
                cpus: cpus.ok_or(reader.fault("a kdf has no cpus"))?,
            }),
            _ => None,
        };
        Ok(Self { kind, cost })
    }
}

#[cfg(test)]
mod tests;
