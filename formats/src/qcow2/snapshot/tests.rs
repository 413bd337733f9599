use std::string::{String, ToString};
use std::vec;

use super::*;
use crate::qcow2::sample::{self, Sample};

/// The snapshots of an image.
fn read(bytes: &Vec<u8>) -> Result<Vec<Snapshot>, Error> {
    let mut snapshots = Vec::new();
    visit(bytes, &Layout::read(bytes)?, &mut |part| {
        let Part::Snapshot(snapshot) = part else { panic!("{part:?}") };
        snapshots.push(snapshot);
        Ok(())
    })?;
    Ok(snapshots)
}

fn with(snapshots: &[sample::Snapshot]) -> Vec<u8> {
    Sample { snapshots: snapshots.to_vec(), ..Sample::default() }.bytes()
}

fn said(bytes: &Vec<u8>) -> String {
    read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

/// Where the table is in a sample.
const TABLE: usize = 1024;

#[test]
fn fields_are_where_the_specification_has_them() {
    assert_eq!(ENTRY_SIZE, 40);
    assert_eq!(core::mem::offset_of!(Extra, vm_state_size) + 8, VM_STATE_SIZE_END);
    assert_eq!(core::mem::offset_of!(Extra, instruction_count) + 8, INSTRUCTION_COUNT_END);
}

#[test]
fn snapshots_come_in_their_order() {
    let first = sample::Snapshot::new(b"1", b"one");
    let second = sample::Snapshot {
        date: (u32::MAX, u32::MAX),
        vm_clock: u64::MAX,
        vm_state_size: u32::MAX,
        extra: Vec::new(),
        ..sample::Snapshot::new(b"", b"")
    };
    let expected = [
        Snapshot {
            id: b"1".to_vec(),
            name: b"one".to_vec(),
            vm_state_size: 0,
            date_seconds: 1_700_000_000,
            date_nanoseconds: 5,
            vm_clock: 3_723_004_000_000,
            instruction_count: None,
        },
        Snapshot {
            id: Vec::new(),
            name: Vec::new(),
            vm_state_size: u32::MAX.into(),
            date_seconds: u32::MAX,
            date_nanoseconds: u32::MAX,
            vm_clock: u64::MAX,
            instruction_count: None,
        },
    ];
    assert_eq!(read(&with(&[first, second])).unwrap(), expected);
    assert_eq!(read(&with(&[])).unwrap(), []);
}

#[test]
fn extra_data_can_be_of_any_length_up_to_its_limit() {
    let known: Vec<u8> = [5_u64, 6, 7].iter().flat_map(|number| number.to_be_bytes()).collect();
    for length in [0, 7, 8, 15, 16, 23, 24, 25, 1024, 1025] {
        let mut extra = known.clone();
        extra.resize(length, 0xff);
        let snapshot =
            sample::Snapshot { vm_state_size: 4, extra, ..sample::Snapshot::new(b"1", b"a") };
        let bytes = with(&[snapshot]);
        if length > 1024 {
            assert_eq!(said(&bytes), "Too much extra metadata in snapshot table entry 0");
            continue;
        }
        let snapshot = &read(&bytes).unwrap()[0];
        assert_eq!(snapshot.vm_state_size, if length < 8 { 4 } else { 5 }, "{length}");
        assert_eq!(snapshot.instruction_count, (length >= 24).then_some(7), "{length}");
        assert_eq!((&snapshot.id[..], &snapshot.name[..]), (&b"1"[..], &b"a"[..]));
    }
}

#[test]
fn the_message_says_which_snapshot_it_is() {
    let good = sample::Snapshot::new(b"1", b"a");
    let bad = sample::Snapshot { extra: vec![0; 1025], ..good.clone() };
    let bytes = with(&[good.clone(), good, bad]);
    assert_eq!(said(&bytes), "Too much extra metadata in snapshot table entry 2");
}

#[test]
fn texts_are_cut_where_qemu_cuts_them() {
    for (id, name, shown_id, shown_name) in
        [(127, 255, 127, 255), (128, 256, 127, 255), (65_535, 65_535, 127, 255)]
    {
        let snapshot = sample::Snapshot::new(&vec![b'i'; id], &vec![b'n'; name]);
        let snapshots = read(&with(&[snapshot, sample::Snapshot::new(b"2", b"b")])).unwrap();
        assert_eq!(snapshots[0].id, vec![b'i'; shown_id]);
        assert_eq!(snapshots[0].name, vec![b'n'; shown_name]);
        // The next one is found all the same.
        assert_eq!(snapshots[1].name, b"b");
    }
    let snapshots = read(&with(&[sample::Snapshot::new(b"1\x002", b"\xff\0b")])).unwrap();
    assert_eq!((&snapshots[0].id[..], &snapshots[0].name[..]), (&b"1"[..], &b"\xff"[..]));
}

#[test]
fn the_table_lies_in_the_file() {
    let bytes = with(&[sample::Snapshot::new(b"1", b"one"), sample::Snapshot::new(b"2", b"two")]);
    // The first entry has 68 bytes, the second starts at 72.
    for (end, expected) in [
        (TABLE + 512, ""),
        (TABLE + 140, ""),
        (TABLE, "the entry of the snapshot table at 1024 (40 bytes) does not lie in the file"),
    ] {
        // Refcounts are not needed any more.
        let mut cut = bytes.clone();
        cut[48..56].fill(0);
        cut.truncate(end);
        assert_eq!(said(&cut), expected, "{end}");
    }
    let outside = |length: u16| {
        let mut bytes = bytes.clone();
        bytes[TABLE + 14..TABLE + 16].copy_from_slice(&length.to_be_bytes());
        bytes[60..64].copy_from_slice(&[0, 0, 0, 1]);
        said(&bytes)
    };
    // 65 bytes, the name, and the end of the file 1024 bytes after the table.
    assert_eq!(bytes.len(), TABLE + 3 * 512);
    assert_eq!(outside(1471), "");
    let message = "the entry of the snapshot table at 1024 (1537 bytes) does not lie in the file";
    assert_eq!(outside(1472), message);
}

#[test]
fn a_table_far_away_is_outside() {
    let mut bytes = with(&[sample::Snapshot::new(b"1", b"one")]);
    bytes[64..72].copy_from_slice(&((1_u64 << 63) - 512).to_be_bytes());
    let message = "the entry of the snapshot table at 9223372036854775296 (40 bytes) does not lie \
                   in the file";
    assert_eq!(said(&bytes), message);
}

#[test]
fn the_table_has_a_limit() {
    // With 65,600 bytes each, 1023 snapshots leave 64 bytes of 64 MiB.
    let long = sample::Snapshot::new(b"1", &[b'a'; 65_535]);
    for (name, expected) in [(23, ""), (24, ""), (25, "Snapshot table is too big")] {
        let last =
            sample::Snapshot { extra: Vec::new(), ..sample::Snapshot::new(b"", &vec![b'b'; name]) };
        let mut snapshots = vec![long.clone(); 1023];
        snapshots.push(last);
        let sample = Sample { cluster_bits: 16, snapshots, ..Sample::default() };
        assert_eq!(said(&sample.bytes()), expected, "{name}");
    }
}

#[test]
fn the_visitor_can_stop() {
    let bytes = with(&[sample::Snapshot::new(b"1", b"a"), sample::Snapshot::new(b"2", b"b")]);
    let mut count = 0;
    let visited = visit(&bytes, &Layout::read(&bytes).unwrap(), &mut |_| {
        count += 1;
        Err(Qcow2Error::NoMagic.into())
    });
    assert!(visited.is_err());
    assert_eq!(count, 1);
}
