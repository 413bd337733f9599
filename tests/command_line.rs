//! Arguments, errors and exit codes, against qemu-img's.

use tests::{Machine, Place, tool};

/// Command lines that fail before an image is opened, in qemu-img's words.
const COMPLAINTS: &[&[&str]] = &[
    &[],
    &["foo"],
    &["--foo"],
    &["-x", "info"],
    &["info"],
    &["info", "a", "b"],
    &["info", "--zz"],
    &["info", "-f"],
    &["info", "-Uf"],
    &["info", "--format"],
    &["info", "--output"],
    &["info", "--output=xx", "a"],
    &["info", "-xU", "a"],
    &["info", "--force-share=1", "a"],
    &["info", "--image-opts", "-f", "qcow2", "a"],
    &["info", "--object", "foo,id=a", "a"],
    &["info", "--object", "secret,id=a", "a"],
    &["info", "--object", "secret,data=x", "a"],
    &["info", "--object", "secret,id=a,data=x,zz=1", "a"],
    &["info", "nonexistent"],
    &["info", ""],
    &["info", "foo:bar"],
    &["info", "-f", "foo", "a"],
    &["info", "--image-opts", "driver=foo,file.filename=a"],
    &["info", "--image-opts", "driver=qcow2"],
    &["info", "--image-opts", "filename=a"],
    &["info", "--image-opts", "file.filename=nonexistent"],
    &["info", "--image-opts", "driver=qcow2,file.filename=a,file.zz=1"],
    &["info", "."],
    &["info", "--backing-chain", "nonexistent"],
    // Claims that are not true. (The file named `a` holds zeros.)
    &["info", "-f", "qcow2", "a"],
    &["info", "-f", "qcow", "a"],
    &["info", "-f", "qed", "a"],
    &["info", "-f", "vmdk", "a"],
    &["info", "-f", "vpc", "a"],
    &["info", "-f", "vhdx", "a"],
    &["info", "-f", "vdi", "a"],
    &["info", "-f", "parallels", "a"],
    &["info", "-f", "luks", "a"],
    &["info", "-f", "dmg", "a"],
    &["info", "-f", "bochs", "a"],
    &["info", "-f", "cloop", "a"],
    &["info", "-f", "qcow2", "a.vmdk"],
    &["info", "-f", "vhdx", "a.vmdk"],
    &["info", "-f", "vmdk", "empty"],
    &["info", "-f", "qcow2", "empty"],
    &["info", "-f", "vdi", "empty"],
    &["info", "-f", "vpc", "empty"],
    &["info", "--image-opts", "driver=qcow2,file.filename=a"],
    &["info", "--image-opts", "driver=raw,file.filename=a,offset=1000"],
    &["info", "--image-opts", "driver=raw,file.filename=a,size=1000"],
];

#[test]
fn complaints_are_qemu_imgs() {
    let place = Place::new();
    place.write("a", &[0; 512]);
    place.write("empty", &[]);
    place.must("qemu-img", &["create", "-q", "-f", "vmdk", "a.vmdk", "10M"]);
    for arguments in COMPLAINTS {
        let expected = place.qemu_img(arguments);
        assert_eq!(expected.code, Some(1), "{arguments:?} is no complaint: {expected:?}");
        for machine in Machine::all() {
            assert_eq!(place.exuvia(machine, arguments), expected, "{arguments:?}");
        }
    }
}

/// Command lines that succeed, besides the plain ones.
const OPTIONS: &[&[&str]] = &[
    &["info", "-f", "raw", "a.vmdk"],
    &["info", "--format=raw", "--output=json", "a.vmdk"],
    &["info", "--form", "raw", "a"],
    &["info", "-b", "--out", "json", "a"],
    &["info", "-Ubf", "raw", "a"],
    &["info", "-fraw", "a"],
    &["info", "-f", "raw", "-f", "vmdk", "a.vmdk"],
    &["info", "a", "-U"],
    &["info", "--output", "human", "a"],
    &["info", "file:a"],
    &["info", "/dev/null"],
    &["info", "--output=json", "/dev/null"],
    &["info", "./a"],
    &["info", "--", "a"],
    &["info", "--object", "secret,id=s,data=x", "a"],
    &["info", "--image-opts", "driver=vmdk,file.filename=a.vmdk"],
    &["info", "--image-opts", "driver=raw,file.driver=file,file.filename=a"],
    &["info", "--image-opts", "driver=raw,file.filename=a,offset=512"],
    &["info", "--image-opts", "driver=raw,file.filename=a.vmdk,offset=1k,size=4K"],
    &["info", "--image-opts", "--output=json", "driver=raw,file.filename=a.vmdk,size=4K"],
    &["info", "--image-opts", "file.filename=a"],
];

#[test]
fn options_are_qemu_imgs() {
    let place = Place::new();
    place.write("a", &[0; 1024]);
    place.must("qemu-img", &["create", "-q", "-f", "vmdk", "a.vmdk", "10M"]);
    for arguments in OPTIONS {
        let expected = place.qemu_img(arguments);
        assert_eq!(expected.code, Some(0), "{arguments:?} is no success: {expected:?}");
        for machine in Machine::all() {
            assert_eq!(place.exuvia(machine, arguments), expected, "{arguments:?}");
        }
    }
}

/// qemu-img waits for somebody to write to the pipe, so there is nothing to compare
/// with.
#[test]
fn a_pipe_is_no_image() {
    let place = Place::new();
    place.must("mkfifo", &["pipe"]);
    for machine in Machine::all() {
        let outcome = place.exuvia(machine, &["info", "pipe"]);
        let expected = "qemu-img: Could not open 'pipe': 'file' driver requires 'pipe' to be a \
                        regular file\n";
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), expected));
    }
}

/// Callers limit what qemu-img may use, since images have made it use too much.
#[test]
fn little_address_space_and_time_are_enough() {
    let place = Place::new();
    place.write("a", &[0; 1024]);
    let exuvia = tool::exuvia().to_str().unwrap();
    let limits = ["--as=1073741824", "--cpu=30", exuvia, "info", "a", "--backend"];
    for machine in Machine::all() {
        let text = place.must("prlimit", &[&limits[..], &[machine.name()]].concat());
        assert!(text.contains("file format: raw"), "{text}");
    }
}

#[test]
fn help_has_examples_and_every_option() {
    let place = Place::new();
    for (arguments, words) in [
        (&["--help"][..], &["info", "Examples:", "--version"][..]),
        (
            &["info", "--help"],
            &[
                "Examples:",
                "--format",
                "--image-opts",
                "--force-share",
                "--backing-chain",
                "--output",
                "--object",
                "--backend",
                "Exit code",
            ],
        ),
        (&["info", "-h"], &["--format"]),
    ] {
        let outcome = place.exuvia(Machine::Tcg, arguments);
        assert!(outcome.success(), "{outcome:?}");
        for word in words {
            assert!(outcome.stdout.contains(word), "{arguments:?} lacks {word}");
        }
    }
}

#[test]
fn nothing_is_left_behind() {
    let place = Place::new();
    place.write("a", &[0; 1024]);
    for machine in Machine::all() {
        let temporary = Place::new();
        let folder = temporary.path().to_str().unwrap();
        for arguments in [&["info", "a"][..], &["info", "-f", "qcow2", "a"]] {
            let _ = place.exuvia_with(machine, arguments, &[("TMPDIR", folder)]);
        }
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
