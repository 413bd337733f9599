//! Images whose log is not finished.

use alloc::vec::Vec;
use core::iter;

use zerocopy::{FromZeros, IntoBytes};

use super::{LOG_OFFSET, Vhdx, put, put_headers, seal};
use crate::guid::Guid;
use crate::vhdx::log::entry::{
    DATA_SIGNATURE, DataSector, Descriptor, Header, SECTOR_SIGNATURE, SIGNATURE, ZERO_SIGNATURE,
};
use crate::vhdx::log::ring::SECTOR;

/// A log.
#[derive(Clone, Debug)]
pub struct Log {
    /// The id of its entries.
    pub id: Guid,
    /// The sector of the log at which the first entry starts.
    pub first_sector: u32,
    /// The number of the first entry.
    pub first_number: u64,
    /// Which entry is the first that matters.
    pub tail: usize,
    /// How long the file is said to be, if it is not what it is.
    pub flushed_file_offset: Option<u64>,
    /// How long the file is to be with the changes, if not as it is.
    pub last_file_offset: Option<u64>,
    /// The changes of each entry.
    pub entries: Vec<Vec<Change>>,
}

/// A change of the file.
#[derive(Clone, Debug)]
pub enum Change {
    /// Zeros: where they start and how many they are, in bytes.
    Zeros(u64, u64),
    /// Data: where it starts in bytes, and a sector of the log of it.
    Data(u64, Vec<u8>),
}

impl Default for Log {
    /// A log without entries.
    fn default() -> Self {
        Self {
            id: Guid::new(0x1234_5678, 0x1069, 0x4444, *b"the log\0"),
            first_sector: 0,
            first_number: 100,
            tail: 0,
            flushed_file_offset: None,
            last_file_offset: None,
            entries: Vec::new(),
        }
    }
}

impl Change {
    /// The changes that make one file of another, in one entry, if the file is made
    /// as long. What differs in the headers and in the log does not count.
    #[must_use]
    pub fn between(image: &Vhdx, from: &[u8], to: &[u8]) -> Vec<Self> {
        let behind_log = image.metadata().start;
        let mut changes = Vec::new();
        for (offset, new) in (0_u64..).step_by(SECTOR).zip(to.chunks(SECTOR)) {
            let place = usize::try_from(offset).unwrap_or(usize::MAX);
            let old = from.get(place..).unwrap_or_default().iter().chain(iter::repeat(&0));
            if offset < behind_log || old.zip(new).all(|(old, new)| old == new) {
                continue;
            }
            changes.push(if new.iter().all(|byte| *byte == 0) {
                Self::Zeros(offset, new.len() as u64)
            } else {
                Self::Data(offset, new.to_vec())
            });
        }
        changes
    }
}

impl Log {
    /// The log with these entries.
    #[must_use]
    pub fn new(entries: Vec<Vec<Change>>) -> Self {
        Self { entries, ..Self::default() }
    }

    /// The file of an image with this log in it, which has room for the entries.
    #[must_use]
    pub fn in_image(&self, image: &Vhdx) -> Vec<u8> {
        self.in_file(image, image.bytes())
    }

    /// The same of a file of that image with something else in it.
    #[must_use]
    pub fn in_file(&self, image: &Vhdx, mut file: Vec<u8>) -> Vec<u8> {
        let mut header = image.header();
        header.log_id = self.id;
        put_headers(&mut file, &header);
        let length = file.len() as u64;
        let ring = u64::from(image.log_length).max(1);
        let mut place = u64::from(self.first_sector).saturating_mul(SECTOR as u64);
        let mut places = Vec::new();
        for (index, changes) in (0_u64..).zip(&self.entries) {
            let number = self.first_number.wrapping_add(index);
            places.push(place);
            let tail = places.get(self.tail).or(places.last()).copied().unwrap_or(0);
            let mut header = Header::new_zeroed();
            header.tail = u32::try_from(tail).unwrap_or(u32::MAX).into();
            header.sequence_number = number.into();
            header.log_id = self.id;
            header.flushed_file_offset = self.flushed_file_offset.unwrap_or(length).into();
            header.last_file_offset = self.last_file_offset.unwrap_or(length).into();
            for sector in entry(header, changes).chunks(SECTOR) {
                put(&mut file, LOG_OFFSET.saturating_add(place), sector);
                place = place.saturating_add(SECTOR as u64).checked_rem(ring).unwrap_or(0);
            }
        }
        file
    }
}

/// The bytes of an entry.
fn entry(mut header: Header, changes: &[Change]) -> Vec<u8> {
    let number = header.sequence_number.get();
    let (mut descriptors, mut data) = (Vec::new(), Vec::new());
    for change in changes {
        let mut descriptor = Descriptor::new_zeroed();
        descriptor.sequence_number = number.into();
        let (Change::Zeros(offset, _) | Change::Data(offset, _)) = change;
        descriptor.file_offset = (*offset).into();
        match change {
            Change::Zeros(_, length) => {
                descriptor.signature = ZERO_SIGNATURE;
                descriptor.leading = length.to_le_bytes();
            }
            Change::Data(_, bytes) => {
                descriptor.signature = DATA_SIGNATURE;
                descriptor.leading = bytes.first_chunk().copied().unwrap_or_default();
                descriptor.trailing = bytes.last_chunk().copied().unwrap_or_default();
                let mut sector = DataSector::new_zeroed();
                let middle = bytes.iter().skip(descriptor.leading.len());
                sector.data.iter_mut().zip(middle).for_each(|(target, source)| *target = *source);
                sector.signature = SECTOR_SIGNATURE;
                let [low, high] = [number, number >> 32].map(|half| half & u64::from(u32::MAX));
                sector.sequence_low = u32::try_from(low).unwrap_or(0).into();
                sector.sequence_high = u32::try_from(high).unwrap_or(0).into();
                data.extend_from_slice(sector.as_bytes());
            }
        }
        descriptors.extend_from_slice(descriptor.as_bytes());
    }
    header.signature = SIGNATURE;
    header.descriptors = u32::try_from(changes.len()).unwrap_or(u32::MAX).into();
    let descriptor_bytes = header.as_bytes().len().saturating_add(descriptors.len());
    let descriptor_bytes = descriptor_bytes.next_multiple_of(SECTOR);
    let length = descriptor_bytes.saturating_add(data.len());
    header.length = u32::try_from(length).unwrap_or(u32::MAX).into();
    let mut bytes = [header.as_bytes(), &descriptors].concat();
    bytes.resize(descriptor_bytes, 0);
    bytes.extend_from_slice(&data);
    seal(&mut bytes);
    bytes
}
