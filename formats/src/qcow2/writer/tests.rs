use alloc::rc::Rc;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::Format;
use crate::creation::{Options, Value};
use crate::extent::Content;
use crate::image::Image;
use crate::qcow2::Qcow2;
use crate::testing::Nowhere;
use crate::whole::{Disk, Files};
use crate::writer::Writer;

fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().to_vec())
}

fn creation(size: u64, set: &[(&str, Value)]) -> Creation<'static> {
    let mut options = Options::default();
    set.iter().for_each(|(name, value)| options.set(name, value.clone()));
    Creation { size, options, ..Creation::default() }
}

fn writer(size: u64, set: &[(&str, Value)]) -> Qcow2Writer {
    Qcow2Writer::new(&creation(size, set)).unwrap()
}

/// Why an image cannot be made; nothing if it can.
fn said(creation: &Creation<'_>) -> String {
    Qcow2Writer::new(creation).map_or_else(|error| error.to_string(), |_| String::new())
}

fn opened(files: &Files) -> alloc::boxed::Box<dyn Image> {
    Qcow2.open(Rc::new(files.file(File::Own).to_vec())).unwrap()
}

#[test]
fn what_cannot_be_made_is_refused_in_the_words_of_qemu() {
    let (on, number) = (Value::Flag(true), Value::Number);
    let v2 = || ("compat", text("0.10"));
    let cluster = "Cluster size must be a power of two between 512 and 2048k";
    let subclusters =
        "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes";
    let width = "Refcount width must be a power of two and may not exceed 64 bits";
    for (set, expected) in [
        (&[("compat", text("9"))][..], "Parameter 'version' does not accept value '9'"),
        (&[("compat", text("v3"))], ""),
        (
            &[("compression_type", text("lz4"))],
            "Parameter 'compression-type' does not accept value 'lz4'",
        ),
        (
            &[("preallocation", text("most"))],
            "Parameter 'preallocation' does not accept value 'most'",
        ),
        (
            &[v2(), ("extended_l2", on.clone())],
            "Extended L2 entries are only supported with compatibility level 1.1 and above (use \
             version=v3 or greater)",
        ),
        (&[("cluster_size", number(0))], cluster),
        (&[("cluster_size", number(256))], cluster),
        (&[("cluster_size", number(512))], ""),
        (&[("cluster_size", number(513))], cluster),
        (&[("cluster_size", number(2 << 20))], ""),
        (&[("cluster_size", number(4 << 20))], cluster),
        (&[("cluster_size", number(1 << 32))], cluster),
        (&[("cluster_size", number(8192)), ("extended_l2", on.clone())], subclusters),
        (&[("cluster_size", number(16384)), ("extended_l2", on.clone())], ""),
        (
            &[("backing_file", text("b")), ("preallocation", text("metadata"))],
            "Backing file and preallocation can only be used at the same time if extended_l2 is on",
        ),
        (
            &[
                ("backing_file", text("b")),
                ("preallocation", text("full")),
                ("extended_l2", on.clone()),
            ],
            "",
        ),
        (&[("backing_fmt", text("raw"))], "Backing format cannot be used without backing file"),
        (
            &[v2(), ("lazy_refcounts", on.clone())],
            "Lazy refcounts only supported with compatibility level 1.1 and above (use \
             version=v3 or greater)",
        ),
        (&[("refcount_bits", number(0))], width),
        (&[("refcount_bits", number(1))], ""),
        (&[("refcount_bits", number(3))], width),
        (&[("refcount_bits", number(64))], ""),
        (&[("refcount_bits", number(128))], width),
        (&[v2(), ("refcount_bits", number(16))], ""),
        (
            &[v2(), ("refcount_bits", number(8))],
            "Different refcount widths than 16 bits require compatibility level 1.1 or above \
             (use version=v3 or greater)",
        ),
        (&[("data_file_raw", on.clone())], "data-file-raw requires data-file"),
        (
            &[("data_file", text("d")), ("data_file_raw", on), ("backing_file", text("b"))],
            "Backing file and data-file-raw cannot be used at the same time",
        ),
        (
            &[v2(), ("data_file", text("d"))],
            "External data files are only supported with compatibility level 1.1 and above (use \
             version=v3 or greater)",
        ),
        (
            &[v2(), ("compression_type", text("zstd"))],
            "Non-zlib compression type is only supported with compatibility level 1.1 and above \
             (use version=v3 or greater)",
        ),
        (&[("encrypt.format", text("luks"))], "encrypted qcow2 images cannot be made"),
    ] {
        assert_eq!(said(&creation(1 << 20, set)), expected, "{set:?}");
    }
}

