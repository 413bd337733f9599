//! `measure`, on every machine: qemu-img's figures for formats that it has some of, and
//! for others those of the files that `convert` makes.

use tests::{Machine, Place};

/// A place with images of one disk, with holes and snapshots and bitmaps.
fn place() -> Place {
    let place = Place::new();
    let mut disk = vec![0; 10 << 20];
    for start in [0, 384 << 10, 5 << 20, 9 << 20] {
        // All of the clusters have data, so that no file has holes inside of them.
        disk[start..start + (320 << 10)].fill(7);
    }
    place.write("whole.raw", &disk);
    let raw = place.file("holes.raw");
    place.write("holes.raw", &[]);
    std::fs::OpenOptions::new().write(true).open(&raw).unwrap().set_len(10 << 20).unwrap();
    place.patch("holes.raw", 1 << 20, &[7; 640 << 10]);
    place.patch("holes.raw", 7 << 20, &[9; 4096]);
    for format in ["qcow2", "vmdk", "vhdx", "vpc", "vdi", "qed", "parallels", "qcow"] {
        let name = format!("a.{format}");
        place.must("qemu-img", &["convert", "-O", format, "whole.raw", &name]);
    }
    place.must("qemu-img", &["convert", "-c", "-O", "qcow2", "whole.raw", "compressed.qcow2"]);
    place.must("qemu-img", &["convert", "-O", "qcow2", "-o", "compat=0.10", "whole.raw", "old"]);
    place.must("qemu-img", &["snapshot", "-c", "before", "a.qcow2"]);
    place.must("qemu-io", &["-c", "write -P 3 3M 1M", "a.qcow2"]);
    place.must("qemu-img", &["bitmap", "--add", "a.qcow2", "first"]);
    place.must("qemu-img", &["bitmap", "--add", "-g", "4k", "a.qcow2", "second"]);
    let backing = ["-b", "a.qcow2", "-F", "qcow2"];
    let create = ["create", "-q", "-f", "qcow2"];
    place.must("qemu-img", &[&create[..], &backing, &["top.qcow2"]].concat());
    place.must("qemu-io", &["-c", "write 7M 256k", "-c", "write -z 0 64k", "top.qcow2"]);
    place
}

/// Images to measure.
const SOURCES: [&str; 13] = [
    "whole.raw",
    "holes.raw",
    "a.qcow2",
    "old",
    "top.qcow2",
    "compressed.qcow2",
    "a.vmdk",
    "a.vhdx",
    "a.vpc",
    "a.vdi",
    "a.qed",
    "a.parallels",
    "a.qcow",
];

/// Formats to measure them in, with options.
const TARGETS: [&[&str]; 7] = [
    &[],
    &["-O", "qcow2"],
    &["-O", "qcow2", "-o", "cluster_size=2M", "--output=json"],
    &["-O", "qcow2", "-o", "compat=0.10"],
    &["-O", "qcow2", "-o", "extended_l2=on,refcount_bits=1"],
    &["-O", "qcow2", "-o", "preallocation=full"],
    &["-O", "qcow2", "-o", "backing_file=b,backing_fmt=raw"],
];

#[test]
fn figures_are_qemu_imgs() {
    let place = place();
    for (index, machine) in Machine::all().into_iter().enumerate() {
        for source in SOURCES {
            // What the format says does not depend on the machine.
            for target in if index == 0 { &TARGETS[..] } else { &TARGETS[1..3] } {
                let arguments = [&["measure"], *target, &[source]].concat();
                let expected = place.qemu_img(&arguments);
                assert!(expected.success(), "{expected:?}");
                assert_eq!(place.exuvia(machine, &arguments), expected, "{arguments:?}");
            }
        }
    }
}

#[test]
fn small_clusters_count_less() {
    let place = place();
    for source in ["whole.raw", "holes.raw", "a.vmdk"] {
        for size in ["512", "4k", "128k"] {
            let options = format!("cluster_size={size}");
            let arguments = ["measure", "-O", "qcow2", "-o", &options, source];
            let expected = place.qemu_img(&arguments);
            for machine in Machine::all() {
                assert_eq!(place.exuvia(machine, &arguments), expected, "{arguments:?}");
            }
        }
    }
}

