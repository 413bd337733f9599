//! `map --output=svg`: a picture is well-formed XML, and says of every image what the JSON
//! output says of it.

use std::collections::BTreeMap;

use tests::sources::{self, Source};
use tests::{Machine, Place};

/// How many bytes are of a kind, and in images from this depth on.
type Totals = BTreeMap<(String, Option<u64>), u64>;

/// The least depth of each shade.
const SHADES: [u64; 7] = [0, 1, 2, 3, 4, 8, 16];

/// Reads a picture as any program would, and prints what programs look for: the role, the
/// summary's name, then a line for each total.
const READER: &str = r#"
import sys, xml.etree.ElementTree as tree
svg = "{http://www.w3.org/2000/svg}"
root = tree.parse(sys.argv[1]).getroot()
assert root.tag == svg + "svg", root.tag
assert root.get("role") == "img"
ids = {part.get("id"): part for part in root if part.get("id")}
named = root.get("aria-labelledby").split()
assert [ids[name].tag for name in named] == [svg + "title", svg + "desc"], named
assert all(ids[name].text.strip() for name in named)
print(ids[named[0]].text)
for part in root.iter(svg + "g"):
    if part.get("data-bytes"):
        print(part.get("data-kind"), part.get("data-depth"), part.get("data-bytes"))
"#;

/// Draws an image. The title of the picture and the totals in it.
fn draw(place: &Place, machine: Machine, file: &str, options: &[&str]) -> (String, Totals) {
    let arguments = [&["map", "--output=svg"], options, &[file]].concat();
    let said = place.exuvia(machine, &arguments);
    assert!(said.success() && said.stderr.is_empty(), "{arguments:?}: {said:?}");
    place.write("picture.svg", said.stdout.as_bytes());
    place.write("reader.py", READER.as_bytes());
    let read = place.must("python3", &["reader.py", "picture.svg"]);
    let (title, lines) = read.split_once('\n').unwrap();
    let totals = lines.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let [kind, depth, bytes] = words.as_slice() else { panic!("{line}") };
        ((kind.to_string(), depth.parse().ok()), bytes.parse().unwrap())
    });
    (title.to_owned(), totals.collect())
}

/// The same totals, out of the JSON output.
fn add_up(place: &Place, machine: Machine, file: &str, options: &[&str]) -> Totals {
    let arguments = [&["map", "--output=json"], options, &[file]].concat();
    let said = place.exuvia(machine, &arguments);
    let map: Vec<serde_json::Value> = serde_json::from_str(&said.stdout).unwrap();
    let mut totals = Totals::new();
    for extent in map {
        let is = |flag: &str| extent[flag] == true;
        let depth = extent["depth"].as_u64().unwrap();
        let shade = SHADES.into_iter().rfind(|least| *least <= depth);
        let class = match (is("present"), is("zero"), is("data"), is("compressed")) {
            (false, ..) => ("unallocated", None),
            (_, true, true, _) => ("reserved", shade),
            (_, true, false, _) => ("zeros", shade),
            (_, false, _, true) => ("compressed", shade),
            (_, false, _, false) => ("data", shade),
        };
        let bytes = extent["length"].as_u64().unwrap();
        *totals.entry((class.0.to_owned(), class.1)).or_default() += bytes;
    }
    // Of nothing, JSON says how it is stored all the same.
    totals.retain(|_, bytes| *bytes > 0);
    totals
}