#[test]
fn what_is_compressed_has_no_room_in_advance() {
    let compressed =
        |set: &[(&str, Value)]| said(&Creation { compress: true, ..creation(1 << 20, set) });
    assert_eq!(compressed(&[]), "");
    assert_eq!(
        compressed(&[("preallocation", text("metadata"))]),
        "Compression and preallocation not supported at the same time"
    );
    assert_eq!(
        compressed(&[("data_file", text("d"))]),
        "Compression not supported for this file format"
    );
}

#[test]
fn disks_have_a_largest_size() {
    let too_large =
        "The image size is too large for file format 'qcow2' (try using a larger cluster size)";
    for (cluster_size, bits) in [(512, 37), (65_536, 51)] {
        let set = [("cluster_size", Value::Number(cluster_size))];
        for (size, expected) in [
            ((1 << bits) - 512, ""),
            (1 << bits, ""),
            ((1 << bits) + 1, too_large),
            (u64::MAX, too_large),
        ] {
            assert_eq!(said(&creation(size, &set)), expected, "{cluster_size} {size}");
        }
    }
}

#[test]
fn names_fit_into_the_first_cluster() {
    let name = |length| text(&"a".repeat(length));
    let said = |cluster_size, option: &'static str, length: usize| {
        let set = [("cluster_size", Value::Number(cluster_size)), (option, name(length))];
        said(&creation(1 << 20, &set))
    };
    let failed = |length: usize, reason: &str| {
        let name = "a".repeat(length);
        std::format!("Could not assign backing file '{name}' with format '(null)': {reason}")
    };
    assert_eq!(said(65_536, "backing_file", 1023), "");
    assert_eq!(said(65_536, "backing_file", 1024), failed(1024, "Invalid argument"));
    // The header has 112 bytes, the end of the extensions 8.
    assert_eq!(said(512, "backing_file", 392), "");
    assert_eq!(said(512, "backing_file", 393), failed(393, "No space left on device"));
    assert_eq!(said(512, "data_file", 384), "");
    let full = "Could not update qcow2 header: No space left on device";
    assert_eq!(said(512, "data_file", 385), full);
}

#[test]
fn a_large_disk_takes_little_memory() {
    // 64 TiB, of which something is written here and there.
    let size = 64 << 40;
    let mut writer = writer(size, &[]);
    let mut output = Nowhere::default();
    let mut offset = 0;
    while offset < size {
        let run = writer.place(offset, 1 << 20, &mut output).unwrap();
        assert_eq!(run.length, 1 << 20);
        offset += 100 << 30;
    }
    writer.finish(&mut output).unwrap();
    assert!(output.longest <= crate::table::PIECE);
    assert!(output.length <= writer.longest(File::Own) && output.end <= output.length);
    // All of it would fit as well.
    let longest = writer.longest(File::Own);
    assert!(longest > size && longest < size + (size >> 10));
}

#[test]
fn runs_are_as_long_as_there_is_room() {
    let mut writer = writer(1 << 20, &[("cluster_size", Value::Number(4096))]);
    let mut files = Files::default();
    // The L1 table is the fourth cluster, an L2 table the fifth.
    let run = writer.place(512, 100_000, &mut files).unwrap();
    assert_eq!(run, Run { place: Place::own(5 * 4096 + 512), length: 100_000 });
    // The last cluster of a run goes on.
    let run = writer.place(100_864, 1024, &mut files).unwrap();
    assert_eq!(run, Run { place: Place::own(5 * 4096 + 100_864), length: 1024 });
    let run = writer.place(512_000, 512, &mut files).unwrap();
    assert_eq!(run.place, Place::own((5 + 25) * 4096));
}

#[test]
fn only_what_was_written_of_subclusters_is_there() {
    let set = [("extended_l2", Value::Flag(true)), ("backing_file", text("base"))];
    let mut writer = writer(1 << 20, &set);
    assert_eq!(writer.unit(), 2048);
    let mut files = Files::default();
    writer.place(2048, 4096, &mut files).unwrap();
    writer.zero(8192, 2048, &mut files).unwrap();
    writer.place(10_240, 2048, &mut files).unwrap();
    writer.zero(65_536, 4096, &mut files).unwrap();
    writer.place(65_536 + 4096, 2048, &mut files).unwrap();
    writer.finish(&mut files).unwrap();
    let image = opened(&files);
    let kind = |content| match content {
        Content::Unallocated | Content::Reserved(_) => 'u',
        Content::Zero(None) => 'z',
        Content::Zero(Some(_)) => 'Z',
        Content::Data(_) => 'd',
        Content::Compressed(_) => 'c',
    };
    let kinds = |start: u64| -> String {
        (0..8).map(|it| kind(image.extent(start + it * 2048, 1).unwrap().content)).collect()
    };
    assert_eq!(kinds(0), "udduZduu");
    assert_eq!(kinds(65_536), "ZZduuuuu");
    assert_eq!(kinds(131_072), "uuuuuuuu");
}