/// Command lines that do not have a whole image for their source.
const OTHERS: &[&[&str]] = &[
    &["--size", "0"],
    &["--size", "1000"],
    &["--size", "0x10"],
    &["--size", " 1"],
    &["--size", "9223372036854775807"],
    &["--size", "1M", "--output", "json"],
    &["--size", "1G", "-O", "qcow2"],
    &["--size=1M", "--size=2M", "-O", "qcow2"],
    &["--size", "1G", "-O", "qcow2", "-o", "size=3G,cluster_size=4k", "-o", "extended_l2=off"],
    &["-O", "qcow2", "-l", "before", "a.qcow2"],
    &["-O", "qcow2", "-l", "snapshot.name=before", "a.qcow2"],
    &["-O", "qcow2", "-f", "raw", "-U", "a.qcow2"],
    &["-O", "qcow2", "--image-opts", "driver=qcow2,file.filename=a.qcow2"],
    // Complaints.
    &[],
    &["a", "b"],
    &["--size", "1M", "a"],
    &["--size", "1M", "-f", "raw"],
    &["--size", "1M", "-l", "x"],
    &["--image-opts"],
    &["--size", "abc"],
    &["--size", ""],
    &["--size", "-1"],
    &["--size", "16E"],
    &["--size", "99999999999999999999"],
    &["--size", "1.5"],
    &["--output=x", "--size", "1"],
    &["--foo"],
    &["nonexistent"],
    &["-O", "foo", "nonexistent"],
    &["-f", "qcow2", "whole.raw"],
    &["-O", "foo", "--size", "1"],
    &["-O", "bochs", "--size", "1"],
    &["-O", "qcow2", "--size", "1", "-o", "foo=1"],
    &["-O", "qcow2", "--size", "1", "-o", "help"],
    &["-O", "qcow2", "--size", "1", "-o", ""],
    &["-O", "qcow2", "--size", "1", "-o", "cluster_size=3"],
    &["-O", "qcow2", "--size", "1", "-o", "preallocation=most"],
    &["-O", "qcow2", "--size", "1", "-o", "compat=v3"],
    &["-O", "qcow2", "--size", "1", "-o", "encrypt.format=luks"],
    &["-O", "qcow2", "--size", "1E"],
    &["-O", "qcow2", "-l", "nonexistent", "a.qcow2"],
];

#[test]
fn other_command_lines_are_qemu_imgs() {
    let place = place();
    for arguments in OTHERS {
        let arguments = [&["measure"], *arguments].concat();
        let expected = place.qemu_img(&arguments);
        for machine in Machine::all() {
            assert_eq!(place.exuvia(machine, &arguments), expected, "{arguments:?}");
        }
    }
}

#[test]
fn other_formats_are_measured_as_convert_makes_them() {
    let place = place();
    for machine in Machine::all() {
        for format in ["vmdk", "vhdx", "vpc", "vdi", "qed", "parallels", "qcow"] {
            for source in ["a.qcow2", "holes.raw", "top.qcow2"] {
                let made = place.exuvia(machine, &["convert", "-O", format, source, "made"]);
                assert!(made.success(), "{made:?}");
                let length = std::fs::metadata(place.file("made")).unwrap().len();
                let said = place.exuvia(machine, &["measure", "-O", format, source]).stdout;
                let required = format!("required size: {length}\n");
                assert!(said.starts_with(&required), "{format} of {source}: {said}{required}");
            }
            let made = place.exuvia(machine, &["create", "-f", format, "made", "1G"]);
            assert!(made.success(), "{made:?}");
            let length = std::fs::metadata(place.file("made")).unwrap().len();
            let said = place.exuvia(machine, &["measure", "-O", format, "--size", "1G"]).stdout;
            assert!(said.starts_with(&format!("required size: {length}\n")), "{format}: {said}");
        }
    }
}
