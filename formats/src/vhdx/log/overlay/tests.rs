use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::storage::read_bytes;
use crate::vhdx::sample::{Change as Logged, LOG_OFFSET, Log, Vhdx};

const K: u64 = 1024;

/// The file with the changes of its log.
fn overlay(log: &Log) -> Result<Overlay, Error> {
    let file: Rc<dyn Storage> = Rc::new(log.in_image(&Vhdx::default()));
    let mut ring = Ring::new(Rc::clone(&file), LOG_OFFSET, 1 << 20);
    let sequence = Sequence::active(&mut ring, log.id)?.unwrap();
    Overlay::new(file, &mut ring, &sequence)
}

/// A sector in which every byte is another.
fn data(seed: usize) -> Vec<u8> {
    (0..SECTOR).map(|place| u8::try_from((place * 7 + place / 256 + seed) % 251).unwrap()).collect()
}

/// The file as it is when the changes have been written to it.
fn written(log: &Log) -> Vec<u8> {
    let mut file = log.in_image(&Vhdx::default());
    for change in log.entries.iter().flatten() {
        let (offset, bytes) = match change {
            Logged::Zeros(offset, length) => (*offset, vec![0; usize::try_from(*length).unwrap()]),
            Logged::Data(offset, bytes) => (*offset, bytes.clone()),
        };
        let offset = usize::try_from(offset).unwrap();
        file.resize(file.len().max(offset + bytes.len()), 0);
        file[offset..offset + bytes.len()].copy_from_slice(&bytes);
    }
    file
}

/// Checks that the changes are seen, in reads of every kind.
fn assert_seen(log: &Log) {
    let overlay = overlay(log).unwrap();
    let expected = written(log);
    assert_eq!(overlay.length(), expected.len() as u64);
    for step in [1 << 20, 65_536, 4096, 4095, 1000] {
        for start in (0..expected.len()).step_by(step) {
            let length = step.min(expected.len() - start);
            let read = read_bytes(&overlay, start as u64, length).unwrap();
            assert!(read == expected[start..start + length], "{length} at {start}");
        }
    }
}

#[test]
fn data_is_seen_where_it_belongs() {
    assert_seen(&Log::new(vec![vec![
        Logged::Data(3 << 20, data(1)),
        Logged::Data((3 << 20) + 8192, data(2)),
        Logged::Data(0, data(3)),
    ]]));
}

#[test]
fn single_bytes_come_from_their_places() {
    let log = Log::new(vec![vec![Logged::Data(1 << 21, data(5))]]);
    let (overlay, expected) = (overlay(&log).unwrap(), written(&log));
    for place in [0, 1, 7, 8, 9, 4090, 4091, 4092, 4095, 4096] {
        for length in [1, 2, 5] {
            let start = (1 << 21) - 1 + place;
            let read = read_bytes(&overlay, start as u64, length).unwrap();
            assert_eq!(read, expected[start..start + length], "{length} at {place}");
        }
    }
}

#[test]
fn later_changes_replace_earlier_ones() {
    let base = 2 << 20;
    let zeros = |offset, length| Logged::Zeros(base + offset * K, length * K);
    let data = |offset, seed| Logged::Data(base + offset * K, data(seed));
    for changes in [
        vec![data(0, 1), data(0, 2)],
        vec![data(0, 1), data(4, 2), zeros(0, 8)],
        vec![zeros(0, 32), data(8, 1)],
        vec![zeros(0, 32), data(0, 1)],
        vec![zeros(0, 32), data(28, 1)],
        vec![zeros(0, 32), data(8, 1), zeros(4, 8)],
        vec![zeros(0, 32), data(8, 1), data(16, 2), zeros(0, 64)],
        vec![data(8, 1), zeros(0, 16), zeros(12, 16), data(12, 2)],
        vec![data(8, 1), data(16, 2), zeros(12, 4), zeros(4, 4)],
        vec![zeros(0, 8), zeros(8, 8), zeros(4, 8), data(4, 3)],
        vec![data(8, 1), zeros(8, 0), zeros(0, 0)],
    ] {
        // In one entry, and in one for each.
        assert_seen(&Log::new(vec![changes.clone()]));
        assert_seen(&Log::new(changes.into_iter().map(|change| vec![change]).collect()));
    }
}

