//! qcow2 images with snapshots and bitmaps.

use formats::qcow2::sample::{Bitmap, Sample, Snapshot};

use super::super::{Image, Step, Verdict};
use super::{FILE, made};

/// Takes a snapshot.
macro_rules! snapshot {
    ($name:literal) => {
        Step::Run(concat!("qemu-img snapshot -c ", $name, " a.qcow2"))
    };
}

/// Adds a bitmap.
macro_rules! bitmap {
    ($options:literal) => {
        Step::Run(concat!("qemu-img bitmap --add ", $options))
    };
}

/// What there can be many of.
pub const IMAGES: &[Image] = &[
    made("a snapshot", &[create!("a.qcow2 10M"), snapshot!("one")]),
    made("a snapshot of version 2", &[create!("-o compat=0.10 a.qcow2 10M"), snapshot!("one")]),
    made(
        "snapshots",
        &[
            create!("a.qcow2 10M"),
            snapshot!("one"),
            snapshot!("größe"),
            snapshot!("a-name-that-is-longer-than-its-column"),
        ],
    ),
    made(
        "snapshots of which one is gone",
        &[
            create!("a.qcow2 10M"),
            snapshot!("one"),
            snapshot!("two"),
            Step::Run("qemu-img snapshot -d one a.qcow2"),
        ],
    ),
    made(
        "a snapshot with subclusters",
        &[create!("-o extended_l2=on a.qcow2 10M"), snapshot!("one")],
    ),
    made(
        "a snapshot of a disk that has grown",
        &[create!("a.qcow2 10M"), snapshot!("one"), Step::Run("qemu-img resize a.qcow2 20G")],
    ),
    written!(
        "no extra data",
        with_snapshot(Snapshot { vm_state_size: u32::MAX, extra: vec![], ..plain() })
    ),
    written!("extra data with a size of the state", with_snapshot(extra(&[5 << 30]))),
    written!("extra data with a size of the disk", with_snapshot(extra(&[5 << 30, 10 << 20]))),
    written!("extra data with a count of instructions", with_snapshot(extra(&[0, 0, 123_456_789]))),
    written!("a count of instructions of 64 bits", with_snapshot(extra(&[0, 0, 1 << 63]))),
    written!("a size of the state of 64 bits", with_snapshot(extra(&[u64::MAX, 0, 0]))),
    written!(
        "extra data that ends inside a field",
        with_snapshot(Snapshot { vm_state_size: 7, extra: vec![1; 23], ..plain() })
    ),
    written!("unknown extra data", with_snapshot(extra(&[1, 2, 3, 4, 5]))),
    written!("as much extra data as can be", with_snapshot(extra(&[9; 128]))),
    written!("too much extra data", with_snapshot(extra(&[9; 129])))
        .verdict(Verdict::Refused("Too much extra metadata in snapshot table entry 0")),
    written!("late in time", with_snapshot(Snapshot { date: (u32::MAX, u32::MAX), ..plain() })),
    written!("before the time", with_snapshot(Snapshot { date: (0, 0), vm_clock: 0, ..plain() })),
    written!(
        "a machine that ran for 584 years",
        with_snapshot(Snapshot { vm_clock: u64::MAX, ..plain() })
    ),
    written!("texts that fit", with_snapshot(Snapshot::new(&[b'1'; 127], &[b'a'; 255]))),
    written!("texts that are cut", with_snapshot(Snapshot::new(&[b'1'; 128], &[b'a'; 256]))),
    written!(
        "texts as long as can be",
        with_snapshot(Snapshot::new(&[b'1'; 65_535], &[b'a'; 65_535]))
    ),
    written!("no texts", with_snapshot(Snapshot::new(b"", b""))),
    written!("texts with an end", with_snapshot(Snapshot::new(b"1\0no", b"one\0no"))),
    written!(
        "5000 snapshots",
        Sample {
            snapshots: (1..=5000)
                .map(|number| Snapshot::new(number.to_string().as_bytes(), b"one of many"))
                .collect(),
            ..Sample::default()
        }
    ),
    made("a bitmap", &[create!("a.qcow2 10M"), bitmap!("a.qcow2 one")]),
    made("a bitmap that is disabled", &[create!("a.qcow2 10M"), bitmap!("--disable a.qcow2 one")]),
    made("the finest bitmap", &[create!("a.qcow2 10M"), bitmap!("-g 512 a.qcow2 one")]),
    made("the coarsest bitmap", &[create!("a.qcow2 10M"), bitmap!("-g 2G a.qcow2 one")]),
    made(
        "bitmaps",
        &[
            create!("a.qcow2 10M"),
            bitmap!("a.qcow2 one"),
            bitmap!("-g 4k --disable a.qcow2 größe"),
            bitmap!("-g 1M a.qcow2 three"),
        ],
    ),
    made(
        "bitmaps that are all gone",
        &[
            create!("a.qcow2 10M"),
            bitmap!("a.qcow2 one"),
            Step::Run("qemu-img bitmap --remove a.qcow2 one"),
        ],
    ),
    made("a bitmap of 1 TiB", &[create!("a.qcow2 1T"), bitmap!("a.qcow2 one")]),
    made(
        "a snapshot and a bitmap",
        &[create!("a.qcow2 10M"), bitmap!("a.qcow2 one"), snapshot!("two")],
    ),
    written!("a bitmap in use", with_bitmap(Bitmap { flags: 1, ..Bitmap::new(b"one", 16) })),
    written!(
        "a bitmap in use and enabled",
        with_bitmap(Bitmap { flags: 3, ..Bitmap::new(b"one", 16) })
    ),
    written!(
        "a bitmap with unknown flags",
        with_bitmap(Bitmap { flags: 4, ..Bitmap::new(b"one", 16) })
    ),
    written!("a bitmap that is too fine", with_bitmap(Bitmap::new(b"one", 8))),
    written!("a bitmap that is too coarse", with_bitmap(Bitmap::new(b"one", 32))),
    written!("a bitmap with a name of 1023 bytes", with_bitmap(Bitmap::new(&[b'a'; 1023], 16))),
    written!("a bitmap without a name", with_bitmap(Bitmap::new(b"", 16))),
    written!("a bitmap whose name has an end", with_bitmap(Bitmap::new(b"one\0no", 16))),
    written!(
        "1000 bitmaps",
        Sample {
            bitmaps: (1..=1000)
                .map(|number| Bitmap::new(number.to_string().as_bytes(), 20))
                .collect(),
            ..Sample::default()
        }
    ),
];

/// A snapshot in an image that is not special.
fn with_snapshot(snapshot: Snapshot) -> Sample {
    Sample { snapshots: vec![snapshot, plain()], ..Sample::default() }
}

fn plain() -> Snapshot {
    Snapshot::new(b"7", b"plain")
}

fn extra(numbers: &[u64]) -> Snapshot {
    let extra = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    Snapshot { extra, ..plain() }
}

/// A bitmap in an image that is not special.
fn with_bitmap(bitmap: Bitmap) -> Sample {
    Sample { bitmaps: vec![bitmap], ..Sample::default() }
}
