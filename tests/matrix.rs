//! Every reader with every writer, through the command: what comes out has the disk that
//! went in, as qemu-img reads it. And disks of sizes that fit nothing.

use std::fs;

use tests::sources::{self, Source};
use tests::{Machine, Place, Random};

/// How the images to be read are made from a raw one: their format, and qemu-img's options.
const READERS: &[(&str, &[&str])] = &[
    ("raw", &[]),
    ("qcow2", &[]),
    ("qcow2", &["-o", "compat=0.10,cluster_size=512"]),
    ("qcow2", &["-o", "extended_l2=on,cluster_size=128k"]),
    ("qcow2", &["-o", "cluster_size=2M,refcount_bits=64"]),
    ("qcow2", &["-o", "data_file=outside,data_file_raw=on"]),
    ("qcow2", &["-c"]),
    ("qcow2", &["-c", "-o", "compression_type=zstd"]),
    ("qcow", &[]),
    ("qed", &[]),
    ("vmdk", &[]),
    ("vmdk", &["-o", "subformat=monolithicFlat"]),
    ("vmdk", &["-o", "subformat=twoGbMaxExtentSparse"]),
    ("vmdk", &["-o", "subformat=twoGbMaxExtentFlat"]),
    ("vmdk", &["-o", "subformat=streamOptimized"]),
    ("vdi", &[]),
    ("vdi", &["-o", "static=on"]),
    ("vpc", &["-o", "force_size=on"]),
    ("vpc", &["-o", "subformat=fixed,force_size=on"]),
    ("vhdx", &[]),
    ("vhdx", &["-o", "subformat=fixed,block_size=1M"]),
    ("parallels", &[]),
];

/// The images to be made: their format, and the options.
const WRITERS: &[(&str, &[&str])] = &[
    ("raw", &[]),
    ("qcow2", &[]),
    ("qcow2", &["-o", "compat=0.10,cluster_size=4k"]),
    ("qcow2", &["-c"]),
    ("qcow2", &["-c", "-o", "compression_type=zstd"]),
    ("qcow2", &["-o", "extended_l2=on"]),
    ("qcow", &[]),
    ("qed", &[]),
    ("vmdk", &[]),
    ("vmdk", &["-o", "subformat=monolithicFlat"]),
    ("vmdk", &["-o", "subformat=twoGbMaxExtentSparse"]),
    ("vmdk", &["-o", "subformat=twoGbMaxExtentFlat"]),
    ("vmdk", &["-o", "subformat=streamOptimized"]),
    ("vpc", &["-o", "force_size=on"]),
    ("vpc", &["-o", "subformat=fixed,force_size=on"]),
    ("vhdx", &[]),
    ("vdi", &[]),
    ("vdi", &["-o", "static=on"]),
    ("parallels", &[]),
];

/// Formats that only some other program makes.
const OTHERS: &[&[Source]] =
    &[sources::bochs::SOURCES, sources::cloop::SOURCES, sources::dmg::SOURCES];

/// A disk with zeros, text and noise, whose size is a multiple of nothing but sectors.
fn disk() -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut disk = vec![0; (2 << 20) + 7 * 512];
    for (number, piece) in disk.chunks_mut(50_000).enumerate() {
        match number % 4 {
            0 => piece.fill_with(|| random.byte()),
            1 => piece.fill(b'x'),
            _ => {}
        }
    }
    disk
}

/// Converts an image with every writer, and has qemu-img compare with a raw one.
fn judge(place: &Place, what: &str, source: &[&str], expected: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (format, options) in WRITERS {
        let folder = place.file("made");
        fs::create_dir(&folder).expect("a folder");
        let words = [&["convert", "-O", format], *options, source, &["made/image"]].concat();
        let said = place.exuvia(Machine::all()[0], &words);
        let compared =
            place.qemu_img(&["compare", "-f", "raw", "-F", format, expected, "made/image"]);
        if !said.success() || !compared.stdout.ends_with("Images are identical.\n") {
            complaints.push(format!("{what}: {words:?}: {said:?} {compared:?}"));
        }
        fs::remove_dir_all(folder).expect("a folder is removed");
    }
    complaints
}

