//! Images that come through a pipe and go through one, on every machine.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::Child;

use tests::pipe::{pour, pour_bytes};
use tests::{Machine, Place, Random};

/// The bytes of a disk of so many MiB: data, zeros, and data that does not compress.
fn disk(mebibytes: usize) -> Vec<u8> {
    let mut disk = vec![0; mebibytes << 20];
    let mut random = Random(1);
    for (number, piece) in disk.chunks_mut(300_000).enumerate().filter(|(it, _)| it % 3 > 0) {
        for word in piece.chunks_mut(8) {
            if number % 3 == 1 {
                random.number();
            }
            word.copy_from_slice(&random.0.to_le_bytes()[..word.len()]);
        }
    }
    disk
}

/// How qemu-img makes an image that goes through a pipe, and the name of its format.
const IMAGES: &[(&[&str], &str)] = &[
    (&["-c", "-O", "qcow2"], "qcow2"),
    (&["-O", "qcow2"], "qcow2"),
    (&["-O", "vmdk", "-o", "subformat=streamOptimized"], "vmdk"),
    (&["-O", "vmdk"], "vmdk"),
    (&["-O", "vdi"], "vdi"),
    (&["-O", "vhdx"], "vhdx"),
    (&["-O", "vpc", "-o", "force_size=on"], "vpc"),
    (&["-O", "qed"], "qed"),
    (&["-O", "parallels"], "parallels"),
    (&["-O", "qcow"], "qcow"),
    (&["-O", "raw"], "raw"),
];

#[test]
fn every_format_comes_through_a_pipe() {
    let place = Place::new();
    let disk = disk(9);
    place.write("a.raw", &disk);
    for (how, format) in IMAGES {
        place.must("qemu-img", &[&["convert"], *how, &["a.raw", "image"]].concat());
        let image = fs::read(place.file("image")).unwrap();
        for machine in Machine::all() {
            // In pieces that end anywhere.
            let feed = |_: &Child, mut input: std::process::ChildStdin| {
                let mut rest = image.as_slice();
                for length in [1, 511, 4096, 65_537].into_iter().cycle() {
                    let (piece, behind) = rest.split_at(rest.len().min(length));
                    input.write_all(piece)?;
                    rest = behind;
                    if rest.is_empty() {
                        break;
                    }
                }
                Ok(())
            };
            let command = ["convert", "-f", format, "-O", "raw", "-", "-"];
            let poured = pour(place.exuvia_command(machine, &command), feed);
            assert_eq!((poured.code, poured.stderr.as_str()), (Some(0), ""), "{how:?}");
            assert!(poured.stdout == disk, "{how:?} on {machine:?}");
        }
        // Which format it is can be seen from what comes first, or from all of it.
        let command = ["convert", "-O", "qcow2", "/dev/stdin", "new"];
        let poured = pour_bytes(place.exuvia_command(Machine::all()[0], &command), &image);
        assert_eq!((poured.code, poured.stderr.as_str()), (Some(0), ""), "{how:?}");
        let same = place.qemu_img(&["compare", "new", "a.raw"]);
        assert_eq!(same.stdout, "Images are identical.\n", "{how:?}");
    }
}

/// What is written from the start to the end, and what qemu-img is to take it for.
const IN_ORDER: &[(&[&str], &str)] = &[
    (&["-O", "raw"], "raw"),
    (&["-O", "vmdk", "-o", "subformat=streamOptimized"], "vmdk"),
    (&["-O", "vpc", "-o", "subformat=fixed,force_size=on"], "vpc"),
];

#[test]
fn what_is_written_in_order_goes_through_a_pipe() {
    let place = Place::new();
    let disk = disk(40);
    place.write("a.raw", &disk);
    place.must("qemu-img", &["convert", "-c", "-O", "qcow2", "a.raw", "a.qcow2"]);
    for machine in Machine::all() {
        for (how, format) in IN_ORDER {
            for to in ["-", "/dev/stdout"] {
                let command = [&["convert", "--hash", "sha256"], *how, &["a.qcow2", to]].concat();
                let poured = pour_bytes(place.exuvia_command(machine, &command), b"");
                assert_eq!(poured.code, Some(0), "{how:?} {to}: {}", poured.stderr);
                place.write("new", &poured.stdout);
                let same = place.qemu_img(&["compare", "-F", format, "a.raw", "new"]);
                assert_eq!(same.stdout, "Images are identical.\n", "{how:?} {to} {machine:?}");
                // Nothing else is said there.
                if *format == "raw" && to == "-" {
                    assert!(poured.stdout == disk);
                    assert!(poured.stderr.starts_with("sha256:"), "{}", poured.stderr);
                }
            }
        }
    }
    // And back again.
    let image = fs::read(place.file("new")).unwrap();
    let command = ["compare", "-f", "vpc", "-F", "raw", "-", "a.raw"];
    let poured = pour_bytes(place.exuvia_command(Machine::all()[0], &command), &image);
    assert_eq!(String::from_utf8_lossy(&poured.stdout), "Images are identical.\n");
}

