//! `convert -n`: an image that is there gets another disk, and stays what it is in all other
//! ways. What would lose something is refused, and then not a byte has changed.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::{Machine, Place, Random, skip};

/// The size of the disk that is copied, in bytes.
const SIZE: usize = 5 << 20;

/// Ways of making the image that is there: the format, and what else `qemu-img create` gets.
const WAYS: &[(&str, &[&str])] = &[
    ("qcow2", &[]),
    ("qcow2", &["-o", "compat=0.10,cluster_size=512"]),
    ("qcow2", &["-o", "extended_l2=on,cluster_size=16k,refcount_bits=1"]),
    ("qcow2", &["-o", "cluster_size=2M,lazy_refcounts=on,compression_type=zstd"]),
    ("qcow2", &["-o", "preallocation=metadata"]),
    ("qcow", &[]),
    ("qed", &["-o", "cluster_size=4k,table_size=2"]),
    ("vdi", &[]),
    ("vdi", &["-o", "static=on"]),
    ("vhdx", &["-o", "block_size=2M,log_size=2M"]),
    ("vhdx", &["-o", "subformat=fixed"]),
    ("vpc", &[]),
    ("vpc", &["-o", "subformat=fixed,force_size=on"]),
    ("vmdk", &["-o", "adapter_type=lsilogic,hwversion=17"]),
    ("vmdk", &["-o", "subformat=streamOptimized"]),
    ("parallels", &["-o", "cluster_size=64k"]),
];

/// A disk with zeros and noise.
fn disk(size: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
    let mut disk = vec![0; size];
    for piece in disk.chunks_mut(150_000).step_by(3) {
        piece.fill_with(|| random.byte());
    }
    disk.iter_mut().rev().take(512).for_each(|byte| *byte = 7);
    disk
}

fn create(place: &Place, format: &str, options: &[&str], size: usize) {
    let size = size.to_string();
    let arguments = [&["create", "-q", "-f", format], options, &["image", &size]].concat();
    place.must("qemu-img", &arguments);
}

/// What qemu-img says of an image, but for what changes whenever somebody writes to it.
fn description(place: &Place, format: &str) -> String {
    let said = place.must("qemu-img", &["info", "-f", format, "image"]);
    let changes = |line: &&str| {
        let line = line.trim_start();
        ["disk size:", "file length:", "cid:"].iter().all(|word| !line.starts_with(word))
    };
    said.lines().filter(changes).collect::<Vec<_>>().join("\n")
}

/// What is wrong with an image that should have the disk of `source.raw`.
fn complaint(place: &Place, format: &str) -> Option<String> {
    let compared = place.qemu_img(&["compare", "-f", "raw", "-F", format, "source.raw", "image"]);
    if !compared.stdout.ends_with("Images are identical.\n") {
        return Some(format!("{compared:?}"));
    }
    let checked = place.qemu_img(&["check", "-f", format, "image"]);
    let cannot = checked.stderr.contains("does not support checks");
    (!cannot && !checked.success()).then(|| format!("{checked:?}"))
}

