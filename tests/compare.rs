//! `compare`, on every machine: what it says of pairs of images, held against qemu-img.

use formats::qcow2::sample::Sample;
use tests::{Machine, Place};

/// The images there are, by the format and how they are made. All have the same beginning.
fn place() -> Place {
    let place = Place::new();
    let mut disk = vec![0; 3 << 20];
    disk[1 << 20..(1 << 20) + 100_000].fill(7);
    disk[70_000..80_000].fill(9);
    place.write("a.raw", &disk);
    let longer = [disk.as_slice(), &[0; 1 << 20]].concat();
    place.write("longer.raw", &longer);
    let mut behind = longer.clone();
    behind[(3 << 20) + 5000] = 1;
    place.write("behind.raw", &behind);
    let mut other = disk.clone();
    other[1_100_001] = 8;
    place.write("other.raw", &other);
    let mut written = disk;
    written[2_500_001] = 1;
    place.write("written.raw", &written);
    for format in ["qcow2", "qcow", "qed", "vmdk", "vdi", "parallels", "vhdx"] {
        for name in ["a", "other", "written", "longer"] {
            let (from, to) = (format!("{name}.raw"), format!("{name}.{format}"));
            place.must("qemu-img", &["convert", "-f", "raw", "-O", format, &from, &to]);
        }
    }
    let create = ["create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2"];
    place.must("qemu-img", &[&create[..], &["top.qcow2"]].concat());
    place.must("qemu-img", &[&create[..], &["tall.qcow2", "4M"]].concat());
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "zeros.qcow2", "3M"]);
    place.must("qemu-io", &["-f", "qcow2", "-c", "write -z 0 1M", "zeros.qcow2"]);
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "empty.qcow2", "3M"]);
    place.must("truncate", &["-s", "3M", "empty.raw"]);
    place.must("cp", &["--sparse=never", "a.raw", "full.raw"]);
    place
}

