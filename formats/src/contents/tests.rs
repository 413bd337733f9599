use core::mem::{offset_of, size_of};
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use zerocopy::IntoBytes;

use super::mbr::{BootSector, MAX_LOGICAL, PROTECTIVE};
use super::sample::{self, Disc, boot_sector, descriptor};
use super::volumes::{Descriptor, MAX_DESCRIPTORS};
use super::*;
use crate::checksum::CRC_32;

/// What is on a disk.
fn on(disk: &[u8]) -> Vec<Content> {
    of(&disk.to_vec()).unwrap()
}

fn mbr(disk: u32, partitions: u32) -> Content {
    Content::Mbr(Mbr { disk, partitions })
}

/// The table of the sample.
fn gpt(partitions: u32) -> Gpt {
    let disk = sample::Gpt::default().disk;
    Gpt { disk, partitions, sector_size: 512, valid: true, backup: true }
}

fn iso(volume: &str, bootable: bool) -> Content {
    Content::Iso9660(Iso9660 { volume: volume.as_bytes().to_vec(), bootable })
}

/// A disk of 1 MiB that starts with a sector.
fn starting_with(sector: &BootSector) -> Vec<u8> {
    let mut disk = sector.as_bytes().to_vec();
    disk.resize(1 << 20, 0);
    disk
}

#[test]
fn structures_have_the_sizes_of_their_standards() {
    assert_eq!(size_of::<BootSector>(), 512);
    assert_eq!(offset_of!(BootSector, disk), 440);
    assert_eq!(offset_of!(BootSector, entries), 446);
    assert_eq!(offset_of!(BootSector, signature), 510);
    assert_eq!(size_of::<gpt::Header>(), 92);
    assert_eq!(size_of::<Descriptor>(), 75);
    assert_eq!(size_of::<volumes::BootRecord>(), size_of::<[u8; 68]>());
    assert_eq!(size_of::<volumes::ValidationEntry>(), 32);
}

#[test]
fn nothing_is_nothing() {
    for disk in [vec![], vec![0; 1], vec![0; 512], vec![0; 1 << 20], vec![0xff; 1 << 20]] {
        assert_eq!(on(&disk), []);
    }
}

#[test]
fn partitions_are_counted() {
    assert_eq!(on(&sample::Mbr::default().bytes()), [mbr(0x1234_abcd, 2)]);
    for (entries, expected) in [
        (vec![(0x83, 1, 1)], 1),
        // Partitions start at sector 0 in hybrid ISO images.
        (vec![(0x17, 0, 2048)], 1),
        (vec![(0, 0, 0), (0, 5, 5), (0, 0, 0), (0x07, 2047, 1)], 1),
        (vec![(1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)], 4),
    ] {
        let disk = sample::Mbr { entries, ..sample::Mbr::default() }.bytes();
        assert_eq!(on(&disk), [mbr(0x1234_abcd, expected)]);
    }
}

#[test]
fn entries_must_look_like_entries() {
    for entries in [
        // Behind the end of the disk, or nothing.
        vec![(0x83, 0, 2049)],
        vec![(0x83, 2047, 2)],
        vec![(0x83, 2048, 1)],
        vec![(0x83, 1, 0)],
        vec![(0x83, 1, 1), (0x83, u32::MAX, u32::MAX)],
    ] {
        let disk = sample::Mbr { entries, ..sample::Mbr::default() }.bytes();
        assert_eq!(on(&disk), []);
    }
    for (status, good) in [(0, true), (0x80, true), (1, false), (0x7f, false), (0x81, false)] {
        for entry in 0..4 {
            let mut sector = boot_sector(1, &[(0x83, 1, 1)]);
            sector.entries[entry].status = status;
            let expected = if good { vec![mbr(1, 1)] } else { vec![] };
            assert_eq!(on(&starting_with(&sector)), expected, "{status} in {entry}");
        }
    }
    // And the signature must be there.
    let mut disk = sample::Mbr::default().bytes();
    disk[511] = 0x55;
    assert_eq!(on(&disk), []);
}

