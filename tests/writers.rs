//! Images that the formats make on the host, held against qemu-img: it finds on their
//! disks what was written, and nothing to complain of.

use std::fs;

use formats::creation::{Options, Value};
use formats::whole::Files;
use formats::{Creation, Writer};
use tests::{Place, native};

/// A way of making an image: the format, and its options.
type Way<'a> = (&'a str, &'a [(&'a str, Value)]);

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
    let mut complaints = Vec::new();
    for (format, options) in ways {
        let mut set = Options::default();
        options.iter().for_each(|(name, value)| set.set(name, value.clone()));
        // qemu-img makes an empty VMDK, and then cannot open it.
        for size in SIZES.into_iter().filter(|size| *size > 0 || *format != "vmdk") {
            for granularity in GRANULARITIES {
                let place = Place::new();
                let disk = disk(size);
                place.write("disk.raw", &disk);
                let made = native::make(&place, "image.x", format, &set, &disk, granularity);
                let verdict = made.and_then(|()| verdict(&place, format, has_check));
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
