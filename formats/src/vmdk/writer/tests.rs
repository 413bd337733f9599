use alloc::rc::Rc;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use miniz_oxide::deflate::compress_to_vec_zlib;

use super::*;
use crate::creation::Value;
use crate::extent::{Content, File, Place};
use crate::image::{Description, Specific, Vmdk as VmdkSpecific};
use crate::storage::StorageError;
use crate::vmdk::Vmdk;
use crate::whole::{Disk, Files};
use crate::writer::{Encoding, Output};
use crate::{Format, Storage};

const NAMES: [&str; 5] = [
    "monolithicSparse",
    "monolithicFlat",
    "twoGbMaxExtentSparse",
    "twoGbMaxExtentFlat",
    "streamOptimized",
];

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// An image of a size, with these options besides.
fn creation(size: u64, options: &[(&str, Value)]) -> Creation<'static> {
    let mut creation = Creation {
        size,
        seed: [0x12; 16],
        file_name: b"disk.vmdk".to_vec(),
        ..Creation::default()
    };
    options.iter().for_each(|(name, value)| creation.options.set(name, value.clone()));
    creation
}

/// Why an image cannot be made; nothing if it can.
fn refused(creation: &Creation<'_>) -> String {
    create(creation).map_or_else(|error| error.to_string(), |_| String::new())
}

/// The image in these files, with everything attached.
fn opened(writer: &dyn Writer, files: &Files) -> Disk {
    let storage = |file| -> Rc<dyn Storage> { Rc::new(files.file(file).to_vec()) };
    let own = storage(File::Own);
    let mut image = Vmdk.open(Rc::clone(&own)).unwrap();
    let mut all = vec![own];
    for index in 0..writer.other_files().len() {
        all.push(storage(File::Other(index)));
        image.attach(index, Rc::clone(&all[index + 1])).unwrap();
    }
    image.check_content().unwrap();
    Disk { image, files: all, backing: None }
}

#[test]
fn a_disk_that_was_written_is_read_again() {
    let mut disk = vec![0; 34_000_000 / 512 * 512];
    for (start, length, value) in [(0, 1, 1), (65_000, 2000, 2), (33_500_000, 400_000, 3)] {
        disk[start..start + length].fill(value);
    }
    *disk.last_mut().unwrap() = 4;
    for subformat in NAMES {
        let creation = creation(disk.len() as u64, &[("subformat", text(subformat))]);
        for granularity in [65_536 / 2, 1 << 20] {
            let mut writer = create(&creation).unwrap();
            let mut files = Files::default();
            files.make(writer.as_mut(), &disk, granularity).unwrap();
            let all = [File::Own, File::Other(0)];
            for file in all.into_iter().take(1 + writer.other_files().len()) {
                assert!(files.file(file).len() as u64 <= writer.longest(file), "{subformat}");
            }
            let made = opened(writer.as_ref(), &files);
            let mut read = vec![7; disk.len()];
            made.read(0, &mut read).unwrap();
            assert!(read == disk, "{subformat}");
        }
    }
}

#[test]
fn the_descriptor_says_what_was_wanted() {
    let options = [
        ("subformat", text("twoGbMaxExtentSparse")),
        ("adapter_type", text("lsilogic")),
        ("compat6", Value::Flag(true)),
        ("hwversion", text("undefined")),
        ("toolsversion", text("12")),
    ];
    let mut writer = create(&creation((2 << 30) + 1, &options)).unwrap();
    let names: Vec<_> = writer.other_files().iter().map(|file| file.name(b"disk.vmdk")).collect();
    assert_eq!(names, [b"disk-s001.vmdk", b"disk-s002.vmdk"]);
    let mut files = Files::default();
    writer.finish(&mut files).unwrap();
    let expected = "# Disk DescriptorFile\n\
         version=1\n\
         CID=12121212\n\
         parentCID=ffffffff\n\
         createType=\"twoGbMaxExtentSparse\"\n\
         \n\
         # Extent description\n\
         RW 4194304 SPARSE \"disk-s001.vmdk\"\n\
         RW 1 SPARSE \"disk-s002.vmdk\"\n\
         \n\
         # The Disk Data Base\n\
         #DDB\n\
         \n\
         ddb.virtualHWVersion = \"6\"\n\
         ddb.geometry.cylinders = \"261\"\n\
         ddb.geometry.heads = \"255\"\n\
         ddb.geometry.sectors = \"63\"\n\
         ddb.adapterType = \"lsilogic\"\n\
         ddb.toolsVersion = \"12\"\n";
    assert_eq!(std::str::from_utf8(files.file(File::Own)).unwrap(), expected);
}

