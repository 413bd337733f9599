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
    symlink("outside", images.join("outside-twice")).unwrap();
    symlink("nowhere", images.join("nowhere-twice")).unwrap();
    for (target, link) in [
        ("images/base.vmdk", "absolute-inside"),
        ("secret.vmdk", "absolute-outside"),
        ("missing.vmdk", "absolute-nowhere"),
    ] {
        symlink(place.file(target), images.join(link)).unwrap();
    }
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
            "outside-twice",
            "nowhere-twice",
            "absolute-outside",
            "absolute-nowhere",
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
    for name in [
        "base.vmdk",
        "./base.vmdk",
        "below/base.vmdk",
        "below/../base.vmdk",
        "../images/base.vmdk",
        "up/images/base.vmdk",
        "inside",
        "absolute-inside",
        &absolute,
    ] {
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

/// Command lines that follow what an image refers to, and their exit codes if they may not.
fn verbs(image: &str) -> [(Vec<&str>, i32); 3] {
    [
        (vec!["convert", "-O", "raw", image, "out.raw"], 1),
        (vec!["map", image], 1),
        (vec!["compare", image, image], 2),
    ]
}

#[test]
fn no_verb_follows_names_that_lead_out() {
    let place = place();
    for machine in Machine::all() {
        let watch = Watch::files(&[&place.file("secret.vmdk")]);
        for name in names_that_lead_out(&place) {
            let shown = if name.starts_with('/') { name.clone() } else { format!("images/{name}") };
            let reason = format!("Could not open '{shown}': it is outside the folder of the image");
            for (image, underneath) in
                [(with_parent(&name), "Could not open backing file: "), (with_data(&name), "")]
            {
                place.write("images/top", &image);
                let expected =
                    format!("qemu-img: Could not open 'images/top': {underneath}{reason}\n");
                for (arguments, code) in verbs("images/top") {
                    let outcome = place.exuvia(machine, &arguments);
                    let what = format!("{name} {arguments:?} on {machine:?}");
                    assert_eq!(outcome.stderr, expected, "{what}");
                    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{what}");
                    assert!(!place.file("out.raw").exists(), "{what}");
                }
            }
        }
        assert_eq!(watch.opened(), 0, "on {machine:?}");
    }
}

/// A place with an image on top of one in another folder, by a relative name.
fn two_folders() -> Place {
    let place = Place::new();
    place.write("others/base.raw", &[7; 4096]);
    place.write("top/empty", b"");
    let create = ["create", "-q", "-f", "qcow2", "-b", "../others/base.raw", "-F", "raw"];
    place.must("qemu-img", &[&create[..], &["top/a.qcow2"]].concat());
    place
}

#[test]
fn the_user_says_where_references_may_lead() {
    let place = two_folders();
    let others = place.file("others").to_str().unwrap().to_owned();
    let several = format!("top:{others}");
    let refused = |why: &str| {
        format!(
            "qemu-img: Could not open 'top/a.qcow2': Could not open backing file: Could not open \
             'top/../others/base.raw': {why}\n"
        )
    };
    let outside = refused("it is outside the folder of the image");
    let denied = refused("references are not followed");
    let allow = "--allow-references";
    let cases: [(&[&str], Option<&str>, &str); 13] = [
        (&[], None, &outside),
        (&[allow, "others"], None, ""),
        (&[allow, &others], None, ""),
        (&[allow, "."], None, ""),
        (&[allow, "top"], None, &outside),
        (&[allow, "top", allow, "others"], None, ""),
        (&[], Some("others"), ""),
        (&[], Some(&several), ""),
        (&[], Some("deny"), &denied),
        (&[], Some(""), &outside),
        (&["--deny-references"], Some("others"), &denied),
        (&[allow, "others"], Some("deny"), ""),
        (&[allow, "top"], Some("others"), &outside),
    ];
    for machine in Machine::all() {
        for (flags, variable, expected) in cases {
            let environment: Vec<_> =
                variable.map(|it| ("EXUVIA_REFERENCES", it)).into_iter().collect();
            for (arguments, _) in verbs("top/a.qcow2") {
                let arguments = [&arguments[..], flags].concat();
                let outcome = place.exuvia_with(machine, &arguments, &environment);
                let what = format!("{arguments:?} {variable:?} on {machine:?}");
                assert_eq!(outcome.stderr, expected, "{what}");
                assert_eq!(outcome.success(), expected.is_empty(), "{what}");
            }
        }
        let arguments = ["info", "--backing-chain", "top/a.qcow2"];
        let outcome = place.exuvia(machine, &[&arguments[..], &[allow, "others"]].concat());
        assert_eq!(outcome, place.qemu_img(&arguments), "on {machine:?}");
        // What is not followed needs no permission.
        let outcome = place.exuvia(machine, &["info", "--deny-references", "top/a.qcow2"]);
        assert_eq!(outcome, place.qemu_img(&["info", "top/a.qcow2"]), "on {machine:?}");
    }
    let machine = Machine::all()[0];
    let outcome = place.exuvia(machine, &["map", allow, "nix", "top/a.qcow2"]);
    assert!(outcome.stderr.contains("No such file or directory"), "{outcome:?}");
    let flags = [allow, "top", "--deny-references"];
    let outcome = place.exuvia(machine, &[&["map", "top/a.qcow2"][..], &flags].concat());
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
}

/// Makes images, each on top of the next one, and the last on top of what is said.
fn chain(place: &Place, images: &[&str], last: &str) {
    let below = images.iter().skip(1).chain([&last]);
    for (image, below) in images.iter().zip(below) {
        place.must("qemu-img", &["create", "-q", "-f", "qcow2", image, "1M"]);
        place.must("qemu-img", &["rebase", "-u", "-F", "qcow2", "-b", below, image]);
    }
}

#[test]
fn every_verb_finds_circles() {
    for images in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
        let place = Place::new();
        chain(&place, images, "a");
        for machine in Machine::all() {
            let underneath = "Could not open backing file: ".repeat(images.len());
            let circle = "Backing file 'a' creates an infinite loop.";
            let expected = format!("qemu-img: Could not open 'a': {underneath}{circle}\n");
            for (arguments, code) in verbs("a") {
                let outcome = place.exuvia(machine, &arguments);
                let said = (outcome.code, outcome.stderr);
                assert_eq!(said, (Some(code), expected.clone()), "{arguments:?} on {machine:?}");
            }
        }
    }
}

