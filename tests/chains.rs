//! Images on top of each other, on every machine, against qemu-img: what is on the disk,
//! how it is stored, and copies that leave out what is underneath.

use std::fs;

use tests::{Machine, Place, Random};

/// The formats that can have something underneath, with options.
const OVERLAYS: [&str; 5] =
    ["-f qcow2", "-f qcow2 -o compat=0.10", "-f qcow2 -o extended_l2=on", "-f qed", "-f qcow"];

/// The formats of what is at the bottom.
const BASES: [&str; 7] = ["raw", "vpc", "vdi", "vhdx", "parallels", "qcow2", "vmdk"];

/// Writes here and there to an image with so many sectors.
fn write(random: &mut Random, place: &Place, format: &str, image: &str, sectors: u64) {
    let mut arguments = vec!["-f".to_owned(), format.to_owned()];
    for _ in 0..6 {
        let start = random.below(sectors - 1);
        let length = 1 + random.below((sectors - start).min(300));
        let (start, length) = (start * 512, length * 512);
        arguments.push("-c".to_owned());
        arguments.push(match random.below(4) {
            0 if format != "qcow" => format!("write -z {start} {length}"),
            _ => format!("write -P {} {start} {length}", 1 + random.below(255)),
        });
    }
    arguments.push(image.to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    place.must("qemu-io", &arguments);
}

/// A chain of images, `0` at the bottom, with so many on top. Returns the format of the
/// last.
fn chain(place: &Place, random: &mut Random, base: &str, depth: u64) -> &'static str {
    // Images underneath may be shorter and longer than those on top.
    let sizes = [2048, 3000, 1500, 4096];
    let mut sectors = sizes[usize::try_from(random.below(4)).unwrap()];
    let size = |sectors: u64| (sectors * 512).to_string();
    let force = if base == "vpc" { &["-o", "force_size=on"][..] } else { &[] };
    let bottom = size(sectors);
    let create = [&["create", "-q", "-f", base][..], force, &["0", &bottom]].concat();
    place.must("qemu-img", &create);
    write(random, place, base, "0", sectors);
    let mut below = base;
    let mut top = "";
    for number in 1..=depth {
        let overlay = OVERLAYS[usize::try_from(random.below(5)).unwrap()];
        top = overlay.split(' ').nth(1).unwrap();
        if base == "vmdk" && number == 1 {
            top = "vmdk";
        }
        let made = if top == "vmdk" { "-f vmdk" } else { overlay };
        if top != "vmdk" {
            sectors = sizes[usize::try_from(random.below(4)).unwrap()];
        }
        let (image, backing) = (number.to_string(), (number - 1).to_string());
        let mut arguments = vec!["create", "-q"];
        arguments.extend(made.split(' '));
        let size = size(sectors);
        arguments.extend(["-b", &backing, "-F", below, &image, &size]);
        place.must("qemu-img", &arguments);
        write(random, place, top, &image, sectors);
        below = top;
    }
    top
}

#[test]
fn the_disk_on_top_of_a_chain_is_what_qemu_img_says() {
    for (seed, base) in (1..).zip(BASES) {
        for depth in 1..=6 {
            let place = Place::new();
            let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 8) ^ depth);
            chain(&place, &mut random, base, depth);
            let top = depth.to_string();
            place.must("qemu-img", &["convert", "-O", "raw", &top, "expected.raw"]);
            let expected = fs::read(place.file("expected.raw")).unwrap();
            for machine in Machine::all() {
                let what = format!("{base} under {depth} on {machine:?}");
                let outcome = place.exuvia(machine, &["convert", "-O", "raw", &top, "out.raw"]);
                assert!(outcome.success(), "{what}: {outcome:?}");
                assert!(fs::read(place.file("out.raw")).unwrap() == expected, "{what}");
                for other in ["expected.raw", &(depth - 1).to_string()] {
                    let compare = ["compare", other, &top];
                    assert_eq!(place.exuvia(machine, &compare), place.qemu_img(&compare), "{what}");
                }
                let map = ["map", "--output=json", &top];
                let (outcome, wanted) = (place.exuvia(machine, &map), place.qemu_img(&map));
                assert_eq!(data_of(&outcome.stdout), data_of(&wanted.stdout), "{what}");
            }
        }
    }
}

/// Where a map has data and at which depth, in sectors.
fn data_of(map: &str) -> Vec<(u64, bool)> {
    let number = |line: &str, name: &str| -> u64 {
        let rest = line.split(name).nth(1).unwrap_or_default();
        let digits = rest.split([',', '}']).next().unwrap_or_default();
        digits.trim().parse().unwrap()
    };
    let mut sectors = Vec::new();
    for line in map.lines().filter(|line| line.contains("\"start\":")) {
        let content = (number(line, "\"depth\":"), line.contains("\"zero\": true"));
        let count = number(line, "\"length\":").div_ceil(512);
        sectors.extend(std::iter::repeat_n(content, usize::try_from(count).unwrap()));
    }
    sectors
}