#[test]
fn a_table_may_be_empty_if_nothing_else_claims_the_sector() {
    assert_eq!(on(&sample::fat()), []);
    for (id, jump, sector_size, expected) in [
        (7, [0; 3], 0, true),
        (0, [0; 3], 0, false),
        // The boot sector of a FAT file system.
        (7, [0xeb, 0x3c, 0x90], 512, false),
        (7, [0xe9, 0, 0], 4096, false),
        (7, [0xeb, 0x58, 0x90], 2048, false),
        // Code that jumps over nothing.
        (7, [0xeb, 0x63, 0x90], 0, true),
        (7, [0xeb, 0x63, 0x90], 256, true),
        (7, [0xeb, 0x63, 0x90], 513, true),
        (7, [0xfa, 0x33, 0xc0], 512, true),
    ] {
        let mut sector = boot_sector(id, &[]);
        sector.jump = jump;
        sector.sector_size = sector_size.into();
        let expected = if expected { vec![mbr(id, 0)] } else { vec![] };
        assert_eq!(on(&starting_with(&sector)), expected, "{jump:x?} {sector_size}");
        // A partition is one in any case.
        let mut with_partition = sector.clone();
        with_partition.entries[0] = boot_sector(0, &[(0x83, 1, 1)]).entries[0].clone();
        assert_eq!(on(&starting_with(&with_partition)), [mbr(id, 1)]);
        // Text is none.
        let mut text = sector;
        text.entries[2].kind = 0;
        text.entries[2].last = *b"ess";
        assert_eq!(on(&starting_with(&text)), []);
    }
}

#[test]
fn logical_partitions_are_counted() {
    for (logical, expected) in [(0, 1), (1, 2), (2, 3), (100, 101)] {
        let disk = sample::Mbr::extended(logical).bytes();
        assert_eq!(on(&disk), [mbr(0x1234_abcd, expected)], "{logical}");
    }
    for kind in [0x05, 0x0f, 0x85] {
        let mut disk = sample::Mbr::extended(5).bytes();
        disk[446 + 16 + 4] = kind;
        assert_eq!(on(&disk), [mbr(0x1234_abcd, 6)]);
    }
}

#[test]
fn the_number_of_logical_partitions_is_bounded() {
    for (logical, expected) in [
        (MAX_LOGICAL - 1, MAX_LOGICAL),
        (MAX_LOGICAL, MAX_LOGICAL + 1),
        (MAX_LOGICAL + 1, MAX_LOGICAL + 1),
        (400, MAX_LOGICAL + 1),
    ] {
        assert_eq!(on(&sample::Mbr::extended(logical).bytes()), [mbr(0x1234_abcd, expected)]);
    }
}

#[test]
fn chains_of_logical_partitions_end() {
    let start = 64 * 512;
    let sample = sample::Mbr::extended(3).bytes();
    let link = |next: u32| {
        let mut disk = sample.clone();
        let third = start + 8 * 512;
        disk[third..third + 512]
            .copy_from_slice(boot_sector(0, &[(0x83, 1, 2), (0x05, next, 4)]).as_bytes());
        on(&disk)
    };
    // In a circle, out of the partition, out of the disk, to nothing.
    for next in [0, 4, 8, 1984, 5000, u32::MAX, 100] {
        assert_eq!(link(next), [mbr(0x1234_abcd, 4)], "{next}");
    }
    // Without a signature there is nothing more.
    let mut disk = sample.clone();
    disk[start + 4 * 512 + 511] = 0;
    assert_eq!(on(&disk), [mbr(0x1234_abcd, 2)]);
    // An empty link in the chain.
    let mut disk = sample;
    disk[start + 4 * 512 + 446 + 4] = 0;
    assert_eq!(on(&disk), [mbr(0x1234_abcd, 3)]);
}

#[test]
fn guid_tables_are_recognised_in_sectors_of_both_sizes() {
    let sample = sample::Gpt::default();
    assert_eq!(on(&sample.bytes()), [Content::Gpt(gpt(3))]);
    assert_eq!(gpt(3).disk.to_string(), sample::DISK);
    let large = sample::Gpt::with_large_sectors();
    let expected = Gpt { sector_size: 4096, ..gpt(3) };
    assert_eq!(on(&large.bytes()), [Content::Gpt(expected)]);
    // Also without anything in front.
    for (sample, expected) in [(sample, gpt(3)), (large, expected)] {
        let mut disk = sample.bytes();
        disk[..512].fill(0);
        assert_eq!(on(&disk), [Content::Gpt(expected)]);
    }
}

