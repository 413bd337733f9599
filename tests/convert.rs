//! `convert`, on every machine: what comes out has the content of what went in, as
//! qemu-img reads both.

use std::fs;

use tests::sources::{self, Source};
use tests::{Machine, Place, Random};

/// Converts every image to raw, and compares with what is on its disk.
fn judge(sources: &[Source]) {
    let mut complaints = Vec::new();
    for source in sources {
        let place = Place::new();
        source.make(&place);
        let expected = source.content(&place);
        for machine in Machine::all() {
            let said = place.exuvia(machine, &["convert", "-O", "raw", source.file, "out.raw"]);
            let what = format!("{} on {machine:?}: {said:?}", source.name);
            match &expected {
                Ok(expected) if said.success() => {
                    let read = fs::read(place.file("out.raw")).expect("an image");
                    if read != *expected {
                        complaints.push(format!("{what}: something else"));
                    }
                }
                Ok(_) => complaints.push(what),
                Err(reason) => {
                    let is_told = said.code == Some(1) && said.stderr.contains(reason);
                    let is_there = place.file("out.raw").exists();
                    if !is_told || is_there {
                        complaints.push(format!("{what}, expected {reason}"));
                    }
                }
            }
            let _ = fs::remove_file(place.file("out.raw"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn raw() {
    judge(sources::raw::SOURCES);
}

#[test]
fn qcow2() {
    judge(sources::qcow2::SOURCES);
}

#[test]
fn qcow() {
    judge(sources::qcow::SOURCES);
}

#[test]
fn qed() {
    judge(sources::qed::SOURCES);
}

#[test]
fn vmdk() {
    judge(sources::vmdk::SOURCES);
}

#[test]
fn vdi() {
    judge(sources::vdi::SOURCES);
}

#[test]
fn vpc() {
    judge(sources::vpc::SOURCES);
}

#[test]
fn vhdx() {
    judge(sources::vhdx::SOURCES);
}

#[test]
fn parallels() {
    judge(sources::parallels::SOURCES);
}

#[test]
fn bochs() {
    judge(sources::bochs::SOURCES);
}

#[test]
fn cloop() {
    judge(sources::cloop::SOURCES);
}

#[test]
fn dmg() {
    judge(sources::dmg::SOURCES);
}

#[test]
fn luks() {
    judge(sources::luks::SOURCES);
}

/// A disk with zeros, text and noise.
fn disk() -> Vec<u8> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut disk = vec![0; (9 << 20) + 1536];
    for (number, piece) in disk.chunks_mut(90_000).enumerate() {
        match number % 5 {
            0 => piece.fill_with(|| random.byte()),
            1 => piece
                .iter_mut()
                .zip(b"all work and no play ".iter().cycle())
                .for_each(|(byte, letter)| *byte = *letter),
            _ => {}
        }
    }
    disk
}

#[test]
fn every_format_can_be_made() {
    let place = Place::new();
    place.write("disk.raw", &disk());
    place.must("qemu-img", &["convert", "-O", "qcow2", "disk.raw", "disk.qcow2"]);
    let mut complaints = Vec::new();
    for (format, options) in [
        ("raw", &[][..]),
        ("qcow2", &[]),
        ("qcow2", &["-o", "compat=0.10,cluster_size=4k"]),
        ("qcow2", &["-o", "extended_l2=on,refcount_bits=1"]),
        ("qcow2", &["-o", "preallocation=metadata"]),
        ("qcow2", &["-c"]),
        ("qcow2", &["-c", "-o", "compression_type=zstd"]),
        ("qcow2", &["-c", "-o", "cluster_size=2M"]),
        ("qcow2", &["-S", "0"]),
        ("qcow2", &["-S", "64k"]),
        ("qcow", &[]),
        ("qcow", &["-c"]),
        ("qed", &[]),
        ("vmdk", &[]),
        ("vmdk", &["-o", "subformat=streamOptimized"]),
        ("vmdk", &["-c", "-o", "subformat=streamOptimized"]),
        ("vpc", &[]),
        ("vpc", &["-o", "subformat=fixed,force_size=on"]),
        ("vhdx", &[]),
        ("vhdx", &["-o", "subformat=fixed"]),
        ("vdi", &[]),
        ("vdi", &["-o", "static=on"]),
        ("parallels", &[]),
    ] {
        for source in ["disk.raw", "disk.qcow2"] {
            let mut made = Vec::new();
            for machine in Machine::all() {
                let words = [&["convert", "-O", format], options, &[source, "image"]].concat();
                let said = place.exuvia(machine, &words);
                let compared = ["compare", "-f", "raw", "-F", format, "disk.raw", "image"];
                let compared = place.qemu_img(&compared);
                let is_same = compared.stdout.ends_with("Images are identical.\n");
                if !said.success() || !is_same {
                    complaints.push(format!("{words:?} on {machine:?}: {said:?} {compared:?}"));
                }
                let checked = place.qemu_img(&["check", "-f", format, "image"]);
                // 63 is for a format that has no check.
                if !matches!(checked.code, Some(0 | 63)) {
                    complaints.push(format!("{words:?} on {machine:?}: {checked:?}"));
                }
                let again =
                    place.exuvia(machine, &["compare", "disk.qcow2", "image", "-F", format]);
                if !again.stdout.ends_with("Images are identical.\n") {
                    complaints.push(format!("{words:?} on {machine:?}: {again:?}"));
                }
                made.push(fs::read(place.file("image")).unwrap_or_default().len());
                let _ = fs::remove_file(place.file("image"));
            }
            if made.windows(2).any(|pair| pair[0] != pair[1]) {
                complaints.push(format!("{options:?}: the machines make different images"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_rate_changes_nothing_about_the_image() {
    let place = Place::new();
    // Runs of data, each written by itself.
    let disk: Vec<u8> =
        (0..4).flat_map(|run| [vec![run + 1; 4096], vec![0; 12_288]].concat()).collect();
    place.write("a.raw", &disk);
    for machine in Machine::all() {
        for format in ["raw", "qcow2"] {
            // A few KiB at this rate take less than a second.
            let command = ["convert", "-r", "64k", "-O", format, "a.raw", "new"];
            let outcome = place.exuvia(machine, &command);
            assert!(outcome.success(), "{outcome:?}");
            let same = place.qemu_img(&["compare", "-F", format, "a.raw", "new"]);
            assert_eq!(same.stdout, "Images are identical.\n", "{format} on {machine:?}");
        }
        for rate in ["x", "-1", "1.5", "", "9223372036854775808", "0", "9223372036854775807"] {
            let command = ["convert", "-r", rate, "-O", "raw", "a.raw", "new"];
            let said = place.exuvia(machine, &command);
            assert_eq!(said, place.qemu_img(&command), "{rate} on {machine:?}");
        }
    }
}
