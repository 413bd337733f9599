//! `copy`, on every machine: the bytes of files.

use tests::{Machine, Place};

/// A file that looks like an image and does not end with a sector.
fn place() -> (Place, Vec<u8>) {
    let place = Place::new();
    let mut bytes: Vec<u8> = (0..=250).cycle().take(2_000_001).collect();
    bytes[..4].copy_from_slice(b"QFI\xfb");
    bytes[500_000..900_000].fill(0);
    place.write("a", &bytes);
    (place, bytes)
}

#[test]
fn bytes_are_copied_as_they_are() {
    let (place, bytes) = place();
    for machine in Machine::all() {
        for (arguments, range) in [
            (&[][..], 0..2_000_001),
            (&["--start", "999"], 999..2_000_001),
            (&["--start", "1k", "--length", "77777"], 1024..78_801),
            (&["--length=0"], 0..0),
            (&["--start", "2000000"], 2_000_000..2_000_001),
            (&["--start", "2000001"], 0..0),
            (&["--length", "1G", "-t", "writeback"], 0..2_000_001),
        ] {
            for verify in [&[][..], &["--verify"]] {
                let arguments = [&["copy"], arguments, verify, &["a", "b"]].concat();
                let said = place.exuvia(machine, &arguments);
                assert!(said.success(), "{arguments:?}: {said:?}");
                assert_eq!(said.stdout, "");
                let copy = std::fs::read(place.file("b")).unwrap();
                assert!(copy == bytes[range.clone()], "{arguments:?} on {machine:?}");
            }
            std::fs::remove_file(place.file("b")).unwrap();
        }
    }
}

#[test]
fn progress_is_that_of_qemu_img() {
    let (place, _) = place();
    for machine in Machine::all() {
        let said = place.exuvia(machine, &["copy", "-p", "a", "b"]);
        assert!(said.stdout.starts_with("    (0.00/100%)\r"), "{said:?}");
        assert!(said.stdout.ends_with("    (100.00/100%)\r\n"), "{said:?}");
    }
}

#[test]
fn what_cannot_be_copied_leaves_nothing() {
    let (place, bytes) = place();
    for machine in Machine::all() {
        for (arguments, expected) in [
            (&["a"][..], "Expecting two file names\nTry 'qemu-img copy --help' for more info"),
            (&["--start=x", "a", "b"], "Invalid start specified: 'x'."),
            (&["--start", "2000002", "a", "b"], "a: the file ends in front of byte 2000002"),
            (&["x", "b"], "Could not open 'x': Could not open 'x': No such file or directory"),
            (&["a", "a"], "a: error while creating output image: it is the file that is read"),
        ] {
            let said = place.exuvia(machine, &[&["copy"], arguments].concat());
            let expected = format!("qemu-img: {expected}\n");
            assert_eq!((said.code, said.stderr), (Some(1), expected), "{arguments:?}");
            assert!(!place.file("b").exists());
        }
    }
    assert!(std::fs::read(place.file("a")).unwrap() == bytes);
}