#[test]
fn only_what_is_not_done_is_seen() {
    let entries = [1, 2, 3].map(|seed| vec![Logged::Data(2 << 20, data(seed))]);
    let log = Log { tail: 2, ..Log::new(entries.to_vec()) };
    let overlay = overlay(&log).unwrap();
    assert_eq!(read_bytes(&overlay, 2 << 20, SECTOR).unwrap(), data(3));
    assert_eq!(overlay.changes.len(), 1);
}

#[test]
fn the_file_may_become_longer() {
    // By a change, and by what the log says of its length.
    assert_seen(&Log::new(vec![vec![Logged::Data(4 << 20, data(1))]]));
    assert_seen(&Log::new(vec![vec![Logged::Zeros(5 << 20, 4096)]]));
    for (last, expected) in [(0, 4 << 20), (4 << 20, 4 << 20), (9 << 20, 9 << 20)] {
        let log = Log { last_file_offset: Some(last), ..Log::new(vec![vec![]]) };
        let overlay = overlay(&log).unwrap();
        assert_eq!(overlay.length(), expected);
        let end = read_bytes(&overlay, expected - 4, 4).unwrap();
        assert_eq!(end, [0; 4]);
        assert!(read_bytes(&overlay, expected - 4, 5).is_err());
        // Part of it is there.
        assert!(read_bytes(&overlay, (4 << 20) - 2, 4).is_ok() || expected == 4 << 20);
    }
}

#[test]
fn the_file_must_not_have_become_shorter() {
    for (flushed, fits) in [(0, true), (4 << 20, true), ((4 << 20) + 1, false), (u64::MAX, false)] {
        let log = Log { flushed_file_offset: Some(flushed), ..Log::new(vec![vec![]]) };
        let said = overlay(&log).err().map(|error| error.to_string());
        let expected =
            std::format!("the file has 4194304 bytes, and had {flushed} when its log was written");
        assert_eq!(said, (!fits).then_some(expected));
    }
}

#[test]
fn changes_are_where_files_reach() {
    let end = 0x7fff_ffff_c000_0000;
    for (offset, length, reachable) in [
        (end - 4096, 4096, true),
        (end - 4096, 8192, false),
        (0, end, true),
        (0, end + 4096, false),
        (end, 0, true),
        (u64::MAX - 4095, 4096, false),
    ] {
        let log = Log::new(vec![vec![Logged::Zeros(offset, length)]]);
        let said = overlay(&log).err().map(|error| error.to_string());
        let expected = "the log has a change where no file reaches".to_string();
        assert_eq!(said, (!reachable).then_some(expected), "{length} at {offset}");
    }
    for (last, reachable) in [(end, true), (end + 1, false), (u64::MAX, false)] {
        let log = Log { last_file_offset: Some(last), ..Log::new(vec![vec![]]) };
        assert_eq!(overlay(&log).is_ok(), reachable, "{last}");
    }
}

#[test]
fn changes_have_a_limit() {
    for (count, fits) in [(MAX_CHANGES - 1, true), (MAX_CHANGES, true), (MAX_CHANGES + 1, false)] {
        // Half a megabyte of descriptors.
        let zeros = |number: usize| Logged::Zeros(number as u64 * 8192, 4096);
        let log = Log::new(vec![(0..count).map(zeros).collect()]);
        let overlay = overlay(&log).map(|overlay| overlay.changes.len());
        let expected = if fits { Ok(count) } else { Err("the log has more than 16384 changes") };
        assert_eq!(overlay.map_err(|error| error.to_string()), expected.map_err(Into::into));
    }
}

#[test]
fn splitting_is_bounded_too() {
    // Each change makes two pieces of the zeros before it.
    let mut changes = vec![Logged::Zeros(0, 1 << 30)];
    changes.extend((1..8000).map(|number| Logged::Zeros(number * 16_384, 4096)));
    let log = Log::new(vec![changes]);
    assert_eq!(overlay(&log).unwrap().changes.len(), 2 * 7999 + 1);
}
