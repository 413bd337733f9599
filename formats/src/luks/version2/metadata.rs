//! The metadata of version 2, a text in JSON (specification, "LUKS2 JSON Metadata
//! Format").
//!
//! They have key slots, segments, digests, tokens and the configuration. Digests
//! and tokens are for those who have a key; here they only have to be JSON.

use alloc::vec::Vec;

use super::header::BINARY_SIZE;
use super::key_slot::KeySlot;
use super::segment::Segment;
use crate::luks::LuksError;
use crate::luks::json::{Fault, Reader, unsigned};

/// How many key slots, and how many segments, there can be: as many as cryptsetup
/// knows.
pub const MAX_ITEMS: u32 = 32;

/// The most room for keys in bytes, as with cryptsetup.
pub const MAX_KEYS_SIZE: u64 = 128 << 20;

/// The metadata, as far as they describe the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The key slots in the order of their numbers.
    pub key_slots: Vec<KeySlot>,
    /// The segments in the order of their numbers.
    pub segments: Vec<Segment>,
    /// The configuration.
    pub config: Config,
}

/// The configuration ("Config object").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The size of the metadata in bytes, zeros behind them included.
    pub json_size: u64,
    /// The room for keys behind the second header, in bytes.
    pub keys_size: u64,
    /// Whether the volume is being encrypted anew, which can take days: what is
    /// done has another key or another cipher than what is not.
    pub reencryption: bool,
}

impl Metadata {
    /// Takes the text apart.
    ///
    /// # Errors
    ///
    /// If it is no JSON, if something is missing, or if it has another type than
    /// is specified.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(text);
        let (mut key_slots, mut segments, mut config) = (None, None, None);
        reader.object(&mut |name, reader| match name {
            b"keyslots" => once(reader, &mut key_slots, |reader| numbered(reader, KeySlot::parse)),
            b"segments" => once(reader, &mut segments, |reader| {
                numbered(reader, |_, reader| Segment::parse(reader))
            }),
            b"config" => once(reader, &mut config, Config::parse),
            _ => reader.skip(),
        })?;
        let key_slots = key_slots.ok_or(reader.fault("there is no object keyslots"))?;
        let segments = segments.ok_or(reader.fault("there is no object segments"))?;
        let config = config.ok_or(reader.fault("there is no object config"))?;
        reader.finish()?;
        Ok(Self { key_slots, segments, config })
    }

    /// Holds what they say against a header of this size ("LUKS2 On-Disk
    /// Format"): both copies of it, then the keys, then the segments.
    ///
    /// # Errors
    ///
    /// If something lies where something else is.
    pub fn check(&self, header_size: u64) -> Result<(), LuksError> {
        let Config { json_size, keys_size, .. } = self.config;
        if json_size.checked_add(BINARY_SIZE) != Some(header_size) {
            return Err(LuksError::MetadataSize { said: json_size });
        }
        if keys_size > MAX_KEYS_SIZE || !keys_size.is_multiple_of(BINARY_SIZE) {
            return Err(LuksError::KeysSize { size: keys_size });
        }
        // Both sizes are far below what 64 bits can hold.
        let keys = header_size.saturating_mul(2);
        let keys_end = keys.saturating_add(keys_size);
        for (index, slot) in self.key_slots.iter().enumerate() {
            if slot.area.offset < keys {
                return Err(LuksError::SlotInHeader { slot: slot.number });
            }
            if slot.area.end() > keys_end {
                return Err(LuksError::SlotInPayload { slot: slot.number });
            }
            let mut others = self.key_slots.iter().skip(index).skip(1);
            if let Some(other) = others.find(|other| other.area.overlaps(&slot.area)) {
                return Err(LuksError::SlotsOverlap { first: slot.number, second: other.number });
            }
        }
        let mut segments = self.segments.iter().filter(|segment| !segment.backup);
        if segments.any(|segment| segment.offset < keys_end) {
            return Err(LuksError::PayloadInHeader);
        }
        Ok(())
    }
}

impl Config {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut json_size, mut keys_size, mut reencryption) = (None, None, None);
        reader.object(&mut |name, reader| match name {
            b"json_size" => once(reader, &mut json_size, long),
            b"keyslots_size" => once(reader, &mut keys_size, long),
            b"requirements" => once(reader, &mut reencryption, is_reencryption),
            _ => reader.skip(),
        })?;
        Ok(Self {
            json_size: json_size.ok_or(reader.fault("config has no json_size"))?,
            keys_size: keys_size.ok_or(reader.fault("config has no keyslots_size"))?,
            reencryption: reencryption.unwrap_or_default(),
        })
    }
}

/// Whether one must know of reencryption to open the volume: the names of that
/// are followed by a version.
fn is_reencryption(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    let mut found = false;
    reader.object(&mut |name, reader| match name {
        b"mandatory" => reader.array(&mut |reader| {
            let requirement = reader.string()?;
            found |= requirement.starts_with(b"online-reencrypt");
            found |= requirement.starts_with(b"offline-reencrypt");
            Ok(())
        }),
        _ => reader.skip(),
    })?;
    Ok(found)
}

/// Reads a member that may be there only once: readers that differ in which one
/// they take would see different volumes.
pub(super) fn once<'a, T>(
    reader: &mut Reader<'a>,
    member: &mut Option<T>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Fault>,
) -> Result<(), Fault> {
    match member.replace(read(reader)?) {
        None => Ok(()),
        Some(_) => Err(reader.fault("a member is there twice")),
    }
}

/// Reads a number of 64 bits, which is written as a string.
pub(super) fn long(reader: &mut Reader<'_>) -> Result<u64, Fault> {
    unsigned(&reader.string()?).ok_or_else(|| reader.fault("a number in a string is invalid"))
}

/// Reads an object whose members have numbers for names, and returns them in
/// order.
fn numbered<T>(
    reader: &mut Reader<'_>,
    parse: impl Fn(u32, &mut Reader<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut items: Vec<(u32, T)> = Vec::new();
    reader.object(&mut |name, reader| {
        let number = unsigned(name).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| *number < MAX_ITEMS);
        let number = number.ok_or_else(|| reader.fault("a name is no number below 32"))?;
        let place = match items.binary_search_by_key(&number, |(number, _)| *number) {
            Err(place) => place,
            Ok(_) => return Err(reader.fault("a number is there twice")),
        };
        items.insert(place, (number, parse(number, reader)?));
        Ok(())
    })?;
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

#[cfg(test)]
mod tests;