#[test]
fn a_hybrid_has_both_tables() {
    let hybrid = vec![(0x07, 40, 100), (0x83, 140, 100)];
    let mut disk = sample::Gpt { hybrid, ..sample::Gpt::default() }.bytes();
    assert_eq!(on(&disk), [mbr(0, 2), Content::Gpt(gpt(3))]);
    // An implausible one is none.
    disk[446] = 7;
    assert_eq!(on(&disk), [Content::Gpt(gpt(3))]);
    // A new table of the other kind next to an old one.
    disk[..512].copy_from_slice(boot_sector(9, &[]).as_bytes());
    assert_eq!(on(&disk), [Content::Gpt(gpt(3))]);
}

#[test]
fn a_protective_table_alone_is_a_table() {
    let sector = boot_sector(0, &[(PROTECTIVE, 1, u32::MAX)]);
    assert_eq!(on(&starting_with(&sector)), [mbr(0, 1)]);
}

#[test]
fn entries_have_sizes_and_numbers() {
    let sample = sample::Gpt::default();
    for (entries, entry_size, partitions, good) in [
        (0, 128, 0, true),
        (1, 128, 1, true),
        (4, 128, 0, true),
        (128, 128, 128, true),
        (100, 256, 7, true),
        (8, 4096, 2, true),
        (4, 8192, 2, false),
        (4, 64, 2, false),
        (4, 192, 2, false),
        (8191, 128, 9, true),
        (8192, 128, 9, true),
        (8193, 128, 9, false),
    ] {
        let sectors = 8192;
        let sample = sample::Gpt { sectors, entries, entry_size, partitions, ..sample.clone() };
        let expected = match good {
            true => gpt(partitions),
            false => Gpt { valid: false, backup: false, ..gpt(0) },
        };
        assert_eq!(on(&sample.bytes()), [Content::Gpt(expected)], "{entries} {entry_size}");
    }
}

#[test]
fn headers_have_sizes() {
    for (header_size, good) in [(92, true), (93, true), (512, true), (513, false)] {
        let sample = sample::Gpt { header_size, sectors: 4096, ..sample::Gpt::default() };
        let Content::Gpt(found) = on(&sample.bytes())[0] else { panic!() };
        assert_eq!(found.valid, good, "{header_size}");
    }
    // One that is too small has a checksum that nobody can compute.
    let mut disk = sample::Gpt::default().bytes();
    disk[512 + 12] = 91;
    assert_eq!(on(&disk), [Content::Gpt(Gpt { valid: false, ..gpt(3) })]);
}

#[test]
fn damage_is_told() {
    let sample = sample::Gpt::default().bytes();
    let last = sample.len() - 512;
    let damaged = |places: &[usize]| {
        let mut disk = sample.clone();
        for place in places {
            disk[*place] ^= 1;
        }
        on(&disk)
    };
    let found = |valid, backup| Content::Gpt(Gpt { valid, backup, ..gpt(3) });
    // The header, an entry, the copy of the header, the copy of an entry.
    let copy = last - 32 * 512;
    for (places, valid, backup) in [
        (&[][..], true, true),
        (&[512 + 16], false, true),
        (&[512 + 24], false, true),
        (&[512 + 40], false, true),
        (&[512 + 88], false, true),
        (&[1024 + 60], false, true),
        (&[last], true, false),
        (&[last + 16], true, false),
        (&[last + 24], true, false),
        (&[copy + 60], true, false),
        (&[512 + 16, last + 16], false, false),
    ] {
        assert_eq!(damaged(places), [found(valid, backup)], "{places:?}");
    }
    // The copy of another disk is none of this one.
    let other = sample::Gpt { disk: crate::guid::Guid::ZERO, ..sample::Gpt::default() }.bytes();
    let disk = [&sample[..copy], &other[copy..]].concat();
    assert_eq!(on(&disk), [found(true, false)]);
    // Nothing is left but the copy.
    for sample in [sample::Gpt::default(), sample::Gpt::with_large_sectors()] {
        let mut disk = sample.bytes();
        let offset = usize::try_from(sample.sector_size).unwrap();
        disk[offset] = 0;
        let expected = Gpt { valid: false, sector_size: sample.sector_size, ..gpt(3) };
        assert_eq!(on(&disk), [Content::Gpt(expected)]);
        // Without protection it is what somebody left over.
        disk[446 + 4] = 0;
        assert_eq!(on(&disk), []);
    }
}

