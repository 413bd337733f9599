use alloc::rc::Rc;
use std::vec;

use super::*;
use crate::vhdx::sample::{Change, LOG_OFFSET, Log, Vhdx};

/// The first sectors and the last number of the active sequence.
fn active(file: &[u8]) -> Option<(Vec<u32>, u64)> {
    let mut ring = Ring::new(Rc::new(file.to_vec()), LOG_OFFSET, 1 << 20);
    let sequence = Sequence::active(&mut ring, Log::default().id).unwrap();
    sequence.map(|sequence| (sequence.starts.clone(), sequence.number()))
}

/// A log of entries with so many sectors.
fn log(entries: &[u64]) -> Log {
    let entry = |sectors: &u64| {
        let data = |number: u64| Change::Data(number << 20, vec![7; SECTOR]);
        // Behind so many descriptors there is a second sector of them.
        (if *sectors < 128 { 1 } else { 2 }..*sectors).map(data).collect()
    };
    Log::new(entries.iter().map(entry).collect())
}

/// The file with the log of another one on top of its own, from a sector on.
fn with(mut file: Vec<u8>, other: &Log, sectors: core::ops::Range<usize>) -> Vec<u8> {
    let other = other.in_image(&Vhdx::default());
    let log = usize::try_from(LOG_OFFSET).unwrap();
    let bytes = log + sectors.start * SECTOR..log + sectors.end * SECTOR;
    file[bytes.clone()].copy_from_slice(&other[bytes]);
    file
}

fn in_image(log: &Log) -> Vec<u8> {
    log.in_image(&Vhdx::default())
}

#[test]
fn entries_that_follow_each_other_are_a_sequence() {
    for (entries, starts) in [
        (&[1][..], vec![0]),
        (&[3, 1, 2], vec![0, 3, 4]),
        (&[256], vec![0]),
        (&[100, 156], vec![0, 100]),
    ] {
        let last = 99 + entries.len() as u64;
        assert_eq!(active(&in_image(&log(entries))), Some((starts, last)));
    }
    assert_eq!(active(&in_image(&log(&[]))), None);
}

#[test]
fn a_sequence_starts_anywhere_and_goes_on_at_the_start() {
    for (first_sector, starts) in [
        (5, vec![5, 8, 10]),
        (249, vec![249, 252, 254]),
        (250, vec![250, 253, 255]),
        (251, vec![251, 254, 0]),
        (253, vec![253, 0, 2]),
        (254, vec![254, 1, 3]),
        (255, vec![255, 2, 4]),
    ] {
        let log = Log { first_sector, ..log(&[3, 2, 1]) };
        assert_eq!(active(&in_image(&log)), Some((starts, 102)), "{first_sector}");
    }
    // All around.
    let log = Log { first_sector: 100, ..log(&[100, 100, 56]) };
    assert_eq!(active(&in_image(&log)), Some((vec![100, 200, 44], 102)));
}

#[test]
fn what_is_done_does_not_count() {
    for (tail, starts) in [(0, vec![0, 3, 5]), (1, vec![3, 5]), (2, vec![5])] {
        let log = Log { tail, ..log(&[3, 2, 1]) };
        // The last entry says so, be it the only one that does.
        assert_eq!(active(&in_image(&log)), Some((starts, 102)));
    }
}

#[test]
fn an_entry_that_was_not_finished_ends_the_sequence() {
    let good = in_image(&log(&[3, 2, 4]));
    let log = usize::try_from(LOG_OFFSET).unwrap();
    for (sector, expected) in [
        (0, None),
        (2, None),
        (3, Some((vec![0], 100))),
        (4, Some((vec![0], 100))),
        (5, Some((vec![0, 3], 101))),
        (8, Some((vec![0, 3], 101))),
        (9, Some((vec![0, 3, 5], 102))),
    ] {
        let mut file = good.clone();
        file[log + sector * SECTOR..][..SECTOR].fill(0xee);
        // What is left behind a damaged first entry is not complete.
        assert_eq!(active(&file), expected, "{sector}");
    }
}

#[test]
fn a_sequence_whose_first_entry_is_lost_is_not_complete() {
    // The second round has overwritten the first entry of the first.
    let first = log(&[3, 2, 1]);
    let second = Log { first_number: 50, ..log(&[1]) };
    let file = with(in_image(&first), &second, 0..1);
    assert_eq!(active(&file), Some((vec![0], 50)));
}

#[test]
fn the_highest_number_is_active() {
    let low = log(&[2, 2]);
    for (first_number, expected) in [
        (90, (vec![0, 2], 101)),
        (100, (vec![0, 2], 101)),
        // Of two with the same number the first.
        (101, (vec![0, 2], 101)),
        (102, (vec![10], 102)),
        (u64::MAX, (vec![10], u64::MAX)),
    ] {
        let high = Log { first_number, first_sector: 10, ..log(&[1]) };
        let file = with(in_image(&low), &high, 10..11);
        assert_eq!(active(&file), Some(expected), "{first_number}");
    }
}

#[test]
fn numbers_follow_without_a_gap() {
    let first = log(&[2]);
    for (first_number, expected) in [
        (101, (vec![0, 2], 101)),
        (102, (vec![2], 102)),
        (100, (vec![0], 100)),
        (99, (vec![0], 100)),
    ] {
        let next = Log { first_number, first_sector: 2, ..log(&[1]) };
        let file = with(in_image(&first), &next, 2..3);
        let expected = if first_number == 101 {
            // Its tail is itself, so that only it matters.
            (vec![2], 101)
        } else {
            expected
        };
        assert_eq!(active(&file), Some(expected), "{first_number}");
    }
    // Behind the last number there is none.
    let last = Log { first_number: u64::MAX, ..log(&[1]) };
    let none = Log { first_number: 1, first_sector: 1, ..log(&[1]) };
    let file = with(in_image(&last), &none, 1..2);
    assert_eq!(active(&file), Some((vec![0], u64::MAX)));
}