#[test]
fn what_needs_seeking_is_refused_before_anything_is_written() {
    let place = Place::new();
    place.write("a.raw", &[7; 65_536]);
    for machine in Machine::all() {
        for (how, reason) in [
            (&["-O", "qcow2"][..], "a qcow2 image cannot be written to a pipe: it needs seeking"),
            (&["-O", "vdi"], "a vdi image cannot be written to a pipe: it needs seeking"),
            (&["-O", "vmdk"], "a vmdk image cannot be written to a pipe: it needs seeking"),
            (&["-O", "vpc"], "a vpc image cannot be written to a pipe: it needs seeking"),
        ] {
            let command = [&["convert"], how, &["a.raw", "-"]].concat();
            let poured = pour_bytes(place.exuvia_command(machine, &command), b"");
            let format = how[1];
            let said = format!("qemu-img: -: error while converting {format}: {reason}\n");
            assert_eq!((poured.code, poured.stderr), (Some(1), said));
            assert_eq!(poured.stdout, b"");
        }
        let command = ["convert", "-n", "-O", "raw", "a.raw", "-"];
        let poured = pour_bytes(place.exuvia_command(machine, &command), b"");
        let said = "qemu-img: -: it is a pipe, and no image that could be written into\n";
        assert_eq!((poured.code, poured.stderr.as_str()), (Some(1), said));
    }
}

#[test]
fn dd_knows_standard_input_and_output() {
    let place = Place::new();
    let disk = disk(3);
    place.write("a.raw", &disk);
    place.must("qemu-img", &["convert", "-c", "-O", "qcow2", "a.raw", "a.qcow2"]);
    let image = fs::read(place.file("a.qcow2")).unwrap();
    for machine in Machine::all() {
        for (operands, input, expected) in [
            (&["if=a.qcow2"][..], &b""[..], &disk[..]),
            (&["if=a.qcow2", "of=-", "bs=1k", "skip=3", "count=7"], b"", &disk[3072..7168]),
            (&["-f", "qcow2", "bs=1M", "count=2"], &image, &disk[..2 << 20]),
            (&["if=-", "bs=1M", "skip=1"], &disk, &disk[1 << 20..]),
            (&["-f", "raw"], &disk[..1000], &disk[..1024]),
        ] {
            let command = [&["dd"], operands].concat();
            let poured = pour_bytes(place.exuvia_command(machine, &command), input);
            assert_eq!((poured.code, poured.stderr.as_str()), (Some(0), ""), "{operands:?}");
            let padded = expected.iter().zip(&poured.stdout).take(1000).all(|(it, is)| it == is);
            assert!(padded && poured.stdout.len() == expected.len(), "{operands:?} {machine:?}");
        }
    }
}

#[test]
fn a_file_that_standard_output_is_goes_on_where_it_was() {
    let place = Place::new();
    let disk = disk(2);
    place.write("a.raw", &disk);
    for machine in Machine::all() {
        let mut file = fs::File::create(place.file("new")).unwrap();
        file.write_all(b"in front").unwrap();
        let mut command = place.exuvia_command(machine, &["convert", "-O", "raw", "a.raw", "-"]);
        let status = command.stdout(file.try_clone().unwrap()).status().unwrap();
        assert!(status.success());
        file.write_all(b"behind").unwrap();
        let expected = [&b"in front"[..], &disk, b"behind"].concat();
        assert!(fs::read(place.file("new")).unwrap() == expected, "{machine:?}");
        // A file that standard input is can be read like any other.
        let mut command = place.exuvia_command(machine, &["convert", "-O", "qcow2", "-", "new"]);
        let status = command.stdin(fs::File::open(place.file("a.raw")).unwrap()).status().unwrap();
        assert!(status.success());
        let same = place.qemu_img(&["compare", "new", "a.raw"]);
        assert_eq!(same.stdout, "Images are identical.\n");
    }
}

#[test]
fn gaps_are_written_as_zeros() {
    const SIZE: u64 = 3 << 30;
    let place = Place::new();
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "a.qcow2", "3G"]);
    place.must("qemu-io", &["-c", "write -P 7 2G 64k", "a.qcow2"]);
    let command = ["convert", "-O", "raw", "a.qcow2", "-"];
    let mut command = place.exuvia_command(Machine::all()[0], &command);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut total, mut sum) = (0, 0_u64);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = std::io::Read::read(&mut output, &mut buffer).unwrap();
        if count == 0 {
            break;
        }
        let zeros = buffer[..count].chunks(4096).all(|block| block == &[0; 4096][..block.len()]);
        if !zeros {
            sum += buffer[..count].iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
        total += count as u64;
    }
    assert!(child.wait().unwrap().success());
    assert_eq!((total, sum), (SIZE, 7 * 65_536));
}

/// The room that a process takes in files without a name, in bytes.
fn nameless_room(child: &Child) -> u64 {
    let folder = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let descriptors = folder.filter_map(|entry| Some(entry.ok()?.path()));
    let nameless = descriptors.filter(|path| {
        fs::read_link(path).is_ok_and(|to| to.to_string_lossy().ends_with(" (deleted)"))
    });
    let rooms = nameless.filter_map(|path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.blocks() * 512))
    });
    rooms.collect::<std::collections::BTreeMap<_, _>>().values().sum()
}

