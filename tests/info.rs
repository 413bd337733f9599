//! `info`, on every machine: what it says of every image that there is a maker
//! for, held against qemu-img's output or, where that is wrong, against the truth
//! (`docs/differences.md`).

use formats::qcow2::sample::{Bitmap, Sample, Snapshot};
use formats::vhdx::sample::Vhdx;
use formats::vpc::sample::Vhd;
use tests::images::{self, Image};
use tests::{Machine, Place};
use zerocopy::IntoBytes;

/// The ways of asking.
const WAYS: [&[&str]; 4] = [
    &["info"],
    &["info", "--output=json"],
    &["info", "--backing-chain"],
    &["info", "-U", "--backing-chain", "--output=json"],
];

/// The ways that the other machines are asked in. What the host makes of a
/// description does not depend on the machine.
const FEWER_WAYS: [&[&str]; 2] = [WAYS[0], WAYS[3]];

/// Looks at every image in every way, and then says what was wrong with all.
fn judge(images: &[Image]) {
    let mut complaints = Vec::new();
    for image in images {
        let place = Place::new();
        image.make(&place);
        for (index, machine) in Machine::all().into_iter().enumerate() {
            for way in if index == 0 { &WAYS[..] } else { &FEWER_WAYS[..] } {
                let said = place.exuvia(machine, &[*way, &[image.file]].concat());
                if let Err(complaint) = image.judge(&place, way, &said) {
                    let name = image.name;
                    complaints.push(format!("{name}, {way:?} on {machine:?}\n{complaint}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn bochs() {
    judge(images::bochs::IMAGES);
}

#[test]
fn cloop() {
    judge(images::cloop::IMAGES);
}

#[test]
fn dmg() {
    judge(images::dmg::IMAGES);
}

#[test]
fn parallels() {
    judge(images::parallels::IMAGES);
}

#[test]
fn qed() {
    judge(images::qed::IMAGES);
}

#[test]
fn qcow() {
    judge(images::qcow::IMAGES);
}

#[test]
fn qcow2() {
    judge(images::qcow2::IMAGES);
}

#[test]
fn qcow2_chains() {
    judge(images::qcow2::chains::IMAGES);
}

#[test]
fn qcow2_damaged() {
    judge(images::qcow2::damaged::IMAGES);
}

#[test]
fn qcow2_encrypted() {
    judge(images::qcow2::encrypted::IMAGES);
}

#[test]
fn qcow2_extended() {
    judge(images::qcow2::extended::IMAGES);
}

#[test]
fn qcow2_lists() {
    judge(images::qcow2::lists::IMAGES);
}

#[test]
fn raw() {
    judge(images::raw::IMAGES);
}

#[test]
fn luks() {
    judge(images::luks::IMAGES);
}

#[test]
fn luks2() {
    judge(images::luks2::IMAGES);
}

#[test]
fn vdi() {
    judge(images::vdi::IMAGES);
}

#[test]
fn vmdk() {
    judge(images::vmdk::IMAGES);
}

#[test]
fn vhdx() {
    judge(images::vhdx::IMAGES);
}

#[test]
fn vpc() {
    judge(images::vpc::IMAGES);
}

/// What makes a file.
type Maker = fn() -> Vec<u8>;

/// Files of which the user says what they are, be they or not.
const TOLD: &[(&str, Maker)] = &[
    ("raw", || Vhd::fixed(1 << 20).bytes()),
    ("raw", || Vhd::dynamic(1 << 20).bytes()),
    ("raw", || Vhdx::default().bytes()),
    ("vpc", Vec::new),
    ("vpc", || vec![7; 100]),
    ("vpc", || vec![0; 4096]),
    ("vpc", || Vhdx::default().bytes()),
    ("vpc", || [vec![0; 512], Vhd::fixed(1 << 20).bytes()].concat()),
    ("vpc", || [&[0; 512], Vhd::dynamic(1 << 20).footer().as_bytes()].concat()),
    ("vpc", || [&[0; 512], &Vhd::fixed(1 << 20).footer().as_bytes()[..500]].concat()),
    ("vhdx", Vec::new),
    ("vhdx", || vec![0; 4096]),
    ("vhdx", || Vhd::dynamic(1 << 20).bytes()),
];

#[test]
fn what_the_user_says_counts() {
    for (format, bytes) in TOLD {
        let place = Place::new();
        place.write("a.img", &bytes());
        for way in FEWER_WAYS {
            let arguments = [way, &["-f", format, "a.img"]].concat();
            let expected = place.qemu_img(&arguments);
            for machine in Machine::all() {
                assert_eq!(place.exuvia(machine, &arguments), expected, "{arguments:?}");
            }
        }
    }
}

/// As many as an image can have. qemu-img takes minutes for them.
#[test]
fn very_many_snapshots_and_bitmaps_do_not_take_long() {
    let sample = Sample {
        snapshots: vec![Snapshot::new(b"1", b"one of many"); 65_536],
        bitmaps: vec![Bitmap { flags: 1, ..Bitmap::new(b"one of many", 16) }; 65_535],
        ..Sample::default()
    };
    let place = Place::new();
    place.write("a.qcow2", &sample.bytes());
    for machine in Machine::all() {
        let said = place.exuvia(machine, &["info", "--output=json", "a.qcow2"]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "on {machine:?}");
        assert_eq!(said.stdout.matches("\"vm-clock-sec\"").count(), 65_536);
        assert_eq!(said.stdout.matches("\"granularity\"").count(), 65_535);
    }
}