/// Compares pairs in some way, and then says what was wrong with all.
fn judge(place: &Place, pairs: &[&str], ways: &[&str]) {
    let mut complaints = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        for (index, machine) in Machine::all().into_iter().enumerate() {
            // The others see fewer of them.
            if index > 0 && number % 4 != 0 {
                continue;
            }
            for way in ways {
                let line = format!("compare {way} {pair}");
                let arguments: Vec<&str> =
                    line.split(' ').filter(|word| !word.is_empty()).collect();
                let expected = place.qemu_img(&arguments);
                let said = place.exuvia(machine, &arguments);
                if said != expected {
                    complaints
                        .push(format!("{line} on {machine:?}\n{said:?}\nexpected\n{expected:?}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{} of them:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn formats_are_compared_with_each_other() {
    let pairs: Vec<String> = ["qcow2", "qcow", "qed", "vmdk", "vdi", "parallels", "vhdx", "raw"]
        .iter()
        .flat_map(|format| {
            let with = |first: &str, second: &str| format!("{first}.{format} {second}");
            [
                with("a", "a.raw"),
                with("a", "other.raw"),
                with("other", "a.qcow2"),
                with("written", "a.qcow2"),
                with("a", "written.vmdk"),
                with("longer", "a.vdi"),
                with("a", "behind.raw"),
                with("a", "longer.qed"),
            ]
        })
        .collect();
    let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
    judge(&place(), &pairs, &["", "-q"]);
}

#[test]
fn strictness_counts_sizes_and_ways_of_storing() {
    let pairs = [
        "a.raw a.raw",
        "a.raw full.raw",
        "a.raw longer.raw",
        "a.raw other.raw",
        "a.qcow2 a.qcow2",
        "a.qcow2 other.qcow2",
        "a.qcow2 top.qcow2",
        "a.qcow2 tall.qcow2",
        "longer.qcow2 tall.qcow2",
        "zeros.qcow2 empty.qcow2",
        "empty.raw empty.qcow2",
        "a.vdi written.vdi",
        "a.vmdk a.vmdk",
        "a.qed a.qcow2",
    ];
    judge(&place(), &pairs, &["-s", "-s -q"]);
}

#[test]
fn chains_are_compared() {
    let pairs = [
        "top.qcow2 a.raw",
        "tall.qcow2 a.raw",
        "tall.qcow2 longer.raw",
        "tall.qcow2 behind.raw",
        "other.raw tall.qcow2",
        "zeros.qcow2 empty.qcow2",
        "zeros.qcow2 a.raw",
    ];
    judge(&place(), &pairs, &["", "-U"]);
}

#[test]
fn what_cannot_be_compared_is_refused_as_qemu_img_does() {
    let place = place();
    place.write("damaged.qcow2", &damaged());
    let pairs = [
        "a.raw",
        "",
        "a.raw a.raw a.raw",
        "a.raw missing.raw",
        "missing.raw a.raw",
        "-f qcow2 a.raw a.qcow2",
        "-f raw -F vdi a.raw a.qcow2",
        "-f raw -F raw a.raw a.qcow2",
        "-f nonsense a.raw a.qcow2",
        "-T nonsense a.raw a.qcow2",
        "--nonsense a.raw a.raw",
        "--image-opts driver=raw,file.filename=a.raw driver=qcow2,file.filename=a.qcow2",
        "--object nonsense a.raw a.raw",
    ];
    judge(&place, &pairs, &[""]);
    place.must("qemu-img", &["convert", "-c", "-O", "qcow2", "a.raw", "broken.qcow2"]);
    // The first compressed cluster, which lies behind the tables, is nothing of the kind.
    place.patch("broken.qcow2", 0x5_0000, &[0xff; 64]);
    for machine in Machine::all() {
        for (arguments, code) in [
            // It is not known how the disk is stored there, or what is there.
            (["compare", "damaged.qcow2", "a.raw"], 3),
            (["compare", "a.raw", "damaged.qcow2"], 3),
            (["compare", "broken.qcow2", "a.raw"], 4),
            (["compare", "a.raw", "broken.qcow2"], 4),
        ] {
            let said = place.exuvia(machine, &arguments);
            let expected = place.qemu_img(&arguments);
            assert_eq!(expected.code, Some(code), "{arguments:?}");
            assert_eq!((said.code, &said.stdout), (expected.code, &expected.stdout));
            // In front of that, qemu says what it does to such an image.
            let last = |text: &str| text.lines().last().map(str::to_owned);
            assert_eq!(last(&said.stderr), last(&expected.stderr), "on {machine:?}");
        }
    }
}

/// An image whose L2 table is not where one can be.
fn damaged() -> Vec<u8> {
    let mut bytes = Sample { cluster_bits: 16, ..Sample::default() }.bytes();
    let layout = formats::qcow2::layout::Layout::read(&bytes).unwrap();
    let table = usize::try_from(layout.l1_table.offset).unwrap();
    bytes[table..table + 8].copy_from_slice(&0x8000_0000_0000_0200_u64.to_be_bytes());
    bytes
}

#[test]
fn progress_begins_and_ends_as_with_qemu_img() {
    let place = place();
    for machine in Machine::all() {
        for pair in [["a.raw", "a.qcow2"], ["a.raw", "other.raw"], ["a.raw", "longer.raw"]] {
            let arguments = [&["compare", "-p"], &pair[..]].concat();
            let (said, expected) = (place.exuvia(machine, &arguments), place.qemu_img(&arguments));
            assert_eq!((said.code, &said.stderr), (expected.code, &expected.stderr));
            let ends = |text: &str| {
                let mut steps: Vec<String> = text.split('\r').map(str::to_owned).collect();
                steps.drain(1..steps.len() - 1);
                steps
            };
            assert_eq!(ends(&said.stdout), ends(&expected.stdout), "{pair:?} on {machine:?}");
        }
    }
}