#[test]
fn every_reader_goes_with_every_writer() {
    let place = Place::new();
    place.write("disk.raw", &disk());
    let mut complaints = Vec::new();
    for (format, options) in READERS {
        let words = [&["convert", "-f", "raw", "-O", format], *options, &["disk.raw", "source"]];
        let made = place.qemu_img(&words.concat());
        assert!(made.success(), "{words:?}: {made:?}");
        let what = format!("{format} {options:?}");
        complaints.extend(judge(&place, &what, &["-f", format, "source"], "disk.raw"));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_other_programs_make_goes_with_every_writer() {
    let mut complaints = Vec::new();
    for sources in OTHERS {
        let place = Place::new();
        let source = sources.iter().find(|source| source.is_read_by_qemu());
        let source = source.expect("an image that qemu-img reads");
        source.make(&place);
        let content = source.content(&place).expect("an image that can be read");
        place.write("expected.raw", &content);
        complaints.extend(judge(&place, source.name, &[source.file], "expected.raw"));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What qemu-img or exuvia makes of a disk, as far as one sees it: the size of the disk,
/// or why there is none.
fn size_of_disk(place: &Place, format: &str, options: &[&str], by_exuvia: bool) -> String {
    let folder = place.file("made");
    fs::create_dir(&folder).expect("a folder");
    let source = &["-f", "raw", "source", "made/image"][..];
    let words = [&["convert", "-O", format], options, source].concat();
    let said = match by_exuvia {
        true => place.exuvia(Machine::all()[0], &words),
        false => place.qemu_img(&words),
    };
    let seen = if said.success() {
        let info = place.qemu_img(&["info", "-f", format, "made/image"]);
        let compare = ["compare", "-f", "raw", "-F", format, "source", "made/image"];
        let compared = place.qemu_img(&compare).stdout;
        if by_exuvia {
            let again = place.exuvia(Machine::all()[0], &compare).stdout;
            assert!(again.ends_with("Images are identical.\n"), "{words:?}: {again}");
        }
        let size = info.stdout.lines().find(|line| line.starts_with("virtual size"));
        format!("{size:?} {compared} {}", info.stderr)
    } else {
        said.stderr
    };
    fs::remove_dir_all(folder).expect("a folder is removed");
    seen
}

#[test]
fn disks_may_be_of_any_size() {
    let place = Place::new();
    let disk = disk();
    let mut complaints = Vec::new();
    for size in [0, 1, 512, 513, 65_536 + 512, (1 << 20) + 1] {
        place.write("source", &disk[..size]);
        for (format, options) in WRITERS {
            let expected = size_of_disk(&place, format, options, false);
            let made = size_of_disk(&place, format, options, true);
            if made == expected {
                continue;
            }
            // Images with an empty disk that qemu-img makes, it often cannot open, or breaks
            // down over them. Those that exuvia makes, it reads itself.
            let is_broken =
                expected.starts_with("qemu-img: Could not open") || expected.contains("Assertion");
            if size > 0 || !is_broken {
                complaints.push(format!("{format} {options:?}, {size} bytes: {made}, {expected}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_disk_of_two_tebibytes_takes_no_longer_than_what_is_on_it() {
    let place = Place::new();
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "source", "2T"]);
    let last = (2_u64 << 40) - 65_536;
    let writes = ["write -P 1 0 1M", "write -P 2 1T 64k", &format!("write -P 3 {last} 64k")];
    let words: Vec<_> = writes.iter().flat_map(|write| ["-c", write]).collect();
    place.must("qemu-io", &[&words[..], &["source"]].concat());
    let mut complaints = Vec::new();
    for (format, options) in WRITERS {
        let folder = place.file("made");
        fs::create_dir(&folder).expect("a folder");
        let words = [&["convert", "-O", format], *options, &["source", "made/image"]].concat();
        let said = place.exuvia(Machine::all()[0], &words);
        let what = format!("{words:?}: {said:?}");
        let is_split = options.iter().any(|option| option.contains("twoGb"));
        if *format == "vpc" || is_split {
            // There are no such images, or they would have a thousand files.
            let is_told = said.stderr.contains("too large") || said.stderr.contains("more files");
            if said.code != Some(1) || !is_told || fs::read_dir(&folder).unwrap().count() > 0 {
                complaints.push(what);
            }
        } else {
            let compared =
                place.exuvia(Machine::all()[0], &["compare", "-F", format, "source", "made/image"]);
            if !said.success() || !compared.stdout.ends_with("Images are identical.\n") {
                complaints.push(format!("{what} {compared:?}"));
            }
        }
        fs::remove_dir_all(folder).expect("a folder is removed");
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
