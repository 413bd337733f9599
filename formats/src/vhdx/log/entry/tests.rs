use alloc::rc::Rc;
use core::mem::offset_of;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::vhdx::sample::{Change as Logged, LOG_OFFSET, Log, Vhdx, seal};

const LOG: usize = 1 << 20;

/// The file of a sample with one entry.
fn file(log: &Log) -> Vec<u8> {
    log.in_image(&Vhdx::default())
}

fn ring(file: &[u8]) -> Ring {
    Ring::new(Rc::new(file.to_vec()), LOG_OFFSET, 1 << 20)
}

fn read(file: &[u8]) -> Option<Entry> {
    Entry::read(&mut ring(file), 0, Log::default().id).unwrap()
}

/// The changes of the entry at the start of the log.
fn changes(file: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    let visited: Result<(), StorageError> =
        read(file).unwrap().visit_changes(&mut ring(file), |change| {
            changes.push(change);
            Ok(())
        });
    visited.unwrap();
    changes
}

fn data(byte: u8) -> Vec<u8> {
    vec![byte; SECTOR]
}

#[test]
fn fields_are_where_the_specification_has_them() {
    for (offset, expected) in [
        (offset_of!(Header, tail), 12),
        (offset_of!(Header, sequence_number), 16),
        (offset_of!(Header, log_id), 32),
        (offset_of!(Header, flushed_file_offset), 48),
        (offset_of!(Header, last_file_offset), 56),
        (offset_of!(Descriptor, leading), 8),
        (offset_of!(Descriptor, file_offset), 16),
        (offset_of!(Descriptor, sequence_number), 24),
        (offset_of!(DataSector, sequence_low), 4092),
    ] {
        assert_eq!(offset, expected);
    }
}

#[test]
fn an_entry_has_changes_in_their_order() {
    let file = file(&Log::new(vec![vec![
        Logged::Data(0x30_0000, data(1)),
        Logged::Zeros(0x20_0000, 0x8000),
        Logged::Data(0x10_0000, data(2)),
    ]]));
    let entry = read(&file).unwrap();
    assert_eq!((entry.first, entry.sectors), (0, 3));
    assert_eq!((entry.header.sequence_number.get(), entry.header.descriptors.get()), (100, 3));
    let content = |sector: u64, byte| Content::Data {
        place: LOG_OFFSET + sector * 4096,
        leading: [byte; 8],
        trailing: [byte; 4],
    };
    assert_eq!(
        changes(&file),
        [
            Change { offset: 0x30_0000, length: 4096, content: content(1, 1) },
            Change { offset: 0x20_0000, length: 0x8000, content: Content::Zeros },
            Change { offset: 0x10_0000, length: 4096, content: content(2, 2) },
        ]
    );
}

#[test]
fn descriptors_go_on_in_further_sectors() {
    // The first sector has room for 126, the others for 128.
    for (count, sectors) in [(0, 1), (1, 1), (126, 1), (127, 2), (254, 2), (255, 3)] {
        let zeros = |number: u64| Logged::Zeros(number << 20, 4096);
        let file = file(&Log::new(vec![(0..count).map(zeros).collect()]));
        assert_eq!(read(&file).unwrap().sectors, sectors, "{count}");
        let offsets: Vec<u64> = changes(&file).iter().map(|change| change.offset >> 20).collect();
        assert_eq!(offsets, (0..count).collect::<Vec<_>>());
    }
    // Data comes behind the last of them.
    let mut changes: Vec<Logged> = (0..126).map(|number| Logged::Zeros(number << 20, 0)).collect();
    changes.push(Logged::Data(1 << 30, data(7)));
    let file = file(&Log::new(vec![changes]));
    let expected = LOG_OFFSET + 2 * 4096;
    let last = self::changes(&file).pop().unwrap();
    assert!(matches!(last.content, Content::Data { place, .. } if place == expected));
}

