//! What an image refers to: which files are opened, which are not, and what is
//! said about it.

use std::os::unix::fs::symlink;

use formats::qcow2::extension::DATA_FILE;
use formats::qcow2::sample::Sample;
use formats::vmdk::sample::{Hosted, Text};
use tests::watch::Watch;
use tests::{Machine, Place, skip};

/// A VMDK image with this parent.
fn with_parent(parent: &str) -> Vec<u8> {
    let descriptor = Text::new("monolithicSparse", &["RW 2048 SPARSE \"disk.vmdk\""]);
    let descriptor = Text { parent: Some(parent.into()), ..descriptor };
    Hosted { descriptor: Some(descriptor.bytes()), ..Hosted::default() }.bytes()
}

/// A VMDK image with an extent in this file.
fn with_extent(file: &str) -> Vec<u8> {
    Text::new("monolithicFlat", &[&format!("RW 2048 FLAT \"{file}\" 0")]).bytes()
}

/// A qcow2 image with its data in this file.
fn with_data(file: &str) -> Vec<u8> {
    let extensions = vec![(DATA_FILE, file.into())];
    Sample { incompatible: 4, extensions, ..Sample::default() }.bytes()
}

/// A place with a folder `images`, in which there is a base, and secrets outside
/// of it.
fn place() -> Place {
    let place = Place::new();
    for name in ["images/base.vmdk", "images/below/base.vmdk", "secret.vmdk"] {
        place.write(name, &Hosted::default().bytes());
    }
    let images = place.file("images");
    symlink("base.vmdk", images.join("inside")).unwrap();
    symlink("../secret.vmdk", images.join("outside")).unwrap();
    symlink("../missing.vmdk", images.join("nowhere")).unwrap();
    symlink("..", images.join("up")).unwrap();
    place
}

/// Names that lead out of the folder `images`, to what exists and to what does
/// not.
fn names_that_lead_out(place: &Place) -> Vec<String> {
    let absolute = |name: &str| place.file(name).to_str().unwrap().to_owned();
    let mut names = vec![absolute("secret.vmdk"), absolute("missing.vmdk")];
    names.extend(
        [
            "../secret.vmdk",
            "../missing.vmdk",
            "below/../../secret.vmdk",
            "below/../../missing.vmdk",
            "outside",
            "nowhere",
            "up/secret.vmdk",
            "up/missing.vmdk",
            "/etc/passwd",
            "/nonexistent",
            "/proc/self/fd/0",
            "/dev/null",
        ]
        .map(str::to_owned),
    );
    names
}

#[test]
fn info_opens_the_file_that_it_was_given_and_no_other() {
    for machine in Machine::all() {
        let place = place();
        place.write("images/parent.vmdk", &with_parent("base.vmdk"));
        place.write("images/extent.vmdk", &with_extent("base.vmdk"));
        let watch = Watch::files(&[&place.file("images/base.vmdk")]);
        for image in ["images/parent.vmdk", "images/extent.vmdk"] {
            let outcome = place.exuvia(machine, &["info", image]);
            assert!(outcome.success(), "{outcome:?}");
        }
        assert_eq!(watch.opened(), 0, "on {machine:?}");
        // The watch does see who opens.
        let outcome = place.exuvia(machine, &["info", "--backing-chain", "images/parent.vmdk"]);
        assert!(outcome.success(), "{outcome:?}");
        assert!(watch.opened() > 0, "on {machine:?}");
    }
}

#[test]
fn info_does_not_open_the_data_of_an_image() {
    for machine in Machine::all() {
        let place = place();
        place.write("images/data.qcow2", &with_data("base.vmdk"));
        let watch = Watch::files(&[&place.file("images/base.vmdk")]);
        let outcome = place.exuvia(machine, &["info", "--backing-chain", "images/data.qcow2"]);
        assert!(outcome.success(), "{outcome:?}");
        assert!(outcome.stdout.contains("data file: base.vmdk"), "{outcome:?}");
        assert_eq!(watch.opened(), 0, "on {machine:?}");
    }
}