#[test]
fn parts_of_units_cannot_be_made_zeros() {
    for (set, unit) in [(&[][..], 65_536), (&[("extended_l2", Value::Flag(true))], 2048)] {
        let set = [set, &[("backing_file", text("base"))]].concat();
        let size = (1 << 20) + 512;
        for (offset, length, is_good) in [
            (0, unit, true),
            (unit, 2 * unit, true),
            (512, unit, false),
            (0, unit + 512, false),
            (1 << 20, 512, true),
        ] {
            let zeroed = writer(size, &set).zero(offset, length, &mut Files::default());
            assert_eq!(zeroed.is_ok(), is_good, "{length} at {offset}");
        }
    }
}

#[test]
fn compressed_clusters_share_what_they_can() {
    for (bits, length, expected) in [
        // Header, refcount table and block, L1 and L2 table, and then three at a time.
        (16, 1000, 5 + 25),
        (64, 4095, 5 + 100),
        // No cluster can be counted twice.
        (1, 1000, 5 + 100),
        // Three to a cluster, and what is left of it is lost.
        (2, 1300, 5 + 34),
    ] {
        let set = [("cluster_size", Value::Number(4096)), ("refcount_bits", Value::Number(bits))];
        let creation = Creation { compress: true, ..creation(100 * 4096, &set) };
        let mut writer = Qcow2Writer::new(&creation).unwrap();
        let mut files = Files::default();
        let unit: Vec<u8> = (0..length).map(|index: u32| (index % 251).to_le_bytes()[0]).collect();
        for number in 0..100 {
            writer.store(number * 4096, &unit, &mut files).unwrap();
        }
        writer.finish(&mut files).unwrap();
        let file = files.file(File::Own);
        let clusters = file.len() / 4096;
        assert!(clusters <= expected && clusters + 1 >= expected, "{bits}: {clusters}");
        assert!(file.len() as u64 <= writer.longest(File::Own));
        // Each is where its entry says.
        let image = opened(&files);
        for number in 0..100 {
            let extent = image.extent(number * 4096, 4096).unwrap();
            let Content::Compressed(found) = extent.content else { panic!("{extent:?}") };
            let place = usize::try_from(found.place.offset).unwrap();
            assert!(file[place..].starts_with(&unit), "{bits} {number}");
            assert!(found.length >= unit.len() as u64 && found.length < unit.len() as u64 + 1024);
        }
    }
}

#[test]
fn only_what_got_shorter_is_stored() {
    let creation = Creation { compress: true, ..creation(1 << 20, &[]) };
    for (offset, length, is_good) in
        [(0, 1, true), (65_536, 65_535, true), (0, 65_536, false), (0, 0, false), (512, 1, false)]
    {
        let mut writer = Qcow2Writer::new(&creation).unwrap();
        let stored = writer.store(offset, &vec![7; length], &mut Files::default());
        assert_eq!(stored.is_ok(), is_good, "{length} at {offset}");
    }
    let mut plain = writer(1 << 20, &[]);
    assert_eq!(plain.encoding(), None);
    assert!(plain.store(0, b"unit", &mut Files::default()).is_err());
}

#[test]
fn the_host_is_told_what_to_set_aside() {
    for (mode, expected) in [
        ("off", Preallocation::Off),
        ("metadata", Preallocation::Off),
        ("falloc", Preallocation::Falloc),
        ("full", Preallocation::Full),
    ] {
        let mut writer = writer(1 << 20, &[("preallocation", text(mode))]);
        assert_eq!(writer.preallocation(), expected);
        let mut files = Files::default();
        writer.finish(&mut files).unwrap();
        let extent = opened(&files).extent(0, 1 << 20).unwrap();
        assert_eq!(extent.length, 1 << 20);
        assert_eq!(matches!(extent.content, Content::Data(_)), mode != "off", "{mode}");
    }
}

#[test]
fn the_same_calls_make_the_same_bytes() {
    let disk: Vec<u8> = (0..300_000_u32).map(|it| (it / 1000).to_le_bytes()[0]).collect();
    let made = || {
        let mut files = Files::default();
        let mut writer = writer(disk.len() as u64, &[]);
        files.make(&mut writer, &disk, 4096).unwrap();
        files.file(File::Own).to_vec()
    };
    let file = made();
    assert_eq!(file, made());
    let image = Qcow2.open(Rc::new(file.clone())).unwrap();
    let mut read = vec![7; disk.len()];
    Disk::new(image, Rc::new(file)).read(0, &mut read).unwrap();
    assert_eq!(read, disk);
}