#[test]
fn a_copy_is_found_where_the_table_says() {
    // The disk has grown.
    let mut disk = sample::Gpt::default().bytes();
    disk.resize(2 << 20, 0);
    assert_eq!(on(&disk), [Content::Gpt(gpt(3))]);
    // It was cut off.
    disk.truncate(1 << 19);
    let expected = Gpt { backup: false, ..gpt(3) };
    assert_eq!(on(&disk), [Content::Gpt(expected)]);
    // A table that calls itself its copy.
    let mut disk = sample::Gpt::default().bytes();
    disk[512 + 32..512 + 40].copy_from_slice(&1_u64.to_le_bytes());
    disk[512 + 16..512 + 20].fill(0);
    let checksum = CRC_32.checksum(&disk[512..512 + 92]);
    disk[512 + 16..512 + 20].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(on(&disk), [Content::Gpt(expected)]);
}

#[test]
fn the_table_that_is_right_counts() {
    // One for large sectors, and the remains of one for small ones.
    let mut disk = sample::Gpt::with_large_sectors().bytes();
    let small = sample::Gpt::default().bytes();
    disk[512..1024].copy_from_slice(&small[512..1024]);
    assert_eq!(on(&disk), [Content::Gpt(Gpt { sector_size: 4096, ..gpt(3) })]);
}

#[test]
fn volumes_have_names() {
    for (volume, expected) in [
        ("SAMPLE", "SAMPLE"),
        ("", ""),
        ("A B ", "A B"),
        ("A\0\0", "A"),
        ("A234567890123456789012345678901", "A234567890123456789012345678901"),
        ("A2345678901234567890123456789012", "A2345678901234567890123456789012"),
        ("\u{1b}[2J", "\u{1b}[2J"),
    ] {
        let disc = Disc { volume: Some(volume), ..Disc::default() }.bytes();
        assert_eq!(on(&disc), [iso(expected, false)]);
    }
}

#[test]
fn a_disc_to_boot_from_has_a_catalog() {
    let disc = Disc { bootable: true, ..Disc::default() }.bytes();
    assert_eq!(on(&disc), [iso("SAMPLE", true)]);
    let catalog = 30 * 2048;
    let record = 17 * 2048;
    for place in [catalog, catalog + 1, catalog + 28, catalog + 30, record + 7, record + 71] {
        let mut disc = disc.clone();
        disc[place] ^= 1;
        assert_eq!(on(&disc), [iso("SAMPLE", false)], "{place}");
    }
    let mut disc = disc;
    disc[record + 74] = 0xff;
    assert_eq!(on(&disc), [iso("SAMPLE", false)]);
}

#[test]
fn udf_is_named_in_an_extended_area() {
    for (udf, good) in [(*b"NSR02", true), (*b"NSR03", true), (*b"NSR04", false)] {
        for distance in [2048, 4096] {
            let disc = Disc { udf: Some(udf), distance, ..Disc::udf() };
            let expected = if good { vec![Content::Udf] } else { vec![] };
            assert_eq!(on(&disc.bytes()), expected);
            let bridge = Disc { volume: Some("B"), ..disc };
            let expected = [vec![iso("B", false)], expected].concat();
            assert_eq!(on(&bridge.bytes()), expected);
        }
    }
    let mut disc = Disc::udf().bytes();
    disc[32_768 + 1..32_768 + 6].copy_from_slice(b"CDW02");
    assert_eq!(on(&disc), []);
}