#[test]
fn names_that_stay_in_the_folder_are_followed() {
    let place = place();
    let absolute = place.file("images/base.vmdk").to_str().unwrap().to_owned();
    for name in
        ["base.vmdk", "./base.vmdk", "below/base.vmdk", "below/../base.vmdk", "inside", &absolute]
    {
        place.write("images/top.vmdk", &with_parent(name));
        let arguments = ["info", "--backing-chain", "images/top.vmdk"];
        let expected = place.qemu_img(&arguments);
        assert!(expected.success(), "{expected:?}");
        for machine in Machine::all() {
            assert_eq!(place.exuvia(machine, &arguments), expected, "{name} on {machine:?}");
        }
    }
}

#[test]
fn names_that_lead_out_are_refused_in_words_that_tell_nothing() {
    let place = place();
    for machine in Machine::all() {
        let watch = Watch::files(&[&place.file("secret.vmdk")]);
        for name in names_that_lead_out(&place) {
            let shown = if name.starts_with('/') { name.clone() } else { format!("images/{name}") };
            let reason = format!("Could not open '{shown}': it is outside the folder of the image");
            for (image, expected) in [
                (with_parent(&name), format!("qemu-img: {reason}\n")),
                (
                    with_extent(&name),
                    format!("qemu-img: Could not open 'images/top.vmdk': {reason}\n"),
                ),
            ] {
                place.write("images/top.vmdk", &image);
                let outcome =
                    place.exuvia(machine, &["info", "--backing-chain", "images/top.vmdk"]);
                assert_eq!(outcome.stderr, expected, "{name} on {machine:?}");
                assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
            }
        }
        assert_eq!(watch.opened(), 0, "on {machine:?}");
    }
}

#[test]
fn protocols_are_refused() {
    let place = place();
    for name in ["nbd://127.0.0.1:1/x", "json:{}", "file:base.vmdk", "http://localhost/x", "fat:."]
    {
        place.write("images/top.vmdk", &with_parent(name));
        for machine in Machine::all() {
            let outcome = place.exuvia(machine, &["info", "--backing-chain", "images/top.vmdk"]);
            let expected = format!(
                "qemu-img: Could not open '{name}': references with a protocol are not followed\n"
            );
            assert_eq!((outcome.code, outcome.stderr), (Some(1), expected), "on {machine:?}");
        }
    }
}

#[test]
fn a_circle_is_found() {
    let place = place();
    place.write("images/a.vmdk", &with_parent("b.vmdk"));
    place.write("images/b.vmdk", &with_parent("below/../a.vmdk"));
    for machine in Machine::all() {
        let outcome = place.exuvia(machine, &["info", "--backing-chain", "images/a.vmdk"]);
        let expected =
            "qemu-img: Backing file 'images/below/../a.vmdk' creates an infinite loop.\n";
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), expected));
    }
}

#[test]
fn chains_have_a_length_that_is_allowed_and_one_that_is_not() {
    for machine in Machine::all() {
        if machine == Machine::Tcg {
            skip("chains of 64 images on the machine tcg", "it has room for 23");
            continue;
        }
        let place = Place::new();
        place.write("0.vmdk", &Hosted::default().bytes());
        for layer in 1..65 {
            place.write(&format!("{layer}.vmdk"), &with_parent(&format!("{}.vmdk", layer - 1)));
        }
        let arguments = ["info", "--backing-chain", "63.vmdk"];
        assert_eq!(place.exuvia(machine, &arguments), place.qemu_img(&arguments));
        let outcome = place.exuvia(machine, &["info", "--backing-chain", "64.vmdk"]);
        assert_eq!(outcome.code, Some(1));
        assert!(
            outcome.stderr.ends_with("the backing chain has more than 64 images\n"),
            "{outcome:?}"
        );
    }
}