#[test]
fn what_is_missing_is_told_as_by_qemu_img() {
    for images in [&["a"][..], &["a", "b"], &["a", "b", "c"]] {
        for last in ["missing", "below", "damaged", "other", "cut"] {
            let place = Place::new();
            place.write("below/empty", b"");
            place.write("damaged", b"QFI\xfb\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
            place.write("other", &[1; 4096]);
            place.write("cut", b"QFI\xfb\0\0\0\x03");
            chain(&place, images, last);
            for machine in Machine::all() {
                for (arguments, _) in verbs("a") {
                    let expected = place.qemu_img(&arguments);
                    assert!(!expected.success());
                    let outcome = place.exuvia(machine, &arguments);
                    assert_eq!(outcome, expected, "{arguments:?} on {machine:?}");
                }
            }
        }
    }
}

#[test]
fn a_chain_has_room_on_every_machine_or_it_is_said() {
    let names: Vec<String> = (0..65).rev().map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let place = Place::new();
    chain(&place, &names[..64], "0");
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "0", "1M"]);
    place.must("qemu-io", &["-c", "write -P 9 0 1M", "0"]);
    for machine in Machine::all() {
        let map = |image: &str| place.exuvia(machine, &["map", "--output=json", image]);
        let (most, complaint) = match machine {
            Machine::Kvm => (64, "the backing chain has more than 64 images"),
            Machine::Tcg => (23, "QEMU's machine takes no more than 23 files"),
        };
        for length in [most - 1, most] {
            let image = (length - 1).to_string();
            assert_eq!(map(&image), place.qemu_img(&["map", "--output=json", &image]));
        }
        let outcome = map(&most.to_string());
        assert!(outcome.stderr.ends_with(&format!("{complaint}\n")), "{outcome:?}");
        assert_eq!((outcome.code, outcome.stderr.lines().count()), (Some(1), 1));
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
