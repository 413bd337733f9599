//! Images that the formats make on the host, held against qemu-img: it finds on their
//! disks what was written, and nothing to complain of.

use std::slice::from_ref;

use formats::creation::{Options, Value};
use tests::{Place, native};

/// A way of making an image: the format, and its options.
type Way<'a> = (&'static str, &'a [(&'static str, Value)]);

/// An option that is text.
fn text(word: &str) -> Value {
    Value::Text(word.into())
}

/// The sizes of disks in bytes.
const SIZES: [usize; 6] = [0, 512, 4096, 65_536 + 512, (5 << 20) + 1536, 20 << 20];

/// How much is written at a time, in bytes.
const GRANULARITIES: [usize; 3] = [512, 4096, 3 << 20];

/// A disk of a size with some zeros, some of the same byte, and some of any.
fn disk(size: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let mut bytes = vec![0; size];
    for (number, piece) in bytes.chunks_mut(50_000).enumerate() {
        match number % 12 {
            0 | 2 => piece.fill_with(&mut next),
            3 => piece.fill(next()),
            _ => {}
        }
    }
    bytes
}

/// Makes images of every size in every way, and then says what was wrong with all.
fn judge(ways: &[Way<'_>], has_check: bool) {
    judge_sizes(ways, has_check, &SIZES);
}

/// The same for other sizes.
fn judge_sizes(ways: &[Way<'_>], has_check: bool, sizes: &[usize]) {
    let mut complaints = Vec::new();
    for (format, options) in ways {
        let mut set = Options::default();
        options.iter().for_each(|(name, value)| set.set(name, value.clone()));
        for size in sizes {
            let size = *size;
            for granularity in GRANULARITIES {
                let place = Place::new();
                let disk = disk(size);
                let made = native::make(&place, "image.x", format, &set, &disk, granularity);
                let verdict = made.and_then(|size| {
                    // What the size was rounded up by is zeros.
                    let size = usize::try_from(size).expect("a small size");
                    assert!(size >= disk.len(), "a disk got smaller");
                    let missing = vec![0; size - disk.len()];
                    place.write("disk.raw", &[disk, missing].concat());
                    verdict(&place, format, has_check)
                });
                if let Err(complaint) = verdict {
                    complaints
                        .push(format!("{format} {options:?} {size} {granularity}: {complaint}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What qemu-img thinks of an image.
fn verdict(place: &Place, format: &str, has_check: bool) -> Result<(), String> {
    let compared = place.qemu_img(&["compare", "-f", "raw", "-F", format, "disk.raw", "image.x"]);
    if compared.stdout != "Images are identical.\n" {
        return Err(format!("{compared:?}"));
    }
    let checked = place.qemu_img(&["check", "-f", format, "image.x"]);
    let is_clean = checked.success() && checked.stderr.is_empty();
    if has_check && !is_clean {
        return Err(format!("{checked:?}"));
    }
    // A second look, by what reads images here.
    let disk = native::open(place, "image.x", Some(format))?;
    let expected = std::fs::read(place.file("disk.raw")).expect("the disk");
    if native::content(&disk)? != expected {
        return Err("it is read otherwise".to_owned());
    }
    Ok(())
}

#[test]
fn raw() {
    judge(&[("raw", &[])], false);
}

#[test]
fn vdi() {
    judge(&[("vdi", &[]), ("vdi", &[("static", Value::Flag(true))])], true);
}

#[test]
fn vpc() {
    let (dynamic, fixed) = (("subformat", text("dynamic")), ("subformat", text("fixed")));
    let forced = ("force_size", Value::Flag(true));
    judge(&[("vpc", &[]), ("vpc", &[dynamic, forced.clone()])], false);
    // qemu-img makes fixed disks of no size, but cannot open them.
    let ways = [fixed, forced];
    judge_sizes(&[("vpc", &ways[..1]), ("vpc", &ways)], false, &SIZES[1..]);
}

#[test]
fn vhdx() {
    let (dynamic, fixed) = (("subformat", text("dynamic")), ("subformat", text("fixed")));
    let block = |size| ("block_size", Value::Number(size));
    let zero = |zero| ("block_state_zero", Value::Flag(zero));
    let log = ("log_size", Value::Number(3 << 20));
    judge(
        &[
            ("vhdx", &[block(1 << 20)]),
            ("vhdx", &[fixed, block(4 << 20), zero(true)]),
            ("vhdx", &[dynamic, block(2 << 20), zero(false), log]),
        ],
        true,
    );
}

/// A part of a file in which images may differ: where, and how many bytes.
type Part = (usize, usize);

/// Whether an image without data is that of qemu-img, but for some parts.
fn is_that_of_qemu(way: Way<'_>, words: &str, size: usize, parts: &[Part]) -> Result<(), String> {
    let (format, options) = way;
    let mut set = Options::default();
    options.iter().for_each(|(name, value)| set.set(name, value.clone()));
    let place = Place::new();
    native::make(&place, "made.x", format, &set, &vec![0; size], 1 << 20)?;
    let (words, size) = (["-o", words], size.to_string());
    let words = if words[1].is_empty() { &[] } else { &words[..] };
    place.must("qemu-img", &[&["create", "-f", format], words, &["qemu.x", &size]].concat());
    let [mut made, mut expected] =
        ["made.x", "qemu.x"].map(|name| std::fs::read(place.file(name)).expect("an image"));
    if made.len() != expected.len() {
        return Err(format!("{words:?}: {} bytes, expected {}", made.len(), expected.len()));
    }
    for (start, length) in parts {
        for bytes in [&mut made, &mut expected] {
            bytes[*start..*start + *length].fill(0);
        }
    }
    let difference = made.iter().zip(&expected).position(|(made, expected)| made != expected);
    difference.map_or(Ok(()), |at| Err(format!("{words:?}: something else at {at:#x}")))
}

#[test]
fn images_without_data_are_those_of_qemu_img() {
    let fixed = ("subformat", text("fixed"));
    let forced = ("force_size", Value::Flag(true));
    // Time, checksum and id of the footer and its copy.
    let footer = |start: usize| [(start + 24, 4), (start + 64, 20)];
    let size = 20_536 * 512;
    let copies = [footer(0), footer(2048)].concat();
    for (way, words, size, parts) in [
        (&[][..], "", size, &copies[..]),
        (&[forced], "force_size=on", 9 << 20, &copies),
        (from_ref(&fixed), "subformat=fixed", size, &footer(size)),
    ] {
        assert_eq!(is_that_of_qemu(("vpc", way), words, size, parts), Ok(()));
    }
    // The name of the maker, the headers but for where the log is, the checksums of the
    // region tables and that their regions are required, which qemu leaves out, and the
    // disk's id.
    let regions = |start: usize| [(start + 4, 4), (start + 44, 4), (start + 76, 4)];
    let parts = |metadata: usize| {
        let disk_id = ((metadata << 20) + (1 << 16) + 16, 16);
        let start = [(8, 64), (65_540, 60), (131_076, 60), disk_id];
        [&start[..], &regions(192 << 10), &regions(256 << 10)].concat()
    };
    let no_zero = ("block_state_zero", Value::Flag(false));
    let block = ("block_size", Value::Number(1 << 20));
    let log = ("log_size", Value::Number(2 << 20));
    for (way, words, size, parts) in [
        (&[][..], "", 20 << 20, parts(3)),
        (from_ref(&no_zero), "block_state_zero=off", 20 << 20, parts(3)),
        (&[block.clone(), log], "block_size=1M,log_size=2M", 5 << 20, parts(4)),
        (from_ref(&block), "block_size=1M", 0, parts(10)),
        (
            &[block.clone(), fixed.clone(), no_zero.clone()],
            "block_size=1M,subformat=fixed,block_state_zero=off",
            5 << 20,
            parts(3),
        ),
    ] {
        assert_eq!(is_that_of_qemu(("vhdx", way), words, size, &parts), Ok(()));
    }
}
