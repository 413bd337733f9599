//! `dd`, on every machine, against qemu-img's.

use tests::{Machine, Place};

/// A place with a disk, raw and in other formats.
fn place() -> Place {
    let place = Place::new();
    let mut disk = vec![0; 3 << 20];
    for (number, piece) in disk.chunks_mut(70_000).enumerate().filter(|(it, _)| it % 3 == 0) {
        let first = u8::try_from(number).unwrap();
        piece.iter_mut().zip((1..=251).cycle()).for_each(|(byte, it): (_, u8)| {
            *byte = it.wrapping_add(first);
        });
    }
    place.write("a.raw", &disk);
    for format in ["qcow2", "vmdk"] {
        let name = format!("a.{format}");
        place.must("qemu-img", &["convert", "-O", format, "a.raw", &name]);
    }
    place.must("qemu-img", &["convert", "-c", "-O", "qcow2", "a.raw", "compressed.qcow2"]);
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "top"]);
    place.must("qemu-io", &["-c", "write -P 3 1M 100k", "top"]);
    place
}

/// Which part is copied.
const PARTS: &[&[&str]] = &[
    &[],
    &["bs=1M"],
    &["bs=100", "count=1"],
    &["bs=100", "skip=7"],
    &["bs=1000", "skip=3", "count=2000"],
    &["bs=7777", "skip=100"],
    &["count=3", "bs=1M", "skip=1"],
    &["count=2", "skip=3"],
    &["count=2", "skip=2"],
    &["bs=1M", "skip=3"],
    &["bs=1M", "skip=4"],
    &["bs=1M", "skip=9223372036854775807"],
    &["count=9223372036854775807"],
    &["count=0"],
    &["skip=0x10"],
    &["skip=010"],
    &["bs=64k", "skip=1", "-O", "qcow2"],
    &["bs=1k", "skip=33", "-O", "vmdk"],
    &["bs=333", "count=1000", "-O", "vpc"],
    &["bs=1M", "skip=2", "-O", "vdi"],
];

#[test]
fn parts_are_qemu_imgs() {
    let place = place();
    for (index, machine) in Machine::all().into_iter().enumerate() {
        for source in ["a.raw", "a.qcow2", "a.vmdk", "compressed.qcow2", "top"] {
            if index > 0 && source != "top" {
                continue;
            }
            for part in PARTS {
                let source = format!("if={source}");
                let command = |target| [&["dd", &source, target], *part].concat();
                let expected = place.qemu_img(&command("of=theirs"));
                let said = place.exuvia(machine, &command("of=ours"));
                assert_eq!(said, expected, "{source} {part:?} on {machine:?}");
                let format = part.iter().skip_while(|it| **it != "-O").nth(1).unwrap_or(&"raw");
                let same =
                    place.qemu_img(&["compare", "-f", format, "-F", format, "ours", "theirs"]);
                assert_eq!(same.stdout, "Images are identical.\n", "{source} {part:?}");
            }
        }
    }
}

/// Command lines that fail, in qemu-img's words.
const COMPLAINTS: &[&[&str]] = &[
    &["foo", "if=a.raw", "of=x"],
    &["foo=1"],
    &["bs=0"],
    &["bs=3G"],
    &["bs=-1"],
    &["bs=abc"],
    &["bs="],
    &["count=-1"],
    &["count=1k"],
    &["skip=18446744073709551616"],
    &["-f"],
    &["--foo"],
    &["if=nonexistent", "of=x"],
    &["if=a.raw", "of=x", "-O", "foo"],
    &["if=a.raw", "of=x", "-O", "bochs"],
    &["if=a.raw", "of=x", "-f", "qcow2"],
    &["if=a.raw", "of=nonexistent/x"],
    &["if=a.raw", "of=a.raw/x"],
    &["if=a.raw", "of="],
    &["if=a.raw", "of=."],
    &["-f", "raw", "--image-opts", "if=driver=raw,file.filename=a.raw", "of=x"],
];

#[test]
fn complaints_are_qemu_imgs() {
    let place = place();
    for arguments in COMPLAINTS {
        let arguments = [&["dd"], *arguments].concat();
        let expected = place.qemu_img(&arguments);
        assert_eq!(expected.code, Some(1), "{arguments:?} is no complaint: {expected:?}");
        for machine in Machine::all() {
            assert_eq!(place.exuvia(machine, &arguments), expected, "{arguments:?}");
        }
    }
}

#[test]
fn what_qemu_img_does_not_know_is_what_the_words_say() {
    let place = place();
    let disk = std::fs::read(place.file("a.raw")).unwrap();
    for machine in Machine::all() {
        for (operands, front, part, length) in [
            (&["bs=100", "seek=7", "count=5"][..], 700, 0..500, 1536),
            (&["bs=1k", "seek=3", "skip=1"], 3072, 1024..3 << 20, (3 << 20) + 2048),
            (&["bs=100", "seek=7", "osize=1k"], 700, 0..324, 1024),
            (&["osize=4M"], 0, 0..3 << 20, 4 << 20),
            (&["isize=1000"], 0, 0..1000, 1024),
            (&["isize=1M", "bs=1k", "skip=1000"], 0, 1_024_000..1 << 20, 24_576),
        ] {
            let arguments = [&["dd", "if=a.qcow2", "of=new"], operands].concat();
            let said = place.exuvia(machine, &arguments);
            assert!(said.success(), "{operands:?}: {said:?}");
            let mut expected = vec![0; front];
            expected.extend(&disk[part]);
            expected.resize(length, 0);
            assert!(std::fs::read(place.file("new")).unwrap() == expected, "{operands:?}");
        }
    }
}

#[test]
fn the_image_that_is_read_is_not_written_to() {
    let place = place();
    let before = std::fs::read(place.file("a.raw")).unwrap();
    for machine in Machine::all() {
        let said = place.exuvia(machine, &["dd", "if=a.raw", "of=./a.raw"]);
        let expected = "qemu-img: ./a.raw: error while creating output image: it is the file \
                        that is read\n";
        assert_eq!((said.code, said.stderr.as_str()), (Some(1), expected));
        assert!(std::fs::read(place.file("a.raw")).unwrap() == before);
    }
}