#[test]
fn data_in_a_file_of_its_own_is_read_at_every_depth() {
    let place = Place::new();
    let mut random = Random(77);
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "-o", "data_file=0.data", "0", "1M"]);
    write(&mut random, &place, "qcow2", "0", 2048);
    let create =
        ["create", "-q", "-f", "qcow2", "-o", "data_file=1.data", "-b", "0", "-F", "qcow2"];
    place.must("qemu-img", &[&create[..], &["1", "1500K"]].concat());
    write(&mut random, &place, "qcow2", "1", 3000);
    place.must("qemu-img", &["convert", "-O", "raw", "1", "expected.raw"]);
    for machine in Machine::all() {
        let outcome = place.exuvia(machine, &["convert", "-O", "raw", "1", "out.raw"]);
        assert!(outcome.success(), "{outcome:?}");
        let read = |name| fs::read(place.file(name)).unwrap();
        assert!(read("out.raw") == read("expected.raw"), "on {machine:?}");
    }
}

/// Ways of making an image on top of another.
const TARGETS: [&[&str]; 7] = [
    &["-O", "qcow2"],
    &["-O", "qcow2", "-o", "compat=0.10"],
    &["-O", "qcow2", "-o", "extended_l2=on"],
    &["-O", "qcow2", "-o", "cluster_size=4k", "-S", "0"],
    &["-O", "qcow2", "-c"],
    &["-O", "qed"],
    &["-O", "qcow"],
];

#[test]
fn a_copy_on_top_of_another_image_has_the_disk_that_qemu_img_makes() {
    for (seed, target) in (1..).zip(TARGETS) {
        for depth in 1..=2 {
            let place = Place::new();
            let mut random = Random(0x1234_5678_9abc_def1 ^ (seed << 8) ^ depth);
            let source = chain(&place, &mut random, "raw", depth);
            let top = depth.to_string();
            // The image that it is put on has something else on it. If it were longer,
            // qemu-img would let it show where the source has zeros.
            let below = (depth - 1).to_string();
            place.must("qemu-img", &["convert", "-O", "qcow2", &below, "base"]);
            write(&mut random, &place, "qcow2", "base", 1500);
            let backing = ["-f", source, "-B", "base", "-F", "qcow2", &top];
            let arguments = [&["convert"][..], target, &backing].concat();
            place.must("qemu-img", &[&arguments[..], &["expected"]].concat());
            for machine in Machine::all() {
                let what = format!("{target:?} {depth} on {machine:?}");
                let outcome = place.exuvia(machine, &[&arguments[..], &["out"]].concat());
                assert!(outcome.success(), "{what}: {outcome:?}");
                let compared = place.qemu_img(&["compare", "expected", "out"]);
                assert!(compared.success(), "{what}: {compared:?}");
                let format = target[1];
                if format != "qcow" {
                    let checked = place.qemu_img(&["check", "-f", format, "out"]);
                    assert!(checked.success(), "{what}: {checked:?}");
                }
                // What is underneath was not copied.
                let length = |name| fs::metadata(place.file(name)).unwrap().len();
                let (made, wanted) = (length("out"), length("expected"));
                assert!(made <= wanted + (128 << 10), "{what}: {made}, not {wanted}");
                let info = place.qemu_img(&["info", "out"]).stdout;
                assert!(info.contains("backing file: base"), "{what}: {info}");
                fs::remove_file(place.file("out")).unwrap();
            }
        }
    }
}

