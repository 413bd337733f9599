use std::string::{String, ToString};
use std::vec;

use zerocopy::IntoBytes;

use super::*;
use crate::qcow2::sample::{Bitmap, Sample};

/// A sample with extensions, in clusters that have room for them.
fn sample(extensions: &[(u32, &[u8])]) -> Sample {
    let extensions = extensions.iter().map(|(kind, data)| (*kind, data.to_vec())).collect();
    Sample { cluster_bits: 16, extensions, ..Sample::default() }
}

fn read(bytes: &Vec<u8>) -> Result<Extra, Error> {
    Extra::read(bytes, &Layout::read(bytes)?)
}

fn extra(sample: &Sample) -> Extra {
    read(&sample.bytes()).unwrap()
}

/// What is said of a sample; nothing if all is well.
fn said(sample: &Sample) -> String {
    said_of(&sample.bytes())
}

fn said_of(bytes: &Vec<u8>) -> String {
    read(bytes).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn no_extensions_say_nothing() {
    assert_eq!(extra(&sample(&[])), Extra::default());
    assert_eq!(extra(&Sample { version: 2, ..sample(&[]) }), Extra::default());
}

#[test]
fn unknown_extensions_are_skipped() {
    let sample = sample(&[
        (1, b""),
        (0xffff_ffff, b"1"),
        (FEATURE_NAMES, &[0; 48]),
        (2, b"12345678"),
        (BACKING_FORMAT, b"raw"),
    ]);
    let backing_format = Some(b"raw".to_vec());
    let expected = Extra { backing_format, has_unknown: true, ..Extra::default() };
    assert_eq!(extra(&sample), expected);
    assert_eq!(extra(&Sample { version: 2, ..sample }), expected);
    assert!(!extra(&self::sample(&[(FEATURE_NAMES, &[0; 48])])).has_unknown);
}

#[test]
fn nothing_counts_behind_the_end() {
    let sample = sample(&[(END, b""), (BACKING_FORMAT, b"raw")]);
    assert_eq!(extra(&sample), Extra::default());
}

#[test]
fn the_last_of_several_counts() {
    let sample = sample(&[
        (BACKING_FORMAT, b"qcow2"),
        (DATA_FILE, b"one"),
        (BACKING_FORMAT, b"raw"),
        (DATA_FILE, b"two"),
    ]);
    let Extra { backing_format, data_file, .. } = extra(&sample);
    assert_eq!(backing_format.as_deref(), Some(&b"raw"[..]));
    assert_eq!(data_file.as_deref(), Some(&b"two"[..]));
}

#[test]
fn formats_have_names_of_15_bytes_at_most() {
    for (name, expected) in [
        (&b""[..], &b""[..]),
        (b"raw", b"raw"),
        (b"ra\0w", b"ra"),
        (b"\xff\x1b", b"\xff\x1b"),
        (b"123456789012345", b"123456789012345"),
    ] {
        let format = extra(&sample(&[(BACKING_FORMAT, name)])).backing_format;
        assert_eq!(format.as_deref(), Some(expected));
    }
    for length in [16, 17, 1000] {
        let message = said(&sample(&[(BACKING_FORMAT, &vec![b'a'; length])]));
        let expected = std::format!("ERROR: ext_backing_format: len={length} too large (>=16)");
        assert_eq!(message, expected);
    }
}

#[test]
fn data_files_have_names_of_4095_bytes_at_most() {
    let too_long = "the name of the data file is longer than 4095 bytes";
    let mut with_end = vec![b'a'; 10_000];
    with_end[4095] = 0;
    for (name, expected) in [
        (&b""[..], Ok(0)),
        (b"data.raw", Ok(8)),
        (b"data\0raw", Ok(4)),
        (&[b'a'; 4095], Ok(4095)),
        (&with_end, Ok(4095)),
        (&[b'a'; 4096], Err(too_long)),
        (&[b'a'; 10_000], Err(too_long)),
    ] {
        let read = read(&sample(&[(DATA_FILE, name)]).bytes());
        let length = read.map(|extra| extra.data_file.unwrap().len());
        assert_eq!(length.map_err(|error| error.to_string()), expected.map_err(String::from));
    }
}

#[test]
fn extensions_end_before_the_name_of_the_backing_file() {
    let sample = Sample { backing: Some(b"base".to_vec()), ..sample(&[(1, b"12345678")]) };
    // The end is at 128, the name at 136.
    let too_large = "Header extension too large";
    for (place, length, expected) in [
        (112, 8_u32, ""),
        (112, 9, ""),
        (112, 16, ""),
        (112, 17, too_large),
        (112, u32::MAX, too_large),
        (128, 0, ""),
        (128, 1, too_large),
    ] {
        let mut bytes = sample.bytes();
        bytes[place + 4..place + 8].copy_from_slice(&length.to_be_bytes());
        assert_eq!(said_of(&bytes), expected, "{length} at {place}");
    }
    for (offset, expected) in [
        (112, ""),
        (111, ""),
        (1, ""),
        // Only a part of an extension is in front of the name.
        (113, too_large),
        (119, too_large),
        (120, too_large),
        (127, too_large),
        (128, ""),
        (129, too_large),
        (136, ""),
        (65_536, ""),
    ] {
        let mut bytes = sample.bytes();
        bytes[8..16].copy_from_slice(&u64::to_be_bytes(offset));
        assert_eq!(said_of(&bytes), expected, "{offset}");
    }
}

#[test]
fn extensions_fill_the_first_cluster() {
    // 112 bytes of header, 8 bytes of extension, and data.
    for (length, expected) in [(392, ""), (393, "Header extension too large")] {
        let mut bytes = Sample::default().bytes();
        bytes[112..116].fill(1);
        bytes[116..120].copy_from_slice(&u32::to_be_bytes(length));
        assert_eq!(said_of(&bytes), expected, "{length}");
    }
    // As many as there can be.
    let mut bytes = Sample { cluster_bits: 21, ..Sample::default() }.bytes();
    for extension in bytes[112..1 << 21].chunks_mut(8) {
        extension.copy_from_slice(&[1, 1, 1, 1, 0, 0, 0, 0]);
    }
    assert_eq!(said_of(&bytes), "");
    let count = Extensions::new(&bytes, 112..1 << 21).count();
    assert_eq!(count, ((1 << 21) - 112) / 8);
}

#[test]
fn nothing_follows_an_error() {
    let bytes = sample(&[(1, b"1"), (2, b"2")]).bytes();
    let mut extensions = Extensions::new(&bytes, 112..136);
    assert_eq!(extensions.next().unwrap().unwrap().data(), 120..121);
    assert!(extensions.next().unwrap().is_err());
    assert!(extensions.next().is_none());
    assert!(Extensions::new(&bytes, 112..112).next().is_none());
}

#[test]
fn bitmaps_count_while_the_image_says_so() {
    let sample = Sample { bitmaps: vec![Bitmap::new(b"one", 16)], ..sample(&[]) };
    let expected = Directory { offset: 3 << 16, length: 32, count: 1 };
    assert_eq!(extra(&sample).bitmaps, Some(expected));
    // Somebody wrote who did not know them.
    let mut bytes = sample.bytes();
    bytes[95] = 0;
    assert_eq!(read(&bytes).unwrap().bitmaps, None);
    // Then it may say anything.
    let data = [255; 24];
    assert_eq!(extra(&self::sample(&[(BITMAPS, &data)])).bitmaps, None);
    assert_eq!(extra(&Sample { version: 2, ..sample }).bitmaps, None);
}

#[test]
fn the_bitmaps_extension_is_checked() {
    let wrong_length = "bitmaps_ext: Invalid extension length";
    let bitmaps = |count: u32, reserved: u32, length: u64, offset: u64| {
        let extension = bitmap::Extension {
            count: count.into(),
            reserved: reserved.into(),
            directory_length: length.into(),
            directory_offset: offset.into(),
        };
        extension.as_bytes().to_vec()
    };
    let most = 65_535 << 10;
    for (data, expected) in [
        (vec![], wrong_length),
        (vec![0; 23], wrong_length),
        (vec![0; 25], wrong_length),
        (bitmaps(1, 0, 0, 0), ""),
        (bitmaps(0, 1, u64::MAX, 1), "bitmaps_ext: Reserved field is not zero"),
        (
            bitmaps(65_536, 0, u64::MAX, 1),
            "bitmaps_ext: Image has 65536 bitmaps, exceeding the QEMU supported maximum of 65535",
        ),
        (bitmaps(0, 0, u64::MAX, 1), "found bitmaps extension with zero bitmaps"),
        (bitmaps(65_535, 0, u64::MAX, 1), "bitmaps_ext: invalid bitmap directory offset"),
        (
            bitmaps(65_535, 0, most + 1, 1 << 16),
            "bitmaps_ext: bitmap directory size (67107841) exceeds the maximum supported size \
             (67107840)",
        ),
        (bitmaps(65_535, 0, most, 1 << 16), ""),
    ] {
        let sample = Sample { autoclear: 1, ..sample(&[(BITMAPS, &data)]) };
        assert_eq!(said(&sample), expected, "{data:?}");
    }
    // The length is looked at in any case.
    assert_eq!(said(&sample(&[(BITMAPS, b"")])), wrong_length);
}

#[test]
fn the_luks_header_starts_at_a_cluster() {
    let pointer = |offset: u64, length: u64| {
        Pointer { offset: offset.into(), length: length.into() }.as_bytes().to_vec()
    };
    let unexpected = "CRYPTO header extension only expected with LUKS encryption method";
    for (encryption, data, expected) in [
        (0, pointer(0, 0), unexpected),
        (1, vec![], unexpected),
        (2, vec![], "CRYPTO header extension size 0, but expected size 16"),
        (2, vec![0; 17], "CRYPTO header extension size 17, but expected size 16"),
        (
            2,
            pointer(512, 0),
            "Encryption header offset '512' is not a multiple of cluster size '65536'",
        ),
        (2, pointer(1 << 16, 5), ""),
    ] {
        let sample = Sample { encryption, ..sample(&[(ENCRYPTION, &data)]) };
        assert_eq!(said(&sample), expected);
    }
    let sample = Sample { encryption: 2, ..sample(&[(ENCRYPTION, &pointer(1 << 16, 5))]) };
    assert_eq!(extra(&sample).luks_header, Some(Table { offset: 1 << 16, length: 5 }));
}
