//! qcow2 images with header extensions and feature bits that qemu-img does not make.

use formats::qcow2::extension::{BACKING_FORMAT, BITMAPS, DATA_FILE, FEATURE_NAMES};
use formats::qcow2::sample::{Bitmap, Sample};

use super::super::{Image, Step, Verdict};
use super::{FILE, extended, made, on};

/// What is valid, and what is not.
pub const IMAGES: &[Image] = &[
    patched!("dirty", 79: b"\x01"),
    patched!("corrupt", 79: b"\x02"),
    patched!("dirty and corrupt", 79: b"\x03"),
    patched!("dirty and lazy", 79: b"\x01", 87: b"\x01"),
    patched!("subclusters", 79: b"\x10"),
    patched!("Zstandard", 79: b"\x08", 104: b"\x01"),
    patched!("Deflate with the bit for others", 79: b"\x08"),
    patched!("Zstandard without the bit", 104: b"\x01"),
    patched!("unknown compression", 79: b"\x08", 104: b"\x02"),
    patched!("an unknown feature", 79: b"\x20"),
    patched!("unknown features", 72: b"\x80\0\0\0\0\0\x01\xe0"),
    patched!("all features", 72: b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    patched!("compatible features", 80: b"\xff\xff\xff\xff\xff\xff\xff\xfe"),
    patched!("all compatible features", 80: b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    patched!("autoclear features", 88: b"\xff\xff\xff\xff\xff\xff\xff\xfc"),
    patched!("bitmaps that are not there", 95: b"\x01"),
    written!("bitmaps that are out of date", extended(&[(BITMAPS, &[0; 24])]))
        .alone(Verdict::Expected("qcow2-stale-bitmaps"))
        .chain(Verdict::Expected("qcow2-stale-bitmaps-chain")),
    patched!("the bit for a raw data file alone", 95: b"\x02"),
    patched!("a data file without a name", 79: b"\x04"),
    patched!("a raw data file without a name", 79: b"\x04", 95: b"\x02"),
    written!(
        "features with names",
        Sample {
            incompatible: 1 << 63 | 1 << 5,
            ..extended(&[(
                FEATURE_NAMES,
                &feature_names(&[(0, 5, b"five"), (1, 63, b"no"), (0, 63, b"last")])
            )])
        }
    ),
    written!(
        "features of which one has a name",
        Sample {
            incompatible: 1 << 63 | 1 << 5 | 3,
            ..extended(&[(
                FEATURE_NAMES,
                &feature_names(&[(0, 0, b"dirty"), (0, 5, &[b'5'; 46]), (0, 5, b"no")])
            )])
        }
    ),
    written!(
        "features without names",
        Sample {
            incompatible: 1 << 40,
            ..extended(&[(FEATURE_NAMES, &feature_names(&[(0, 5, b""), (0, 40, b"no")]))])
        }
    ),
    written!(
        "unknown extensions",
        on(b"b.raw", &[(1, b""), (0xffff_ffff, b"1"), (2, b"12345678"), (BACKING_FORMAT, b"raw")])
    ),
    written!("an end before the end", extended(&[(0, b""), (BACKING_FORMAT, &[b'a'; 16])])),
    written!(
        "an extension that is too long",
        Sample { cluster_bits: 9, ..extended(&[(1, &[0; 393])]) }
    ),
    written!(
        "an extension that fills the cluster",
        Sample { cluster_bits: 9, ..extended(&[(1, &[0; 392])]) }
    ),
    written!("a format of 15 bytes", extended(&[(BACKING_FORMAT, &[b'a'; 15])])),
    written!("a format of 16 bytes", extended(&[(BACKING_FORMAT, &[b'a'; 16])])),
    written!(
        "extensions of version 2",
        Sample { version: 2, ..on(b"b.raw", &[(DATA_FILE, b"no"), (BACKING_FORMAT, b"raw")]) }
    ),
    written!("the name of a data file alone", extended(&[(DATA_FILE, b"d.raw")])),
    written!("a data file", Sample { incompatible: 4, ..extended(&[(DATA_FILE, b"d.raw")]) }),
    written!(
        "a data file with an empty name",
        Sample { incompatible: 4, ..extended(&[(DATA_FILE, b"")]) }
    ),
    written!(
        "a data file whose name has an end",
        Sample { incompatible: 4, ..extended(&[(DATA_FILE, b"a\0b")]) }
    ),
    written!(
        "a data file elsewhere",
        Sample { incompatible: 4, ..extended(&[(DATA_FILE, b"/etc/passwd")]) }
    ),
    written!(
        "a data file with a protocol",
        Sample { incompatible: 4, ..extended(&[(DATA_FILE, b"json:{}")]) }
    ),
    written!(
        "a data file with a name of 4095 bytes",
        Sample { incompatible: 4, ..extended(&[(DATA_FILE, &[b'a'; 4095])]) }
    ),
    written!(
        "a data file with a name of 4096 bytes",
        Sample { incompatible: 4, ..extended(&[(DATA_FILE, &[b'a'; 4096])]) }
    )
    .verdict(Verdict::Refused("the name of the data file is longer than 4095 bytes")),
    written!("bitmaps in an extension of another length", extended(&[(BITMAPS, &[0; 23])])),
    written!("bitmaps in a reserved field", bitmaps(&[0, 0, 0, 1, 0, 0, 0, 1])),
    written!("no bitmaps", bitmaps(&[0, 0, 0, 0, 0, 0, 0, 0])),
    written!("too many bitmaps", bitmaps(&[0, 1, 0, 0, 0, 0, 0, 0])),
    written!("a bitmap directory of no length", bitmaps(&[0, 0, 0, 1])),
    written!(
        "a bitmap directory that is too long",
        bitmaps(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 4])
    ),
    written!(
        "a bitmap directory at an odd place",
        bitmaps(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 1])
    ),
    written!(
        "a bitmap directory outside the file",
        bitmaps(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 1])
    )
    .verdict(Verdict::Refused(
        "the bitmap directory at 1099511627776 (32 bytes) does not lie in the file",
    )),
    made(
        "more bitmaps than there should be",
        &[Step::Write(FILE, two_bitmaps), Step::Patch(FILE, 123, b"\x01")],
    ),
    made(
        "fewer bitmaps than there should be",
        &[Step::Write(FILE, two_bitmaps), Step::Patch(FILE, 123, b"\x03")],
    ),
    made(
        "a bitmap directory that is too short",
        &[Step::Write(FILE, two_bitmaps), Step::Patch(FILE, 135, b"\x3f")],
    ),
    made(
        "a bitmap with extra data",
        &[Step::Write(FILE, two_bitmaps), Step::Patch(FILE, 4 * 512 + 23, b"\x05")],
    ),
    made(
        "a bitmap of another type",
        &[Step::Write(FILE, two_bitmaps), Step::Patch(FILE, 4 * 512 + 16, b"\x02")],
    ),
    made(
        "a bitmap without a table",
        &[Step::Write(FILE, two_bitmaps), Step::Patch(FILE, 4 * 512, &[0; 8])],
    ),
];

fn two_bitmaps() -> Vec<u8> {
    let bitmaps = vec![Bitmap::new(b"one", 16), Bitmap::new(b"two", 16)];
    Sample { bitmaps, ..Sample::default() }.bytes()
}

/// An image with an extension for bitmaps that starts like this, and goes on with
/// zeros.
fn bitmaps(start: &[u8]) -> Sample {
    let mut data = start.to_vec();
    data.resize(24, 0);
    Sample { autoclear: 1, ..extended(&[(BITMAPS, &data)]) }
}

/// A feature name table: kind, bit, name.
fn feature_names(names: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let entry = |(kind, bit, name): &(u8, u8, &[u8])| {
        let mut entry = [&[*kind, *bit], *name].concat();
        entry.resize(48, 0);
        entry
    };
    names.iter().flat_map(entry).collect()
}