#[test]
fn options_are_checked_in_the_order_of_qemu() {
    let flat = ("subformat", text("monolithicFlat"));
    let (compat6, zeroed) = (("compat6", Value::Flag(true)), ("zeroed_grain", Value::Flag(true)));
    let (hwversion, backing) = (("hwversion", text("7")), ("backing_file", text("base.vmdk")));
    let (adapter, format) = (("adapter_type", text("IDE")), ("backing_fmt", text("raw")));
    let unknown = ("subformat", text("flat"));
    for (options, expected) in [
        (&[][..], ""),
        (&[flat.clone(), adapter.clone(), format.clone()], "backing_file must be a vmdk image"),
        (&[unknown.clone(), adapter], "invalid parameter value: IDE"),
        (&[unknown.clone(), compat6.clone(), hwversion.clone()], "invalid parameter value: flat"),
        (
            &[flat.clone(), zeroed.clone(), compat6.clone(), hwversion.clone()],
            "compat6 cannot be enabled with hwversion set",
        ),
        (&[compat6, ("hwversion", text("undefined"))], ""),
        (&[hwversion], ""),
        (&[flat.clone(), zeroed.clone(), backing.clone()], "Flat image can't have backing file"),
        (&[flat, zeroed.clone()], "Flat image can't enable zeroed grain"),
        (&[zeroed], ""),
        (&[backing], "Failed to read parent CID"),
        (
            &[("toolsversion", text("1\"\nx=\""))],
            "'1\"\nx=\"' cannot be in a descriptor: it has a quotation mark or a line end in it",
        ),
    ] {
        assert_eq!(refused(&creation(1 << 20, options)), expected, "{options:?}");
    }
    let description = Description::default();
    let options = [("backing_file", text("base.vmdk"))];
    let creation = Creation {
        backing: Some(&description),
        backing_format: Some("qcow2"),
        ..creation(1 << 20, &options)
    };
    assert_eq!(refused(&creation), "Invalid backing file format: qcow2. Must be vmdk");
}

#[test]
fn a_descriptor_has_a_largest_size() {
    let length = |subformat: &str, name: usize| {
        let options = [("subformat", text(subformat)), ("toolsversion", text(&"9".repeat(name)))];
        refused(&creation(1 << 20, &options))
    };
    // What the rest of the text takes.
    let mut files = Files::default();
    let mut writer = create(&creation(1 << 20, &[("toolsversion", text(""))])).unwrap();
    writer.finish(&mut files).unwrap();
    let rest = crate::text::until_nul(&files.file(File::Own)[512..]).len();
    let sparse = "monolithicSparse";
    let too_long = "the descriptor is longer than 10240 bytes";
    assert_eq!(length(sparse, 10_240 - rest), "");
    assert_eq!(length(sparse, 10_241 - rest), too_long);
    assert_eq!(length("streamOptimized", 10_241), too_long);
    assert_eq!(length("twoGbMaxExtentFlat", 10_241), "");
    assert_eq!(length("monolithicFlat", 1 << 20), "the descriptor is longer than 1048575 bytes");
}

