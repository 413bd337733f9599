//! Images that the formats make on the host, held against qemu-img: it finds on their
//! disks what was written, and nothing to complain of.

use std::fs;
use std::slice::from_ref;

use formats::creation::{Options, Value};
use formats::extent::File;
use formats::qcow2::measure;
use formats::whole::Files;
use formats::{Creation, Writer};
use tests::{Place, Random, native};

/// A way of making an image: the format, and its options.
type Way<'a> = (&'a str, &'a [(&'a str, Value)]);

/// The sizes of disks in bytes.
const SIZES: [usize; 6] = [0, 512, 4096, 65_536 + 512, (5 << 20) + 1536, 20 << 20];

/// Some of them, for what there are many ways of.
const SOME_SIZES: [usize; 3] = [0, 65_536 + 512, (5 << 20) + 1536];

/// How much is written at a time, in bytes.
const GRANULARITIES: [usize; 3] = [512, 4096, 3 << 20];

/// A disk of a size with some zeros, some of the same byte, and some of any.
fn disk(size: usize) -> Vec<u8> {
    let mut random = Random(88_172_645_463_325_252);
    let mut bytes = vec![0; size];
    for (number, piece) in bytes.chunks_mut(50_000).enumerate() {
        match number % 12 {
            0 | 2 => piece.fill_with(|| random.byte()),
            3 => piece.fill(random.byte()),
            _ => {}
        }
    }
    bytes
}