#[test]
fn pictures_of_all_formats_have_the_totals_of_the_json_output() {
    let machine = Machine::all()[0];
    let mut complaints = Vec::new();
    let all = [
        sources::raw::SOURCES,
        sources::qcow2::SOURCES,
        sources::qcow::SOURCES,
        sources::qed::SOURCES,
        sources::vmdk::SOURCES,
        sources::vdi::SOURCES,
        sources::vpc::SOURCES,
        sources::parallels::SOURCES,
        sources::vhdx::SOURCES,
        sources::cloop::SOURCES,
        sources::dmg::SOURCES,
    ];
    for source in all.into_iter().flatten().filter(|source| Source::is_read_by_qemu(source)) {
        let place = Place::new();
        source.make(&place);
        let (title, totals) = draw(&place, machine, source.file, &[]);
        let expected = add_up(&place, machine, source.file, &[]);
        if totals != expected || title != format!("Map of {}", source.file) {
            complaints.push(format!("{}: {title}, {totals:?}\n{expected:?}", source.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Six images on top of each other, with everything that there can be in one.
fn chain() -> Place {
    let place = Place::new();
    let run = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        place.must(words[0], &words[1..]);
    };
    let io = |file: &str, command: &str| {
        place.must("qemu-io", &["-f", "qcow2", "-c", command, file]);
    };
    let content: Vec<u8> = (0..2_u32 << 20).map(|it| it.to_le_bytes()[it as usize % 3]).collect();
    place.write("raw.img", &content);
    run("qemu-img convert -c -O qcow2 raw.img 0.qcow2");
    for layer in 1..6_u32 {
        let (file, below) = (format!("{layer}.qcow2"), format!("{}.qcow2", layer - 1));
        run(&format!("qemu-img create -q -f qcow2 -b {below} -F qcow2 {file} {}M", 2 + layer));
        io(&file, &format!("write -q -P {layer} {}k 96k", 100 * layer));
        io(&file, &format!("write -q -z {}k 200k", 1000 + 70 * layer));
    }
    place
}

#[test]
fn a_chain_is_drawn_by_depth_on_every_machine() {
    let place = chain();
    let ways: [&[&str]; 4] = [&[], &["-s", "100k"], &["-l", "1500k"], &["-s", "513", "-l", "2M"]];
    for machine in Machine::all() {
        for way in ways {
            let (_, totals) = draw(&place, machine, "5.qcow2", way);
            assert_eq!(totals, add_up(&place, machine, "5.qcow2", way), "{machine:?}, {way:?}");
        }
    }
    let (_, totals) = draw(&place, Machine::all()[0], "5.qcow2", &[]);
    let kinds: Vec<_> = totals.keys().map(|(kind, depth)| (kind.as_str(), *depth)).collect();
    for expected in [("data", Some(0)), ("data", Some(4)), ("compressed", Some(4))] {
        assert!(kinds.contains(&expected), "{expected:?} is not in {kinds:?}");
    }
    assert_eq!(totals.values().sum::<u64>(), 7 << 20);
}

#[test]
fn the_same_disk_gives_the_same_picture() {
    let place = chain();
    let draw = |machine| place.exuvia(machine, &["map", "--output=svg", "5.qcow2"]);
    let first = draw(Machine::all()[0]);
    assert!(first.success(), "{first:?}");
    for machine in Machine::all() {
        assert_eq!(draw(machine), first, "{machine:?}");
    }
}

#[test]
fn disks_of_every_size_have_a_picture() {
    let place = Place::new();
    let machine = Machine::all()[0];
    for (size, bytes) in [("0", 0), ("512", 512), ("66048", 66_048), ("2T", 2 << 40)] {
        place.must("qemu-img", &["create", "-q", "-f", "qcow2", "a.qcow2", size]);
        let (_, totals) = draw(&place, machine, "a.qcow2", &[]);
        assert_eq!(totals.values().sum::<u64>(), bytes, "{size}");
    }
}

/// A picture of an image with far more extents than it has cells.
#[test]
fn a_picture_does_not_grow_with_the_number_of_extents() {
    let place = Place::new();
    let machine = Machine::all()[0];
    let size = 64 << 20;
    place.must("qemu-img", &["create", "-q", "-f", "raw", "a.img", "64M"]);
    for (piece, offset) in (0..size).step_by(8192).enumerate() {
        place.patch("a.img", offset, &[1 + piece.to_le_bytes()[0] % 7; 4096]);
    }
    let map = place.exuvia(machine, &["map", "--output=json", "a.img"]);
    let extents = map.stdout.lines().count();
    let (_, totals) = draw(&place, machine, "a.img", &[]);
    assert_eq!(totals, add_up(&place, machine, "a.img", &[]));
    // Where files have no holes, it is one extent.
    assert!(extents == 1 || extents > 8192, "{extents}");
    let picture = std::fs::metadata(place.file("picture.svg")).unwrap().len();
    assert!(picture < 4 << 20, "{picture} bytes");
}

#[test]
fn names_of_files_are_text() {
    let place = Place::new();
    let name = "a<b>&amp;\"c'\u{1b}\u{ffff}.img";
    place.write(name, &[1; 512]);
    let (title, _) = draw(&place, Machine::all()[0], name, &[]);
    assert_eq!(title, "Map of a<b>&amp;\"c'\\x1b\u{fffd}.img");
}

#[test]
fn of_what_cannot_be_mapped_there_is_no_picture() {
    let place = Place::new();
    place.write("a.img", &[0; 512]);
    for arguments in [&["missing.img"][..], &["-f", "qcow2", "a.img"], &["-s", "1z", "a.img"]] {
        let svg = [&["map", "--output=svg"], arguments].concat();
        let human = [&["map"], arguments].concat();
        for machine in Machine::all() {
            let said = place.exuvia(machine, &svg);
            assert_eq!(said, place.qemu_img(&human), "{arguments:?}");
            assert!(said.stdout.is_empty());
        }
    }
}