#[test]
fn a_row_of_descriptors_has_an_end() {
    let udf = [*b"BEA01", *b"NSR03"];
    let disc = |blocks: &[Option<[u8; 5]>]| {
        let mut disc = vec![0; 32_768];
        for identifier in blocks {
            let start = identifier.map(|identifier| descriptor(identifier, 9, b""));
            let start = start.map_or(vec![], |descriptor| descriptor.as_bytes().to_vec());
            disc.extend_from_slice(&start);
            disc.resize(disc.len().next_multiple_of(2048), 0);
            if identifier.is_none() {
                disc.resize(disc.len() + 2048, 0);
            }
        }
        disc
    };
    for (before, between, good) in [(0, 0, true), (0, 1, true), (0, 2, false), (1, 0, false)] {
        let mut blocks = vec![None; before];
        blocks.push(Some(udf[0]));
        blocks.extend(vec![None; between]);
        blocks.push(Some(udf[1]));
        let expected = if good { vec![Content::Udf] } else { vec![] };
        assert_eq!(on(&disc(&blocks)), expected, "{before} {between}");
    }
    // The last that is looked at.
    for (number, good) in [(MAX_DESCRIPTORS - 1, true), (MAX_DESCRIPTORS, false)] {
        let mut blocks = vec![Some(*b"CD001"); number as usize];
        blocks[0] = Some(udf[0]);
        blocks.push(Some(udf[1]));
        let expected = if good { vec![Content::Udf] } else { vec![] };
        assert_eq!(on(&disc(&blocks)), expected, "{number}");
    }
    // The first volume is the volume.
    let mut disc = Disc::default().bytes();
    let other = Disc { volume: Some("OTHER"), ..Disc::default() }.bytes();
    disc[34_816..36_864].copy_from_slice(&other[32_768..34_816]);
    assert_eq!(on(&disc), [iso("SAMPLE", false)]);
}

#[test]
fn hybrid_discs_have_several_contents() {
    let mut disc = Disc { bootable: true, udf: Some(*b"NSR02"), ..Disc::default() }.bytes();
    disc[..512].copy_from_slice(boot_sector(5, &[(0x17, 0, 200)]).as_bytes());
    assert_eq!(on(&disc), [mbr(5, 1), iso("SAMPLE", true), Content::Udf]);
}

/// A disk that breaks at a place.
struct Broken(Vec<u8>, u64);

impl Storage for Broken {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        let broken = (offset..offset.saturating_add(buffer.len() as u64)).contains(&self.1);
        if broken { Err(StorageError::InputOutput) } else { self.0.read_at(offset, buffer) }
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let disk = sample::Gpt::default().bytes();
    for place in [0, 512, 600, 1024, 4096, 32_768, disk.len() as u64 - 512] {
        let read = of(&Broken(disk.clone(), place));
        assert_eq!(read, Err(StorageError::InputOutput), "{place}");
    }
    let disk = sample::Mbr::extended(3).bytes();
    assert_eq!(of(&Broken(disk, 68 * 512)), Err(StorageError::InputOutput));
    let disc = Disc { bootable: true, ..Disc::default() }.bytes();
    assert_eq!(of(&Broken(disc, 30 * 2048)), Err(StorageError::InputOutput));
}

#[test]
fn no_byte_and_no_cut_can_do_harm() {
    let samples = [
        sample::Mbr::extended(3).bytes(),
        sample::Gpt { entries: 4, ..sample::Gpt::default() }.bytes(),
        sample::Gpt::with_large_sectors().bytes(),
        Disc { bootable: true, udf: Some(*b"NSR02"), ..Disc::default() }.bytes(),
    ];
    for disk in samples {
        let places = [0..600, 1024..1100, 4096..4200, 32_768..33_000, 61_440..61_500];
        for place in places.into_iter().flatten() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut disk = disk.clone();
                disk[place] = value;
                let _ = on(&disk);
            }
        }
        for length in (0..2000).chain(32_000..33_000).chain(disk.len() - 1000..disk.len()) {
            let _ = on(&disk[..length]);
        }
    }
}