#[test]
fn disks_have_a_largest_size() {
    let too_large = "Could not refresh total sector count: File too large";
    let grains = MAX_GRAINS * GRAIN;
    let extents = (32_u64 << 10) * (2 << 30);
    for (subformat, size, expected) in [
        ("monolithicSparse", grains, ""),
        ("monolithicSparse", grains + 1, too_large),
        ("streamOptimized", grains, ""),
        ("streamOptimized", grains + 1, too_large),
        ("monolithicFlat", u64::MAX, ""),
        ("twoGbMaxExtentFlat", extents + 1, "the descriptor names more than 32768 extents"),
        ("twoGbMaxExtentSparse", extents + 1, "the descriptor names more than 32768 extents"),
    ] {
        let creation = creation(size, &[("subformat", text(subformat))]);
        assert_eq!(refused(&creation), expected, "{subformat} {size}");
    }
}

#[test]
fn a_content_id_has_no_other_meaning() {
    for (seed, expected) in [([0; 16], 0), ([0xff; 16], 0x7fff_ffff), ([7; 16], 0x0707_0707)] {
        let creation = Creation { seed, ..creation(512, &[]) };
        assert_eq!(Settings::new(&creation).unwrap().content_id, expected);
    }
    let creation = creation(512, &[]);
    let mut seed = creation.seed;
    seed[..4].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    let creation = Creation { seed, ..creation };
    assert_eq!(Settings::new(&creation).unwrap().content_id, 0x7fff_ffff);
}

#[test]
fn flat_extents_are_split_where_they_end() {
    let two = 2 << 30;
    let size = 2 * two + 1000;
    let mut files = Files::default();
    let mut writer = create(&creation(size, &[("subformat", text("twoGbMaxExtentFlat"))])).unwrap();
    for (offset, length, file, place, expected) in [
        (0, 512, 0, 0, 512),
        (two - 512, 4096, 0, two - 512, 512),
        (two, 4096, 1, 0, 4096),
        (2 * two, 1000, 2, 0, 1000),
    ] {
        let run = writer.place(offset, length, &mut files).unwrap();
        let place = Place { file: File::Other(file), offset: place };
        assert_eq!((run.place, run.length), (place, expected), "{offset}");
    }
    assert_eq!([0, 1, 2].map(|index| writer.longest(File::Other(index))), [two, two, 1024]);
    assert_eq!(writer.unit(), 512);
}

#[test]
fn sparse_extents_are_finished_one_after_the_other() {
    let two: u64 = 2 << 30;
    let size = 4 * two + 5 * 512;
    let mut files = Files::default();
    let options = [("subformat", text("twoGbMaxExtentSparse"))];
    let mut writer = create(&creation(size, &options)).unwrap();
    let pieces = [(two - GRAIN, 2 * GRAIN), (3 * two + 5 * GRAIN, 512), (4 * two, 5 * 512)];
    for (number, (offset, length)) in (1..).zip(pieces) {
        let piece = vec![number; usize::try_from(length).unwrap()];
        files.write_data(writer.as_mut(), offset, &piece).unwrap();
    }
    // Nothing goes back.
    assert!(writer.place(two, 512, &mut files).is_err());
    writer.finish(&mut files).unwrap();
    let disk = opened(writer.as_ref(), &files);
    assert_eq!(disk.image.description().virtual_size, size);
    for (offset, expected) in [
        (0, 0),
        (two - GRAIN - 1, 0),
        (two - GRAIN, 1),
        (two - 1, 1),
        (two, 1),
        (two + GRAIN - 1, 1),
        (two + GRAIN, 0),
        (2 * two + 7, 0),
        (3 * two + 5 * GRAIN, 2),
        (3 * two + 5 * GRAIN + 512, 0),
        (4 * two, 3),
        (size - 1, 3),
    ] {
        let mut byte = [7];
        disk.read(offset, &mut byte).unwrap();
        assert_eq!(byte, [expected], "{offset}");
    }
}