#[test]
fn an_image_gets_another_disk() {
    let machine = Machine::all()[0];
    let mut complaints = Vec::new();
    for (format, options) in WAYS {
        for (size, is_used, flags) in [
            (SIZE, false, &[][..]),
            (SIZE, false, &["--target-is-zero"]),
            (SIZE, true, &[]),
            (SIZE + (3 << 20), false, &[]),
        ] {
            let place = Place::new();
            place.write("source.raw", &disk(SIZE, 1));
            create(&place, format, options, size);
            // Somebody else's data, and after it zeros, must not show.
            if is_used && !options.contains(&"subformat=streamOptimized") {
                place.write("old.raw", &disk(SIZE, 2));
                let old = ["convert", "-n", "-f", "raw", "-O", format, "old.raw", "image"];
                place.must("qemu-img", &old);
            }
            let before = description(&place, format);
            let arguments = ["-f", "raw", "-O", format, "source.raw", "image"];
            let said = place.exuvia(machine, &[&["convert", "-n"], flags, &arguments].concat());
            let what = format!("{format} {options:?} {size} {is_used} {flags:?}");
            if !said.success() {
                complaints.push(format!("{what}: {said:?}"));
                continue;
            }
            complaints.extend(complaint(&place, format).map(|it| format!("{what}: {it}")));
            let after = description(&place, format);
            if before != after {
                complaints.push(format!("{what}: before {before}, after {after}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_disk_that_is_too_small_or_has_more_is_left_alone() {
    let machine = Machine::all()[0];
    let smaller = "qemu-img: output file is smaller than input file\n";
    let behind = "qemu-img: the image that is there has data behind the end of the input, which \
                  would be lost\n";
    for (format, options) in WAYS {
        for (size, expected) in [(SIZE / 2, smaller), (SIZE + (4 << 20), behind)] {
            let is_stream = options.contains(&"subformat=streamOptimized");
            if is_stream && expected == behind {
                continue;
            }
            let place = Place::new();
            place.write("source.raw", &disk(SIZE, 1));
            create(&place, format, options, size);
            if expected == behind {
                let command = format!("write -P 5 {} 512", SIZE + (3 << 20));
                place.must("qemu-io", &["-f", format, "-c", &command, "image"]);
            }
            let before = fs::read(place.file("image")).expect("an image");
            let arguments = ["convert", "-n", "-f", "raw", "-O", format, "source.raw", "image"];
            let said = place.exuvia(machine, &arguments);
            assert_eq!(said.stderr, expected, "{format} {options:?}");
            assert_eq!(said.code, Some(1));
            assert!(fs::read(place.file("image")).expect("an image") == before, "{format}");
        }
    }
}

#[test]
fn what_would_get_lost_is_refused() {
    let lost = |what: &str| {
        format!(
            "qemu-img: Could not open 'image': {what} would be lost, as the image is made anew\n"
        )
    };
    let in_use = "qemu-img: image: error while converting qcow2: Failed to get \"write\" lock\n\
                  Is another process using the image [image]?\n";
    let several =
        "qemu-img: Could not open 'image': an image of several files is not made anew\n".to_owned();
    for (format, make, source, expected) in [
        ("qcow2", &["qemu-img snapshot -c s image"][..], "source.raw", lost("internal snapshots")),
        ("qcow2", &["qemu-img bitmap --add image b"], "source.raw", lost("bitmaps")),
        (
            "qcow2",
            &["qemu-img create -q -f qcow2 -o data_file=data image 8M"],
            "source.raw",
            several.clone(),
        ),
        (
            "vmdk",
            &["qemu-img create -q -f vmdk -o subformat=monolithicFlat image 8M"],
            "source.raw",
            several,
        ),
        (
            "qcow2",
            &["qemu-img create -q -f raw image 8M"],
            "source.raw",
            "qemu-img: Could not open 'image': Image is not in qcow2 format\n".to_owned(),
        ),
        ("qcow2", &[], "image", in_use.to_owned()),
        ("qcow2", &["qemu-img create -q -f qcow2 -b image -F qcow2 top"], "top", in_use.to_owned()),
    ] {
        let place = Place::new();
        place.write("source.raw", &disk(SIZE, 1));
        create(&place, format, &[], 8 << 20);
        for command in make {
            let words: Vec<&str> = command.split(' ').collect();
            place.must(words[0], &words[1..]);
        }
        let before = fs::read(place.file("image")).expect("an image");
        for machine in Machine::all() {
            let arguments = ["convert", "-n", "-O", format, source, "image"];
            let said = place.exuvia(machine, &arguments);
            assert_eq!(said.stderr, expected, "{make:?}");
            assert_eq!(said.code, Some(1));
            assert!(fs::read(place.file("image")).expect("an image") == before, "{make:?}");
        }
    }
}

#[test]
fn what_is_underneath_stays_where_the_input_does_not_reach() {
    // The input ends with a cluster, or in one, or in a subcluster.
    for (options, size) in [
        ("cluster_size=64k", SIZE),
        ("cluster_size=64k", SIZE - 1536),
        ("cluster_size=64k,extended_l2=on", SIZE - 1536),
        ("cluster_size=512,compat=0.10", SIZE - 1536),
    ] {
        for machine in Machine::all() {
            let place = Place::new();
            place.write("base", &disk(8 << 20, 3).iter().map(|byte| byte | 1).collect::<Vec<_>>());
            place.write("input.raw", &disk(size, 4));
            create(&place, "qcow2", &["-o", options, "-b", "base", "-F", "raw"], 8 << 20);
            place.must("cp", &["image", "expected"]);
            let before = description(&place, "qcow2");
            let arguments = ["convert", "-n", "-f", "raw", "-O", "qcow2", "input.raw"];
            place.must("qemu-img", &[&arguments[..], &["expected"]].concat());
            let said = place.exuvia(machine, &[&arguments[..], &["image"]].concat());
            assert!(said.success(), "{said:?}");
            place.must("qemu-img", &["compare", "expected", "image"]);
            place.must("qemu-img", &["check", "-q", "image"]);
            assert_eq!(description(&place, "qcow2"), before);
        }
    }
}

#[test]
fn with_b_only_what_the_image_on_top_has_is_copied() {
    // What the input leaves out in a cluster of the output comes from what is underneath that.
    for (options, backing) in [
        (&["-o", "cluster_size=64k"][..], &["-b", "other", "-F", "raw"][..]),
        (&["-o", "cluster_size=128k,extended_l2=on"], &["-b", "other", "-F", "raw"]),
        (&["-o", "cluster_size=64k"], &[]),
    ] {
        for machine in Machine::all() {
            let place = Place::new();
            place.write("base", &disk(8 << 20, 3));
            place.write("other", &disk(8 << 20, 5));
            place.must(
                "qemu-img",
                &["create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "top", "8M"],
            );
            let writes = ["-c", "write -P 3 1M 10k", "-c", "write -z 2M 128k"];
            place.must("qemu-io", &[&writes[..], &["-c", "write 3000k 5k", "top"]].concat());
            create(&place, "qcow2", &[options, backing].concat(), 8 << 20);
            place.must("cp", &["image", "expected"]);
            let arguments = ["convert", "-n", "-B", "other", "-O", "qcow2", "top"];
            place.must("qemu-img", &[&arguments[..], &["expected"]].concat());
            let said = place.exuvia(machine, &[&arguments[..], &["image"]].concat());
            assert!(said.success(), "{said:?}");
            place.must("qemu-img", &["compare", "expected", "image"]);
            // Now it has data of its own.
            let before = fs::read(place.file("image")).expect("an image");
            let said = place.exuvia(machine, &[&arguments[..], &["image"]].concat());
            let expected = "qemu-img: the image that is there has data, which -B would keep and a \
                            new image would not\n";
            assert_eq!(said.stderr, expected);
            assert!(fs::read(place.file("image")).expect("an image") == before);
        }
    }
}

#[test]
fn as_ovirt_and_proxmox_call_it() {
    for machine in Machine::all() {
        let place = Place::new();
        place.write("source.raw", &disk(SIZE, 1));
        place.must(
            "qemu-img",
            &["convert", "-f", "raw", "-O", "qcow2", "-c", "source.raw", "source"],
        );
        for line in [
            "convert -p -t none -T none -f qcow2 source -O qcow2 -W -n --target-is-zero image",
            "convert -p -n -f raw -O qcow2 source.raw image",
        ] {
            create(&place, "qcow2", &["-o", "compat=1.1"], 16 << 20);
            let said = place.exuvia(machine, &line.split(' ').collect::<Vec<_>>());
            assert!(said.success() && said.stdout.contains("(100.00/100%)"), "{said:?}");
            assert_eq!(complaint(&place, "qcow2"), None, "{line}");
        }
    }
}

/// A loop device, for as long as the test takes.
struct Loop(String);

impl Loop {
    /// Nothing, and a line that says so, if this machine lets nobody have one.
    fn over(file: &Path) -> Option<Self> {
        let made = Command::new("losetup").args(["-f", "--show"]).arg(file).output();
        match made {
            Ok(said) if said.status.success() => {
                Some(Self(String::from_utf8_lossy(&said.stdout).trim().to_owned()))
            }
            Ok(said) => {
                skip("images on devices", String::from_utf8_lossy(&said.stderr).trim());
                None
            }
            Err(error) => {
                skip("images on devices", &error.to_string());
                None
            }
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

#[test]
fn on_a_device_nothing_is_left_of_what_was_there() {
    for machine in Machine::all() {
        let place = Place::new();
        place.write("source.raw", &disk(SIZE, 1));
        place.write("medium", &vec![0xff; 32 << 20]);
        let Some(device) = Loop::over(&place.file("medium")) else { return };
        std::os::unix::fs::symlink(&device.0, place.file("image")).expect("a link");
        for (format, options) in [
            ("qcow2", "cluster_size=64k"),
            ("qcow2", "cluster_size=2M"),
            ("qcow2", "extended_l2=on"),
            ("qed", "cluster_size=64k"),
            ("vdi", "static=off"),
            ("vmdk", "subformat=monolithicSparse"),
        ] {
            // A new image, one that is written into, and one that is empty.
            let device = place.file("image");
            let stain = || fs::write(&device, vec![0xff; 32 << 20]).expect("a device is written");
            let convert = |flags: &[&str]| {
                let arguments = ["-f", "raw", "-O", format, "source.raw", "image"];
                let said = place.exuvia(machine, &[&["convert"], flags, &arguments].concat());
                assert!(said.success(), "{format} {options} {flags:?}: {said:?}");
                let complaint = complaint(&place, format);
                // QED takes what is behind the image for a part of it.
                let leaks = complaint.as_ref().is_some_and(|it| it.contains("leaked clusters"));
                let is_good = complaint.is_none() || (leaks && format == "qed");
                assert!(is_good, "{format} {options} {flags:?}: {complaint:?}");
            };
            stain();
            convert(&["-o", options]);
            convert(&["-n"]);
            stain();
            let said = place.exuvia(
                machine,
                &["create", "-q", "-f", format, "-o", options, "image", &SIZE.to_string()],
            );
            assert!(said.success(), "{said:?}");
            convert(&["-n"]);
        }
    }
}
