use std::string::ToString;

use super::*;
use crate::creation::Value;

fn options(set: &[(&str, Value)]) -> Options {
    let mut options = Options::default();
    set.iter().for_each(|(name, value)| options.set(name, value.clone()));
    options
}

#[test]
fn metadata_is_that_of_a_full_image() {
    let image = |size, clusters| Source::Image { size, clusters, bitmaps: None };
    let full = Value::Text(b"full".to_vec());
    for (source, set, required, fully_allocated) in [
        // Header, refcount table and block.
        (Source::Empty(0), &[][..], 196_608, 196_608),
        // And an L1 and an L2 table.
        (Source::Empty(1), &[], 327_680, 393_216),
        (Source::Empty(1 << 20), &[], 327_680, 1_376_256),
        (image(1 << 20, 3), &[], 524_288, 1_376_256),
        (image(1 << 20, 3), &[("preallocation", full)], 1_376_256, 1_376_256),
        (
            image(1 << 20, 3),
            &[("backing_file", Value::Text(b"base".to_vec()))],
            1_376_256,
            1_376_256,
        ),
    ] {
        let expected = Measure { required, fully_allocated, bitmaps: None };
        assert_eq!(measure(&source, &options(set)), Ok(expected), "{source:?}");
    }
}

#[test]
fn bitmaps_are_counted_if_the_image_can_have_them() {
    let bitmap = Bitmap { name: b"name".to_vec(), granularity: 512, in_use: false, auto: true };
    let mut all = BitmapsSize::new(65_536);
    assert_eq!(all.total(), 0);
    // A bit for each 512 bytes: 256 KiB; a table, and the list.
    all.add(&bitmap, 1 << 30);
    assert_eq!(all.total(), (4 + 1 + 1) << 16);
    all.add(&bitmap, 1 << 30);
    assert_eq!(all.total(), (8 + 2 + 1) << 16);
    let source = Source::Image { size: 1 << 30, clusters: 0, bitmaps: Some(all) };
    let old = options(&[("compat", Value::Text(b"0.10".to_vec()))]);
    for (options, expected) in [(Options::default(), Some(11 << 16)), (old, None)] {
        assert_eq!(measure(&source, &options).unwrap().bitmaps, expected);
    }
}

#[test]
fn disks_have_a_largest_size() {
    // 32 MiB of L1 table.
    let most = 4 << (20 + 29);
    let measured = |size| measure(&Source::Empty(size), &Options::default());
    assert!(measured(most).is_ok());
    let error = measured(most + 1).unwrap_err();
    let expected = "The image size is too large (try using a larger cluster size)";
    assert_eq!(error.to_string(), expected);
    assert_eq!(measured(u64::MAX).unwrap_err(), error);
}