/// An image on top of one whose bytes are all 7, with some written and some made zeros.
fn child(subformat: &str, zeroed_grains: bool) -> Disk {
    let size = 40 * GRAIN;
    let mut files = Files::default();
    let mut writer = create(&creation(size, &[])).unwrap();
    files.make(writer.as_mut(), &vec![7; usize::try_from(size).unwrap()], 1 << 20).unwrap();
    let parent = opened(writer.as_ref(), &files);

    let description = parent.image.description();
    let options = [
        ("subformat", text(subformat)),
        ("backing_file", text("parent.vmdk")),
        ("zeroed_grain", Value::Flag(zeroed_grains)),
    ];
    let creation = Creation { backing: Some(&description), ..creation(size, &options) };
    let mut writer = create(&creation).unwrap();
    let mut files = Files::default();
    let grain = vec![9; usize::try_from(GRAIN).unwrap()];
    let write = |writer: &mut dyn Writer, files: &mut Files, number: u64| {
        let offset = number * GRAIN;
        match writer.encoding() {
            Some(_) => writer.store(offset, &compress_to_vec_zlib(&grain, 1), files).unwrap(),
            None => files.write_data(writer, offset, &grain).unwrap(),
        }
    };
    write(writer.as_mut(), &mut files, 1);
    writer.zero(3 * GRAIN, 2 * GRAIN, &mut files).unwrap();
    write(writer.as_mut(), &mut files, 5);
    write(writer.as_mut(), &mut files, 6);
    writer.zero(39 * GRAIN, GRAIN, &mut files).unwrap();
    writer.finish(&mut files).unwrap();
    let mut disk = opened(writer.as_ref(), &files);
    disk.image.check_backing(&description).unwrap();
    let backing = disk.image.description().backing.unwrap();
    assert_eq!(backing.path, b"parent.vmdk");
    disk.backing = Some(parent.into());
    disk
}

#[test]
fn zeros_hide_the_parent() {
    for (subformat, zeroed_grains) in [
        ("monolithicSparse", false),
        ("monolithicSparse", true),
        ("twoGbMaxExtentSparse", false),
        ("twoGbMaxExtentSparse", true),
        ("streamOptimized", true),
    ] {
        let disk = child(subformat, zeroed_grains);
        for number in 0..40 {
            let expected = match number {
                1 | 5 | 6 => 9,
                3 | 4 | 39 => 0,
                _ => 7,
            };
            let mut grain = vec![1; 65_536];
            disk.read(number * GRAIN, &mut grain).unwrap();
            assert!(grain.iter().all(|byte| *byte == expected), "{subformat} {number}");
            let content = disk.image.extent(number * GRAIN, GRAIN).unwrap().content;
            let is_marked = content == Content::Zero(None);
            assert_eq!(is_marked, zeroed_grains && expected == 0, "{subformat} {number}");
        }
    }
    // Without marks there would have to be compressed zeros.
    let options = [("subformat", text("streamOptimized"))];
    let mut writer = create(&creation(1 << 20, &options)).unwrap();
    assert!(writer.zero(0, GRAIN, &mut Files::default()).is_err());
}

#[test]
fn a_parent_that_has_changed_is_noticed() {
    let image = child("monolithicSparse", true).image;
    let parent = |content_id| Description {
        specific: Some(Specific::Vmdk(VmdkSpecific {
            content_id,
            parent_content_id: u32::MAX,
            create_type: Vec::new(),
        })),
        ..Description::default()
    };
    let said = |backing: &Description| {
        image.check_backing(backing).map_or_else(|error| error.to_string(), |()| String::new())
    };
    assert_eq!(said(&parent(0x1212_1212)), "");
    assert_eq!(
        said(&parent(0x13)),
        "the content of the parent has changed (its CID is 13, the child expects 12121212)"
    );
    assert_eq!(said(&Description::default()), "the parent is not a VMDK image");
}

/// An output that checks that nothing is written twice, and nothing in front of anything.
#[derive(Default)]
struct Pipe {
    end: u64,
    bytes: Vec<u8>,
}