/// Makes images of every size in every way, and then says what was wrong with all.
fn judge(ways: &[Way<'_>], has_check: bool) {
    judge_sizes(ways, has_check, &SIZES, false);
}

/// Makes images of these sizes in every way, perhaps compressed, and then says what was
/// wrong with all.
fn judge_sizes(ways: &[Way<'_>], has_check: bool, sizes: &[usize], compress: bool) {
    let mut complaints = Vec::new();
    for (format, options) in ways {
        let mut set = Options::default();
        options.iter().for_each(|(name, value)| set.set(name, value.clone()));
        // qemu-img makes an empty VMDK, and then cannot open it.
        for size in sizes.iter().copied().filter(|size| *size > 0 || *format != "vmdk") {
            for granularity in GRANULARITIES {
                // What is compressed comes by units.
                if compress && granularity != GRANULARITIES[0] {
                    continue;
                }
                let place = Place::new();
                let disk = disk(size);
                let creation = Creation { compress, ..native::creation("image.x", &set, &disk) };
                let made =
                    native::make_of(&place, "image.x", format, &creation, &disk, granularity);
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

/// Text, as the value of an option.
fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().to_vec())
}

/// Options, by their names.
fn options(set: &[(&str, Value)]) -> Options {
    let mut options = Options::default();
    set.iter().for_each(|(name, value)| options.set(name, value.clone()));
    options
}

/// Makes an image on top of another, with units that have data, are zeros, or let
/// through what is underneath, and compares.
fn judge_on_backing(format: &str, set: &[(&str, Value)], has_check: bool) {
    let place = Place::new();
    let base = disk(3 << 20).iter().map(|byte| byte | 1).collect::<Vec<u8>>();
    place.write("base.raw", &base);
    let mut options = options(set);
    options.set("backing_file", text("base.raw"));
    options.set("backing_fmt", text("raw"));
    let size = (3 << 20) - 1536;
    let mut expected = base[..size].to_vec();
    let creation = native::creation("image.x", &options, &expected);
    let mut writer = formats::by_name(format).unwrap().create(&creation).unwrap();
    let mut files = Files::default();
    let unit = usize::try_from(writer.unit()).unwrap();
    // Units get longer, so that there are not too many, and all cases of neighbours.
    let (mut offset, mut number) = (0, 0);
    while offset < size {
        let end = (offset + unit * (1 + number / 12 * 3)).min(size);
        match [0, 1, 2, 0, 2, 1, 1, 0, 0, 2, 2][number % 11] {
            0 => {}
            1 => {
                let data = vec![u8::try_from(number % 250).unwrap() + 2; end - offset];
                expected[offset..end].copy_from_slice(&data);
                files.write_data(writer.as_mut(), offset as u64, &data).unwrap();
            }
            _ => {
                expected[offset..end].fill(0);
                let length = (end - offset) as u64;
                writer.zero(offset as u64, length, &mut files).unwrap();
            }
        }
        (offset, number) = (end, number + 1);
    }
    writer.finish(&mut files).unwrap();
    assert!(files.file(File::Own).len() as u64 <= writer.longest(File::Own));
    place.write("image.x", files.file(File::Own));
    place.write("data", files.file(File::Other(0)));
    place.write("disk.raw", &expected);
    verdict(&place, format, has_check).unwrap_or_else(|complaint| {
        panic!("{format} {set:?}: {complaint}");
    });
}

/// An image without data is that of qemu-img to the byte.
fn judge_empty(format: &str, qemu: &str, set: &[(&str, Value)], size: u64) {
    let place = Place::new();
    let bytes = size.to_string();
    let mut arguments = vec!["create", "-q", "-f", format];
    arguments.extend(if qemu.is_empty() { vec![] } else { vec!["-o", qemu] });
    arguments.extend(["-u", "a", &bytes]);
    place.must("qemu-img", &arguments);
    let creation = Creation { size, options: options(set), ..Creation::default() };
    let mut writer = formats::by_name(format).unwrap().create(&creation).unwrap();
    let mut files = Files::default();
    writer.finish(&mut files).unwrap();
    let expected = std::fs::read(place.file("a")).unwrap();
    let made = files.file(File::Own);
    // What is written by whole sectors may be longer, by zeros.
    let length = made.len().max(expected.len());
    let padded = |bytes: &[u8]| [bytes, &vec![0; length - bytes.len()]].concat();
    let difference = padded(made).iter().zip(padded(&expected)).position(|(a, b)| *a != b);
    assert_eq!(difference, None, "{format} {qemu} {size}");
    assert!(made.len().abs_diff(expected.len()) < 512, "{} {}", made.len(), expected.len());
}

#[test]
fn qcow2() {
    let number = Value::Number;
    let on = Value::Flag(true);
    judge(&[("qcow2", &[])], true);
    judge_sizes(
        &[
            ("qcow2", &[("compat", text("0.10"))]),
            ("qcow2", &[("compat", text("v3")), ("lazy_refcounts", on.clone())]),
            ("qcow2", &[("cluster_size", number(512))]),
            ("qcow2", &[("cluster_size", number(4096)), ("refcount_bits", number(1))]),
            ("qcow2", &[("cluster_size", number(512)), ("refcount_bits", number(64))]),
            ("qcow2", &[("cluster_size", number(2 << 20)), ("refcount_bits", number(8))]),
            ("qcow2", &[("extended_l2", on.clone())]),
            ("qcow2", &[("extended_l2", on.clone()), ("cluster_size", number(16384))]),
            ("qcow2", &[("preallocation", text("metadata"))]),
            ("qcow2", &[("preallocation", text("falloc")), ("cluster_size", number(4096))]),
            ("qcow2", &[("preallocation", text("full")), ("extended_l2", on.clone())]),
            ("qcow2", &[("data_file", text("data"))]),
            ("qcow2", &[("data_file", text("data")), ("data_file_raw", on.clone())]),
            ("qcow2", &[("data_file", text("data")), ("extended_l2", on)]),
        ],
        true,
        &SOME_SIZES,
        false,
    );
}

#[test]
fn qcow2_compressed() {
    let number = Value::Number;
    let zstd = || ("compression_type", text("zstd"));
    let on = || Value::Flag(true);
    judge_sizes(
        &[
            ("qcow2", &[]),
            ("qcow2", &[zstd()]),
            ("qcow2", &[("compat", text("0.10")), ("cluster_size", number(512))]),
            ("qcow2", &[("cluster_size", number(512)), ("refcount_bits", number(64))]),
            ("qcow2", &[("cluster_size", number(4096)), ("refcount_bits", number(1))]),
            ("qcow2", &[("cluster_size", number(65_536)), ("refcount_bits", number(2)), zstd()]),
            ("qcow2", &[("cluster_size", number(2 << 20)), zstd()]),
            ("qcow2", &[("extended_l2", on()), ("cluster_size", number(16384))]),
        ],
        true,
        &SOME_SIZES,
        true,
    );
}

#[test]
fn qcow2_on_another_image() {
    let number = Value::Number;
    let on = || Value::Flag(true);
    for set in [
        &[][..],
        &[("cluster_size", number(512))],
        &[("compat", text("0.10")), ("cluster_size", number(4096))],
        &[("extended_l2", on())],
        &[("extended_l2", on()), ("cluster_size", number(16384))],
        &[("extended_l2", on()), ("preallocation", text("metadata"))],
        &[("data_file", text("data"))],
        &[("data_file", text("data")), ("extended_l2", on())],
    ] {
        judge_on_backing("qcow2", set, true);
    }
}

#[test]
fn qcow2_without_data() {
    let number = Value::Number;
    let on = || Value::Flag(true);
    for (qemu, set) in [
        ("", &[][..]),
        ("compat=0.10", &[("compat", text("0.10"))]),
        (
            "cluster_size=4K,refcount_bits=1",
            &[("cluster_size", number(4096)), ("refcount_bits", number(1))],
        ),
        (
            "cluster_size=2M,refcount_bits=64",
            &[("cluster_size", number(2 << 20)), ("refcount_bits", number(64))],
        ),
        ("extended_l2=on,lazy_refcounts=on", &[("extended_l2", on()), ("lazy_refcounts", on())]),
        ("compression_type=zstd", &[("compression_type", text("zstd"))]),
        ("data_file=d", &[("data_file", text("d"))]),
        (
            "backing_file=base,backing_fmt=raw",
            &[("backing_file", text("base")), ("backing_fmt", text("raw"))],
        ),
    ] {
        for size in [0, 512, 1 << 20, (1 << 30) + 512] {
            judge_empty("qcow2", qemu, set, size);
        }
    }
    // There is no limit below the largest L1 table.
    judge_empty("qcow2", "", &[], 8 << 40);
}

#[test]
fn qcow2_is_measured() {
    let number = Value::Number;
    let on = || Value::Flag(true);
    let place = Place::new();
    let source = disk((5 << 20) + 1536);
    place.write("a.raw", &source);
    let said = |arguments: &[&str]| {
        let said = place.qemu_img(arguments);
        if said.success() { said.stdout } else { said.stderr }
    };
    let print = |measured: Result<measure::Measure, formats::qcow2::Qcow2Error>| match measured {
        Ok(measured) => {
            let bitmaps = measured.bitmaps.map(|bytes| format!("bitmaps size: {bytes}\n"));
            format!(
                "required size: {}\nfully allocated size: {}\n{}",
                measured.required,
                measured.fully_allocated,
                bitmaps.unwrap_or_default()
            )
        }
        Err(error) => format!("qemu-img: {error}\n"),
    };
    for (qemu, set) in [
        ("cluster_size=64K", &[][..]),
        ("compat=0.10", &[("compat", text("0.10"))]),
        ("compat=v3", &[("compat", text("v3"))]),
        ("cluster_size=512", &[("cluster_size", number(512))]),
        ("cluster_size=4M", &[("cluster_size", number(4 << 20))]),
        (
            "cluster_size=2M,refcount_bits=64",
            &[("cluster_size", number(2 << 20)), ("refcount_bits", number(64))],
        ),
        ("refcount_bits=3", &[("refcount_bits", number(3))]),
        ("compat=0.10,refcount_bits=1", &[("compat", text("0.10")), ("refcount_bits", number(1))]),
        ("extended_l2=on", &[("extended_l2", on())]),
        (
            "extended_l2=on,cluster_size=4K",
            &[("extended_l2", on()), ("cluster_size", number(4096))],
        ),
        ("preallocation=metadata", &[("preallocation", text("metadata"))]),
        ("preallocation=full", &[("preallocation", text("full"))]),
        ("preallocation=most", &[("preallocation", text("most"))]),
        ("backing_file=b", &[("backing_file", text("b"))]),
    ] {
        let options = options(set);
        for size in [0, 512, 1 << 20, (1 << 34) + 512, 1 << 40, 3 << 60] {
            let bytes = size.to_string();
            let expected = said(&["measure", "-O", "qcow2", "-o", qemu, "--size", &bytes]);
            let measured = measure::measure(&measure::Source::Empty(size), &options);
            assert_eq!(print(measured), expected, "{qemu} {size}");
        }
        let expected = said(&["measure", "-O", "qcow2", "-o", qemu, "-f", "raw", "a.raw"]);
        let measured = measure::cluster_size(&options).and_then(|cluster_size| {
            let cluster_size = usize::try_from(cluster_size).unwrap();
            // The file has no holes.
            let clusters = source.len().div_ceil(cluster_size) as u64;
            let (size, bitmaps) = (source.len() as u64, None);
            measure::measure(&measure::Source::Image { size, clusters, bitmaps }, &options)
        });
        assert_eq!(print(measured), expected, "{qemu}");
    }
}

#[test]
fn qcow() {
    judge_sizes(&[("qcow", &[])], false, &SIZES[1..], false);
    judge_sizes(&[("qcow", &[])], false, &SIZES[1..], true);
    judge_on_backing("qcow", &[], false);
    for size in [512, 1 << 20, (300 << 20) + 512, 9 << 30] {
        judge_empty("qcow", "", &[], size);
        let set = [("backing_file", text("base"))];
        judge_empty("qcow", "backing_file=base,backing_fmt=raw", &set, size);
    }
}

#[test]
fn qed() {
    let sizes = |cluster, table| {
        [("cluster_size", Value::Number(cluster)), ("table_size", Value::Number(table))]
    };
    let (small, large) = (sizes(4096, 2), sizes(1 << 20, 16));
    judge(&[("qed", &[]), ("qed", &large)], true);
    // With as many clusters as fill its tables, qemu-img finds a leak in its own images.
    judge_sizes(&[("qed", &small)], true, &SOME_SIZES, false);
    judge_on_backing("qed", &[], true);
    judge_on_backing("qed", &small, true);
    for size in [0, 512, 1 << 20, (9 << 30) + 512] {
        judge_empty("qed", "", &[], size);
        judge_empty("qed", "cluster_size=4K,table_size=16", &sizes(4096, 16), size);
        let set = [("backing_file", text("base")), ("backing_fmt", text("raw"))];
        judge_empty("qed", "backing_file=base,backing_fmt=raw", &set, size);
    }
}

#[test]
fn parallels() {
    judge(
        &[
            ("parallels", &[]),
            ("parallels", &[("cluster_size", Value::Number(512))]),
            ("parallels", &[("cluster_size", Value::Number(32_256))]),
            ("parallels", &[("cluster_size", Value::Number(65_000))]),
            ("parallels", &[("cluster_size", Value::Number(4 << 20))]),
        ],
        true,
    );
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
    judge_sizes(&[("vpc", &ways[..1]), ("vpc", &ways)], false, &SIZES[1..], false);
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

/// The types of VMDK.
const SUBFORMATS: [&str; 5] = [
    "monolithicSparse",
    "streamOptimized",
    "monolithicFlat",
    "twoGbMaxExtentSparse",
    "twoGbMaxExtentFlat",
];

/// Options that say the type of a VMDK, and something more.
fn vmdk_options(subformat: &str, more: &[(&str, Value)]) -> Options {
    let mut options = Options::default();
    options.set("subformat", Value::Text(subformat.into()));
    more.iter().for_each(|(name, value)| options.set(name, value.clone()));
    options
}

#[test]
fn vmdk() {
    let text = |value: &str| Value::Text(value.into());
    let subformats = SUBFORMATS.map(|subformat| [("subformat", text(subformat))]);
    let zeroed_grain = [("zeroed_grain", Value::Flag(true))];
    let plain = subformats.iter().filter(|options| options[0].1 != text("streamOptimized"));
    let ways: Vec<Way<'_>> =
        plain.chain([&zeroed_grain]).map(|options| ("vmdk", options.as_slice())).collect();
    judge(&ways, true);
}

#[test]
fn vmdk_compressed() {
    let subformat = ("subformat", Value::Text(b"streamOptimized".to_vec()));
    let zeroed_grain = ("zeroed_grain", Value::Flag(true));
    let both = [subformat, zeroed_grain];
    judge(&[("vmdk", &both[..1]), ("vmdk", &both)], true);
}

/// Empty images are to the byte those of qemu-img, but for the content id.
#[test]
fn vmdk_empty() {
    let text = |value: &str| Value::Text(value.into());
    let more = [
        ("", vec![]),
        ("adapter_type=ide", vec![("adapter_type", text("ide"))]),
        ("adapter_type=buslogic", vec![("adapter_type", text("buslogic"))]),
        (
            "adapter_type=lsilogic,hwversion=13,toolsversion=7",
            vec![
                ("adapter_type", text("lsilogic")),
                ("hwversion", text("13")),
                ("toolsversion", text("7")),
            ],
        ),
        (
            "adapter_type=legacyESX,compat6=on",
            vec![("adapter_type", text("legacyESX")), ("compat6", Value::Flag(true))],
        ),
        ("zeroed_grain=on", vec![("zeroed_grain", Value::Flag(true))]),
    ];
    // Compressed images are laid out in another way.
    for subformat in SUBFORMATS.into_iter().filter(|subformat| *subformat != "streamOptimized") {
        for (qemu, options) in &more {
            if subformat.ends_with("Flat") && *qemu == "zeroed_grain=on" {
                continue;
            }
            for size in [0, 1, 33 << 20, (4 << 30) + 5000] {
                let options = vmdk_options(subformat, options);
                let option = format!("subformat={subformat},{qemu}");
                assert_eq!(empty_of_qemu(&option, size), empty(&options, size), "{option} {size}");
            }
        }
    }
}

/// The content id of new images here.
const CONTENT_ID: &str = "74786973";

/// The names of some files and what they start with: flat ones are long.
type Starts = Vec<(String, u64, Vec<u8>)>;

/// The files that qemu-img makes, with the content id of those that are made here.
fn empty_of_qemu(option: &str, size: u64) -> Starts {
    loop {
        let place = Place::new();
        let option = option.trim_end_matches(',');
        let size = size.to_string();
        place.must("qemu-img", &["create", "-q", "-f", "vmdk", "-o", option, "image.x", &size]);
        let mut found = starts(&place);
        let (_, _, own) = found.iter_mut().find(|(name, ..)| name == "image.x").expect("it");
        let text = String::from_utf8_lossy(&own[..own.len().min(700)]).into_owned();
        let id = text.split("\nCID=").nth(1).and_then(|rest| rest.split('\n').next());
        // It has no zeros in front, and what is behind it is not to be moved.
        let id = id.expect("a content id").to_owned();
        if id.len() == CONTENT_ID.len() {
            let place = own.windows(8).position(|bytes| bytes == id.as_bytes()).expect("the id");
            own[place..place + 8].copy_from_slice(CONTENT_ID.as_bytes());
            return found;
        }
    }
}

/// The files that are made here.
fn empty(options: &Options, size: u64) -> Starts {
    let place = Place::new();
    let creation = Creation {
        size,
        options: options.clone(),
        file_name: b"image.x".to_vec(),
        seed: *b"sixteen of bytes",
        ..Creation::default()
    };
    let format = formats::by_name("vmdk").expect("the format");
    let mut writer = format.create(&creation).expect("a writer");
    let mut files = native::SparseFiles::new(&place, "image.x", writer.as_ref());
    writer.finish(&mut files).expect("an image");
    starts(&place)
}

/// What files there are.
fn starts(place: &Place) -> Starts {
    let start = |entry: fs::DirEntry| {
        use std::io::Read;
        let file = fs::File::open(entry.path()).expect("a file");
        let mut bytes = Vec::new();
        file.take(1 << 20).read_to_end(&mut bytes).expect("its start");
        let length = entry.metadata().expect("its length").len();
        (entry.file_name().to_string_lossy().into_owned(), length, bytes)
    };
    let mut starts: Starts =
        fs::read_dir(place.path()).expect("a folder").map(|entry| start(entry.unwrap())).collect();
    starts.sort();
    starts
}

/// A writer of VMDK images of a size, on top of another or not.
fn vmdk_writer(size: u64, options: Options, backing: Option<&native::Disk>) -> Box<dyn Writer> {
    let description = backing.map(|disk| disk.image.description());
    let creation = Creation {
        size,
        options,
        file_name: b"image.x".to_vec(),
        backing: description.as_ref(),
        ..Creation::default()
    };
    let format = formats::by_name("vmdk").expect("the format");
    format.create(&creation).expect("a writer")
}

/// A disk of several extents has data where they meet.
#[test]
fn vmdk_split() {
    let size: u64 = (4 << 30) + 1_000_448;
    let piece = disk(200_704);
    for subformat in &SUBFORMATS[2..] {
        let place = Place::new();
        place.must("truncate", &["-s", &size.to_string(), "disk.raw"]);
        let mut writer = vmdk_writer(size, vmdk_options(subformat, &[]), None);
        let mut files = native::SparseFiles::new(&place, "image.x", writer.as_ref());
        for offset in [0, (2 << 30) - 65_536, (4 << 30) - 512, size - piece.len() as u64] {
            files.write_data(writer.as_mut(), offset, &piece).expect("data is written");
            place.patch("disk.raw", offset, &piece);
        }
        writer.finish(&mut files).expect("an image");
        let arguments = ["compare", "-f", "raw", "-F", "vmdk", "disk.raw", "image.x"];
        let compared = place.qemu_img(&arguments);
        assert_eq!(compared.stdout, "Images are identical.\n", "{subformat}: {compared:?}");
        let checked = place.qemu_img(&["check", "-f", "vmdk", "image.x"]);
        assert!(checked.success(), "{subformat}: {checked:?}");
    }
}

/// What is on top of another image hides it where it is to, and nowhere else.
#[test]
fn vmdk_child() {
    for (subformat, zeroed) in [
        ("monolithicSparse", false),
        ("monolithicSparse", true),
        ("twoGbMaxExtentSparse", true),
        ("streamOptimized", true),
    ] {
        let place = Place::new();
        place.must("qemu-img", &["create", "-q", "-f", "vmdk", "parent.vmdk", "5M"]);
        let write = ["-f", "vmdk", "-c", "write -P 7 0 5M", "parent.vmdk"];
        place.must("qemu-io", &write);
        let parent = native::open(&place, "parent.vmdk", None).expect("the parent");
        let more = [
            ("zeroed_grain", Value::Flag(zeroed)),
            ("backing_file", Value::Text(b"parent.vmdk".to_vec())),
            ("backing_fmt", Value::Text(b"vmdk".to_vec())),
        ];
        let mut writer = vmdk_writer(5 << 20, vmdk_options(subformat, &more), Some(&parent));
        let mut files = Files::default();
        if writer.encoding().is_none() {
            let data = disk(200_000)[..131_072].to_vec();
            files.write_data(writer.as_mut(), 1 << 20, &data).expect("data is written");
        }
        writer.zero(2 << 20, 196_608, &mut files).expect("zeros");
        writer.finish(&mut files).expect("an image");
        native::write(&place, "image.x", writer.as_ref(), &files);

        place.must("qemu-img", &["convert", "-f", "vmdk", "-O", "raw", "image.x", "truth.raw"]);
        let truth = fs::read(place.file("truth.raw")).expect("the truth");
        assert!(truth[..1 << 20].iter().all(|byte| *byte == 7), "{subformat}");
        assert!(truth[2 << 20..(2 << 20) + 196_608].iter().all(|byte| *byte == 0), "{subformat}");
        let child = native::open(&place, "image.x", Some("vmdk")).expect("the child");
        assert!(native::content(&child).expect("its content") == truth, "{subformat}");
    }
}
