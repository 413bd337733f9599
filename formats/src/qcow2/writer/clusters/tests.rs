use std::string::ToString;

use super::*;
use crate::testing::Nowhere;
use crate::whole::Files;

#[test]
fn counts_have_any_width() {
    for order in 0..=6_u32 {
        let bits = 1_u64 << order;
        let mut clusters = Clusters::new(512, bits, 1, 1000);
        let mut files = Files::default();
        let first = clusters.allocate(&mut files).unwrap();
        let most = if order < 5 { (1_u64 << bits) - 1 } else { 100_000 };
        for count in 2..=most.min(100_000) {
            assert!(clusters.share(first, &mut files).unwrap(), "{bits} {count}");
        }
        if order < 5 {
            assert!(!clusters.share(first, &mut files).unwrap(), "{bits}");
        }
        clusters.allocate(&mut files).unwrap();
        clusters.finish(&mut files).unwrap();
        let count = |offset: u64| {
            let (block, index) = (clusters.block(0), offset / 512 * bits);
            let byte = usize::try_from(block + index / 8).unwrap();
            let file = files.file(File::Own);
            if bits < 8 {
                return u64::from(file[byte] >> (index % 8)) & ((1 << bits) - 1);
            }
            let width = usize::try_from(bits / 8).unwrap();
            file[byte..byte + width].iter().fold(0, |count, byte| count << 8 | u64::from(*byte))
        };
        assert_eq!(count(first), most, "{bits}");
        for offset in (0..first).step_by(512).chain([first + 512]) {
            assert_eq!(count(offset), 1, "{bits} {offset}");
        }
        assert_eq!(count(first + 1024), 0, "{bits}");
    }
}

#[test]
fn blocks_count_themselves_and_what_follows() {
    // 64 counts to a block; the L1 table alone has more clusters.
    let mut clusters = Clusters::new(512, 64, 200, 10_000);
    let mut files = Files::default();
    let mut before = None;
    let mut skipped = 0;
    for _ in 0..1000 {
        let place = clusters.allocate(&mut files).unwrap();
        skipped += before.map_or(0, |before| (place - before) / 512 - 1);
        before = Some(place);
    }
    clusters.finish(&mut files).unwrap();
    assert!((1000 / 64..=1000 / 64 + 1).contains(&skipped));
    let (table, table_clusters) = clusters.table();
    let bytes = files.file(File::Own);
    let end = usize::try_from(clusters.end().unwrap() / 512).unwrap();
    let word = |place: usize| u64::from_be_bytes(bytes[place..place + 8].try_into().unwrap());
    for cluster in 0..end {
        let entry = usize::try_from(table).unwrap() + cluster / 64 * 8;
        let block = usize::try_from(word(entry)).unwrap();
        assert_eq!(word(block + cluster % 64 * 8), 1, "{cluster}");
    }
    assert!(table_clusters * 64 >= end.div_ceil(64) as u64);
}

#[test]
fn the_refcount_table_has_a_limit() {
    // 8 MiB of table, 64 counts to a block, 512 bytes to a cluster: 32 GiB.
    let mut clusters = Clusters::new(512, 64, 1, u64::MAX);
    assert_eq!(clusters.table().1, (8 << 20) / 512);
    clusters.counted = (1 << 26) - 64;
    clusters.next = clusters.counted + 1;
    clusters.start = clusters.counted;
    let mut output = Nowhere::default();
    for _ in 0..63 {
        clusters.allocate(&mut output).unwrap();
    }
    let error = clusters.allocate(&mut output).unwrap_err();
    assert_eq!(error.to_string(), "File too large");
}