impl Output for Pipe {
    fn write(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        assert!(file == File::Own && offset >= self.end, "{offset} after {}", self.end);
        self.bytes.resize(usize::try_from(offset).unwrap(), 0);
        self.bytes.extend_from_slice(bytes);
        self.end = offset + bytes.len() as u64;
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn set_length(&mut self, _file: File, length: u64) -> Result<(), StorageError> {
        assert!(length >= self.end);
        Ok(())
    }
}

#[test]
fn compressed_grains_go_through_a_pipe() {
    let size = 3 * 512 * GRAIN + 1000;
    let options = [("subformat", text("streamOptimized"))];
    let mut writer = create(&creation(size, &options)).unwrap();
    assert_eq!(writer.encoding(), Some(Encoding::Zlib));
    let mut pipe = Pipe::default();
    let data = compress_to_vec_zlib(&[5; 65_536], 6);
    let grains = [0, 1, 511, 1024, 1536];
    for grain in grains {
        writer.store(grain * GRAIN, &data, &mut pipe).unwrap();
    }
    writer.finish(&mut pipe).unwrap();
    let bytes = Rc::new(pipe.bytes);
    // Header to the first grain, grains and three tables, directory, footer.
    assert_eq!(bytes.len(), 512 * (128 + 5 + 3 * 5 + 2 + 3));
    let image = Vmdk.open(bytes.clone()).unwrap();
    let disk = Disk::new(image, bytes);
    let mut read = [0];
    for grain in 0..=1536 {
        disk.read(grain * GRAIN, &mut read).unwrap();
        assert_eq!(read[0] == 5, grains.contains(&grain), "{grain}");
    }
}

#[test]
fn only_compressed_grains_are_stored() {
    let options = [("subformat", text("streamOptimized"))];
    let mut writer = create(&creation(1 << 20, &options)).unwrap();
    let mut files = Files::default();
    let most = 2 * 65_536 - 12;
    for (offset, length, good) in [
        (0, 1, true),
        (GRAIN, most, true),
        (2 * GRAIN, most + 1, false),
        (2 * GRAIN, 0, false),
        (2 * GRAIN + 512, 1, false),
    ] {
        let stored = writer.store(offset, &vec![1; length], &mut files);
        assert_eq!(stored.is_ok(), good, "{length} at {offset}");
    }
    assert!(writer.place(4 * GRAIN, 512, &mut files).is_err());
    let mut sparse = create(&creation(1 << 20, &[])).unwrap();
    assert!(sparse.store(0, &[1], &mut files).is_err());
}

/// An output that keeps nothing but how much it was given.
#[derive(Default)]
struct Counter(BTreeMap<File, u64>);

impl Output for Counter {
    fn write(&mut self, file: File, _offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        *self.0.entry(file).or_default() += bytes.len() as u64;
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn set_length(&mut self, _file: File, _length: u64) -> Result<(), StorageError> {
        Ok(())
    }
}

#[test]
fn grains_start_in_the_first_two_tebibytes() {
    let most = u64::from(u32::MAX);
    assert_eq!(sparse::entry(most - 1).unwrap(), [0xfe, 0xff, 0xff, 0xff]);
    assert_eq!(sparse::entry(most).unwrap(), [0xff; 4]);
    let message = "the image gets too large: grains start in the first 2 TiB of a file";
    assert_eq!(sparse::entry(most + 1).unwrap_err().to_string(), message);
}

#[test]
fn what_is_empty_of_a_large_disk_costs_little() {
    for (subformat, most) in [("monolithicSparse", 28 << 20), ("streamOptimized", 1 << 20)] {
        let creation = creation(100 << 40, &[("subformat", text(subformat))]);
        let mut writer = create(&creation).unwrap();
        let mut counter = Counter::default();
        writer.finish(&mut counter).unwrap();
        // No tables, only their directories: 4 bytes for 32 MiB, twice.
        let written: u64 = counter.0.values().sum();
        assert!(written < most, "{subformat} {written}");
    }
}
