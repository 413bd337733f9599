//! What the makers of samples make, held against qemu: an image holds what was
//! written to it, and a log does what it should.

use formats::vhdx::sample::{Change, Log, Vhdx};
use formats::vpc::sample::Vhd;
use tests::Place;

const MIB: u64 = 1 << 20;

/// Some sectors here and there, the last one among them.
fn content(size: u64) -> Vec<(u64, Vec<u8>)> {
    let sector = |number: u64, byte| (number, vec![byte; 512]);
    let middle = size / 1024;
    vec![
        (0, b"first sector".repeat(100)[..512].to_vec()),
        sector(middle, 2),
        sector(middle + 1, 3),
        sector(size / 512 - 1, 4),
    ]
}

/// The disk with that content.
fn disk(size: u64) -> Vec<u8> {
    let mut disk = vec![0; usize::try_from(size).unwrap()];
    for (sector, bytes) in content(size) {
        let start = usize::try_from(sector).unwrap() * 512;
        disk[start..start + bytes.len()].copy_from_slice(&bytes);
    }
    disk
}

fn assert_holds(place: &Place, format: &str, image: &[u8], disk: &[u8], context: &str) {
    place.write("image", image);
    place.write("disk", disk);
    let compared = place.qemu_img(&["compare", "-f", format, "-F", "raw", "image", "disk"]);
    assert_eq!(compared.stdout, "Images are identical.\n", "{context}: {compared:?}");
}

#[test]
fn vhd_samples_hold_what_was_written() {
    let place = Place::new();
    for size in [MIB, 5 * MIB, 40 * MIB] {
        for vhd in [Vhd::fixed(size), Vhd::dynamic(size)] {
            for block_size in [0x8_0000, 0x20_0000, 0x40_0000] {
                let vhd = Vhd { content: content(size), block_size, ..vhd.clone() };
                assert_holds(&place, "vpc", &vhd.bytes(), &disk(size), &format!("{vhd:?}"));
            }
        }
    }
}

#[test]
fn vhdx_samples_hold_what_was_written() {
    let place = Place::new();
    for size in [MIB, 5 * MIB, 40 * MIB] {
        for fixed in [false, true] {
            for block_size in [1 << 20, 8 << 20] {
                let content = content(size);
                let vhdx = Vhdx { size, fixed, block_size, content, ..Vhdx::default() };
                assert_holds(&place, "vhdx", &vhdx.bytes(), &disk(size), &format!("{vhdx:?}"));
            }
        }
    }
}

#[test]
fn vhdx_logs_make_an_image_of_another() {
    let place = Place::new();
    let old = Vhdx { size: 5 * MIB, ..Vhdx::default() };
    let new = Vhdx { content: content(old.size), ..old.clone() };
    let changes = Change::between(&old, &old.bytes(), &new.bytes());
    assert!(changes.len() > 3, "{changes:?}");
    let length = new.bytes().len() as u64;
    for entries in [
        vec![changes.clone()],
        changes.iter().map(|change| vec![change.clone()]).collect(),
        vec![changes.clone(), vec![], changes],
    ] {
        // qemu makes the file longer only if its new length has to be rounded up.
        let log = Log { last_file_offset: Some(length - 1), ..Log::new(entries) };
        place.write("image", &log.in_image(&old));
        let refused = place.qemu_img(&["info", "image"]);
        assert!(refused.stderr.contains("contains a log that needs to be replayed"), "{refused:?}");
        place.must("qemu-img", &["check", "-r", "all", "image"]);
        place.write("disk", &disk(old.size));
        let compared = place.qemu_img(&["compare", "-f", "vhdx", "-F", "raw", "image", "disk"]);
        assert_eq!(compared.stdout, "Images are identical.\n", "{compared:?}");
    }
}
