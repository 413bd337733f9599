//! `map`, on every machine: how the disks of all images are stored, held against qemu-img
//! or, where that does not say, against what is on them (`docs/differences.md`).

use tests::sources::{self, Source};
use tests::{Machine, Place};

/// The ways of asking.
const WAYS: [&[&str]; 6] = [
    &["map", "--output=json"],
    &["map"],
    &["map", "--output=json", "-s", "1000448"],
    &["map", "--output=json", "-s", "65024", "-l", "1M"],
    &["map", "-l", "66048"],
    &["map", "--output=json", "-s", "100G"],
];

/// The output that has everything.
const JSON: &str = "--output=json";

/// The complaint about what has no place.
const NO_PLACE: &str = "qemu-img: File contains external, encrypted or compressed clusters.\n";

/// The ways that the other machines are asked in.
const FEWER_WAYS: [&[&str]; 1] = [WAYS[3]];

/// Maps every image in every way, and then says what was wrong with all.
fn judge(sources: &[Source], is_known: impl Fn(&str) -> bool) {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.is_read_by_qemu()) {
        let place = Place::new();
        source.make(&place);
        for way in WAYS {
            let arguments = [way, &[source.file]].concat();
            let expected = is_known(source.name).then(|| place.qemu_img(&arguments));
            for (index, machine) in Machine::all().into_iter().enumerate() {
                if index > 0 && !FEWER_WAYS.contains(&way) {
                    continue;
                }
                let said = place.exuvia(machine, &arguments);
                let name = source.name;
                match &expected {
                    Some(expected) if said == *expected => {}
                    Some(expected) => complaints.push(format!(
                        "{name}, {way:?} on {machine:?}\n{said:?}\nexpected\n{expected:?}"
                    )),
                    // What is compressed has no place that can be printed as text.
                    None if said.success() || said.stderr == NO_PLACE && !way.contains(&JSON) => {}
                    None => complaints.push(format!("{name}, {way:?} on {machine:?}\n{said:?}")),
                }
            }
        }
        if !is_known(source.name)
            && let Err(complaint) = judge_content(source, &place)
        {
            complaints.push(format!("{}: {complaint}", source.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Whether a map covers a disk, and its zeros are zeros and its data are where it says.
fn judge_content(source: &Source, place: &Place) -> Result<(), String> {
    let content = source.content(place)?;
    let machine = Machine::all()[0];
    let said = place.exuvia(machine, &["map", "--output=json", source.file]);
    let map: Vec<serde_json::Value> =
        serde_json::from_str(&said.stdout).map_err(|error| error.to_string())?;
    let file = std::fs::read(place.file(source.file)).map_err(|error| error.to_string())?;
    let mut end = 0;
    for extent in map {
        let number = |key: &str| {
            extent[key].as_u64().map(|number| usize::try_from(number).unwrap_or(usize::MAX))
        };
        let (start, length) = (number("start").unwrap(), number("length").unwrap());
        if start != end {
            return Err(format!("{extent} does not start at {end}"));
        }
        end += length;
        let disk = &content[start..end];
        if extent["zero"] == true && disk.iter().any(|byte| *byte != 0) {
            return Err(format!("{extent} is not zeros"));
        }
        if let Some(offset) = number("offset").filter(|_| extent["depth"] == 0)
            && extent["data"] == true
            && file.get(offset..offset + length).is_some_and(|stored| stored != disk)
        {
            return Err(format!("{extent} is not at {offset}"));
        }
    }
    if end == content.len() { Ok(()) } else { Err(format!("ends at {end}")) }
}

/// qemu-img knows how it is stored.
fn known(_: &str) -> bool {
    true
}

/// It takes all of it for data that is somewhere.
fn unknown(_: &str) -> bool {
    false
}

#[test]
fn raw() {
    judge(sources::raw::SOURCES, known);
}

#[test]
fn qcow2() {
    judge(sources::qcow2::SOURCES, known);
}

#[test]
fn qcow() {
    judge(sources::qcow::SOURCES, known);
}

#[test]
fn qed() {
    judge(sources::qed::SOURCES, known);
}

#[test]
fn vmdk() {
    judge(sources::vmdk::SOURCES, known);
}

#[test]
fn vdi() {
    judge(sources::vdi::SOURCES, known);
}

#[test]
fn vpc() {
    judge(sources::vpc::SOURCES, known);
}

#[test]
fn parallels() {
    judge(sources::parallels::SOURCES, known);
}

#[test]
fn vhdx() {
    judge(sources::vhdx::SOURCES, unknown);
}

#[test]
fn bochs() {
    judge(sources::bochs::SOURCES, unknown);
}

#[test]
fn cloop() {
    judge(sources::cloop::SOURCES, unknown);
}

#[test]
fn dmg() {
    judge(sources::dmg::SOURCES, unknown);
}

#[test]
fn what_makes_no_sense_is_refused_as_qemu_img_does() {
    let place = Place::new();
    place.must("qemu-img", &["create", "-q", "-f", "qcow2", "a.qcow2", "1M"]);
    for arguments in [
        &["map", "-s", "1z", "a.qcow2"][..],
        &["map", "-s", "-1", "a.qcow2"],
        &["map", "-s", "8E", "a.qcow2"],
        &["map", "-l", "", "a.qcow2"],
        &["map", "-l", "1.5", "a.qcow2"],
        &["map", "-s", "0x10000", "a.qcow2"],
        &["map", "-s", "7E", "-l", "1", "a.qcow2"],
        &["map", "--output=xml", "a.qcow2"],
        &["map"],
        &["map", "a.qcow2", "b.qcow2"],
        &["map", "missing.qcow2"],
        &["map", "-f", "vdi", "a.qcow2"],
        &["map", "-f", "nonsense", "a.qcow2"],
        &["map", "-f", "raw", "a.qcow2"],
        &["map", "--image-opts", "driver=qcow2,file.filename=a.qcow2"],
    ] {
        let expected = place.qemu_img(arguments);
        for machine in Machine::all() {
            let said = place.exuvia(machine, arguments);
            assert_eq!(said, expected, "{arguments:?} on {machine:?}");
        }
    }
}