#[test]
fn a_vmdk_on_top_of_another_has_the_disk_that_qemu_img_makes() {
    for options in [
        "subformat=monolithicSparse",
        "zeroed_grain=on",
        "subformat=monolithicSparse,zeroed_grain=off",
    ] {
        let place = Place::new();
        let mut random = Random(4711);
        place.must("qemu-img", &["create", "-q", "-f", "vmdk", "base.vmdk", "1M"]);
        write(&mut random, &place, "vmdk", "base.vmdk", 2048);
        let create = ["create", "-q", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", "top.vmdk"];
        place.must("qemu-img", &create);
        write(&mut random, &place, "vmdk", "top.vmdk", 2048);
        let arguments = ["convert", "-O", "vmdk", "-o", options, "-B", "base.vmdk", "-F", "vmdk"];
        let copy = |target: &'static str| [&arguments[..], &["top.vmdk", target]].concat();
        place.must("qemu-img", &copy("expected.vmdk"));
        for machine in Machine::all() {
            let outcome = place.exuvia(machine, &copy("out.vmdk"));
            assert!(outcome.success(), "{options} on {machine:?}: {outcome:?}");
            let compared = place.qemu_img(&["compare", "expected.vmdk", "out.vmdk"]);
            assert!(compared.success(), "{options} on {machine:?}: {compared:?}");
        }
    }
}

#[test]
fn only_the_top_is_copied_into_an_image_that_is_there() {
    let place = Place::new();
    let mut random = Random(99);
    chain(&place, &mut random, "raw", 2);
    let size = fs::metadata(place.file("0")).unwrap().len().max(3 << 20);
    let there: Vec<u8> = (0..size).map(|it| it.to_le_bytes()[1] | 1).collect();
    let arguments = ["convert", "-n", "-O", "raw", "-B", "1", "2"];
    place.write("expected.raw", &there);
    place.must("qemu-img", &[&arguments[..], &["expected.raw"]].concat());
    for machine in Machine::all() {
        place.write("out.raw", &there);
        let outcome = place.exuvia(machine, &[&arguments[..], &["out.raw"]].concat());
        assert!(outcome.success(), "{outcome:?}");
        let read = |name| fs::read(place.file(name)).unwrap();
        assert!(read("out.raw") == read("expected.raw"), "on {machine:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_qemu_imgs_words() {
    let place = Place::new();
    place.write("base.raw", &[5; 1 << 20]);
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top"]);
    place.write("there.raw", &[0; 1 << 20]);
    let cases: [&[&str]; 20] = [
        &["-O", "qcow2", "-B", "base.raw", "top", "out"],
        &["-O", "qcow2", "-F", "raw", "top", "out"],
        &["-O", "qcow2", "-o", "backing_fmt=raw", "top", "out"],
        &["-O", "qcow2", "-o", "backing_file=base.raw", "top", "out"],
        &["-B", "base.raw", "-F", "raw", "top", "out"],
        &["-F", "raw", "top", "out"],
        &["-O", "vdi", "-B", "base.raw", "-F", "raw", "top", "out"],
        &["-O", "vpc", "-B", "base.raw", "-F", "raw", "top", "out"],
        &["-O", "vmdk", "-B", "base.raw", "-F", "raw", "top", "out"],
        &["-O", "qcow", "-B", "base.raw", "top", "out"],
        &["-O", "qcow", "-B", "base.raw", "-F", "foo", "top", "out"],
        &["-O", "qed", "-B", "base.raw", "-F", "foo", "top", "out"],
        &["-O", "qcow2", "-B", "base.raw", "-F", "foo", "top", "out"],
        &["-O", "qcow2", "-B", "missing", "-F", "raw", "top", "out"],
        &["-O", "qcow2", "-B", "base.raw", "-F", "qcow2", "top", "out"],
        &["-O", "qcow2", "-B", "base.raw", "-F", "raw", "top", "top", "out"],
        &["-O", "qcow2", "-B", "base.raw", "top", "top", "out"],
        &["-n", "--target-is-zero", "-B", "base.raw", "top", "there.raw"],
        &["-n", "-B", "base.raw", "top", "top", "there.raw"],
        &["-O", "qcow2", "top", "top"],
    ];
    for arguments in cases {
        let arguments = [&["convert"], arguments].concat();
        let expected = place.qemu_img(&arguments);
        let _ = fs::remove_file(place.file("out"));
        for machine in Machine::all() {
            let outcome = place.exuvia(machine, &arguments);
            assert_eq!(outcome.stderr, expected.stderr, "{arguments:?} on {machine:?}");
            assert!(!outcome.success() && !place.file("out").exists(), "{arguments:?}");
        }
    }
}

#[test]
fn what_is_read_is_not_overwritten() {
    let place = Place::new();
    let bytes = vec![5; 1 << 20];
    for machine in Machine::all() {
        place.write("base.raw", &bytes);
        place.must("qemu-img", &["create", "-q", "-f", "qcow2", "top", "1M"]);
        let backing = ["convert", "-O", "qcow2", "-B", "base.raw", "-F", "raw", "top", "base.raw"];
        for arguments in [&["convert", "-O", "raw", "base.raw", "base.raw"][..], &backing] {
            let outcome = place.exuvia(machine, arguments);
            assert!(outcome.stderr.contains("Failed to get \"write\" lock"), "{outcome:?}");
            assert!(fs::read(place.file("base.raw")).unwrap() == bytes, "{arguments:?}");
        }
    }
}