/// The most room that an image takes on its way: what is kept of its start, of what was read
/// last and of what is read next, and how much is read and given back at a time.
const MOST_ROOM: u64 = (16 + 64 + 16 + 16 + 16) << 20;

#[test]
fn an_image_in_order_takes_a_bounded_room() {
    const MEBIBYTES: usize = 300;
    if !Machine::all().contains(&Machine::Kvm) {
        tests::skip("the room of an image in a pipe", "QEMU needs all of it");
        return;
    }
    let place = Place::new();
    let mut disk = vec![1; MEBIBYTES << 20];
    for (number, block) in (0_u64..).zip(disk.chunks_mut(512)) {
        block[..8].copy_from_slice(&number.to_le_bytes());
    }
    place.write("a.raw", &disk);
    for (how, format) in &IMAGES[1..2] {
        place.must("qemu-img", &[&["convert"], *how, &["a.raw", "image"]].concat());
        let image = fs::read(place.file("image")).unwrap();
        assert!(image.len() as u64 > 2 * MOST_ROOM);
        let mut command =
            place.exuvia_command(Machine::Kvm, &["convert", "-f", format, "-O", "raw", "-", "-"]);
        command.env("TMPDIR", place.path());
        let poured = pour(command, |child, mut input| {
            let (most, last) = image.split_at(image.len() - 1000);
            for piece in most.chunks(1 << 20) {
                input.write_all(piece)?;
                let room = nameless_room(child);
                assert!(room <= MOST_ROOM, "{room} bytes");
            }
            input.write_all(last)
        });
        assert_eq!((poured.code, poured.stderr.as_str()), (Some(0), ""), "{how:?}");
        assert!(poured.stdout == disk, "{how:?}");
    }
}

#[test]
fn what_was_given_back_is_missed_by_name() {
    if !Machine::all().contains(&Machine::Kvm) {
        tests::skip("an image that is not in order in a pipe", "QEMU needs all of it");
        return;
    }
    let place = Place::new();
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "a.qcow2", "400M"]);
    place.must("qemu-io", &["-c", "write -P 1 200M 20M", "-c", "write -P 2 0 180M", "a.qcow2"]);
    let read = |name: &str| {
        let image = fs::read(place.file(name)).unwrap();
        let command = ["convert", "-f", "qcow2", "-O", "raw", "-", "new"];
        pour_bytes(place.exuvia_command(Machine::Kvm, &command), &image)
    };
    // What is skipped is kept.
    let poured = read("a.qcow2");
    assert_eq!((poured.code, poured.stderr.as_str()), (Some(0), ""));
    let same = place.qemu_img(&["compare", "new", "a.qcow2"]);
    assert_eq!(same.stdout, "Images are identical.\n");
    fs::remove_file(place.file("new")).unwrap();

    // The last cluster of the disk becomes one that lies far in front in the file.
    let image = fs::read(place.file("a.qcow2")).unwrap();
    let number = |offset: u64| {
        let offset = usize::try_from(offset).unwrap();
        u64::from_be_bytes(image[offset..][..8].try_into().unwrap())
    };
    let l2_table = number(number(40)) & 0x00ff_ffff_ffff_fe00;
    let early = number(l2_table + 8 * ((50 << 20) / 65_536));
    place.patch("a.qcow2", l2_table + 8 * ((400 << 20) / 65_536 - 1), &early.to_be_bytes());
    let poured = read("a.qcow2");
    let offset = early & 0x00ff_ffff_ffff_fe00;
    let said = format!(
        "qemu-img: -: cannot be read from a pipe: it needs seeking back to byte {offset}; save \
         it to a file first\n"
    );
    assert_eq!((poured.code, poured.stderr), (Some(1), said));
    assert!(!place.file("new").exists());
}

#[test]
fn standard_input_is_read_once() {
    let place = Place::new();
    let command = ["convert", "-f", "raw", "-O", "raw", "-", "-", "new"];
    let poured = pour_bytes(place.exuvia_command(Machine::all()[0], &command), &[1; 512]);
    let said = "qemu-img: Could not open '-': Could not open '-': standard input can be read only \
                once\n";
    assert_eq!((poured.code, poured.stderr.as_str()), (Some(1), said));
    assert!(!place.file("new").exists());
}

#[test]
fn a_reader_that_goes_away_is_an_error() {
    let place = Place::new();
    place.write("a.raw", &disk(9));
    for machine in Machine::all() {
        let mut command = place.exuvia_command(machine, &["convert", "-O", "raw", "a.raw", "-"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = command.stdout(writer).output().unwrap();
        assert_eq!(outcome.status.code(), Some(1), "{machine:?}");
        let said = String::from_utf8(outcome.stderr).unwrap();
        assert!(said.ends_with("Broken pipe\n") && said.lines().count() == 1, "{said}");
    }
}