#[test]
fn an_entry_may_go_on_at_the_start_of_the_log() {
    let log = Log {
        first_sector: 254,
        ..Log::new(vec![vec![Logged::Data(0, data(1)), Logged::Data(4096, data(2))]])
    };
    let file = file(&log);
    let mut ring = ring(&file);
    let entry = Entry::read(&mut ring, 254, log.id).unwrap().unwrap();
    assert_eq!((entry.sectors, entry.end(&ring)), (3, 1));
    let mut places = Vec::new();
    let visited: Result<(), StorageError> = entry.visit_changes(&mut ring, |change| {
        let Content::Data { place, .. } = change.content else { panic!("{change:?}") };
        places.push(place);
        Ok(())
    });
    visited.unwrap();
    assert_eq!(places, [LOG_OFFSET + 255 * 4096, LOG_OFFSET]);
}

#[test]
fn a_damaged_entry_is_none() {
    let log = Log::new(vec![vec![Logged::Data(0x30_0000, data(1)), Logged::Zeros(0, 4096)]]);
    // The start of the log is enough.
    let mut bytes = file(&log)[LOG..LOG + 0x1_0000].to_vec();
    let is_valid = |bytes: &Vec<u8>| {
        let mut ring = Ring::new(Rc::new(bytes.clone()), 0, 0x1_0000);
        Entry::read(&mut ring, 0, log.id).unwrap().is_some()
    };
    assert!(is_valid(&bytes));
    for place in 0..2 * SECTOR {
        bytes[place] ^= 4;
        assert!(!is_valid(&bytes), "{place}");
        bytes[place] ^= 4;
    }
}

#[test]
fn what_the_checksum_does_not_find_is_checked() {
    let log = Log::new(vec![vec![Logged::Data(0x30_0000, data(1)), Logged::Zeros(0, 4096)]]);
    let good = file(&log);
    let says = |place: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[LOG + place..LOG + place + bytes.len()].copy_from_slice(bytes);
        let length = u32::from_le_bytes(file[LOG + 8..LOG + 12].try_into().unwrap());
        seal(&mut file[LOG..LOG + (length as usize).clamp(SECTOR, 1 << 20)]);
        read(&file).is_some()
    };
    let (first, second, sector) = (64, 96, 4096);
    for (place, bytes, valid) in [
        (0, &b"loge"[..], true),
        (0, b"Loge", false),
        // The length: as it is, none, too short, too long, no whole sector, too
        // long for the log.
        (8, &8192_u32.to_le_bytes(), true),
        (8, &0_u32.to_le_bytes(), false),
        (8, &4096_u32.to_le_bytes(), false),
        (8, &12_288_u32.to_le_bytes(), false),
        (8, &8193_u32.to_le_bytes(), false),
        (8, &0x10_1000_u32.to_le_bytes(), false),
        // The tail is not the entry's.
        (12, &77_u32.to_le_bytes(), true),
        // The number: none, and another than that of the descriptors.
        (16, &0_u64.to_le_bytes(), false),
        (16, &101_u64.to_le_bytes(), false),
        // The number of descriptors.
        (24, &1_u32.to_le_bytes(), true),
        (24, &0_u32.to_le_bytes(), false),
        (24, &3_u32.to_le_bytes(), false),
        (24, &u32::MAX.to_le_bytes(), false),
        (32, &[0; 16], false),
        (first, b"dest", false),
        (first, b"loge", false),
        (first + 16, &0x30_0001_u64.to_le_bytes(), false),
        (first + 24, &101_u64.to_le_bytes(), false),
        (second, b"Zero", false),
        (second, b"desc", false),
        (second + 8, &4097_u64.to_le_bytes(), false),
        (second + 8, &0_u64.to_le_bytes(), true),
        (second + 8, &(1_u64 << 63).to_le_bytes(), true),
        (second + 24, &99_u64.to_le_bytes(), false),
        (sector, b"Data", false),
        (sector + 4, &1_u32.to_le_bytes(), false),
        (sector + 4092, &101_u32.to_le_bytes(), false),
        (sector + 100, &[0], true),
    ] {
        assert_eq!(says(place, bytes), valid, "{bytes:?} at {place}");
    }
}

#[test]
fn an_entry_has_the_id_of_the_log() {
    let log = Log::new(vec![vec![]]);
    let file = file(&log);
    assert!(Entry::read(&mut ring(&file), 0, log.id).unwrap().is_some());
    assert!(Entry::read(&mut ring(&file), 0, Guid::ZERO).unwrap().is_none());
    assert!(Entry::read(&mut ring(&file), 1, log.id).unwrap().is_none());
}
