//! `info --contents`: what it says of raw images, beside what qemu-img says.

use serde_json::Value;
use tests::images::contents::IMAGES;
use tests::{Machine, Outcome, Place};

/// A description without what `--contents` adds to it.
fn without_contents(said: &Outcome) -> Outcome {
    let others = said.stdout.lines().filter(|line| !line.starts_with("content: "));
    Outcome { stdout: others.map(|line| format!("{line}\n")).collect(), ..said.clone() }
}

/// The contents that a text has.
fn contents(said: &Outcome) -> Vec<String> {
    let lines = said.stdout.lines().filter_map(|line| line.strip_prefix("content: "));
    lines.map(ToOwned::to_owned).collect()
}

/// Runs `exuvia info`, which must succeed.
fn info(place: &Place, machine: Machine, arguments: &[&str]) -> Outcome {
    let said = place.exuvia(machine, &[&["info"], arguments].concat());
    assert!(said.success(), "{arguments:?}: {said:?}");
    said
}

fn parsed(said: &Outcome) -> Value {
    serde_json::from_str(&said.stdout).unwrap()
}

#[test]
fn contents_are_added_to_what_qemu_img_says() {
    for (image, held) in IMAGES {
        let place = Place::new();
        image.make(&place);
        for machine in Machine::all() {
            let context = format!("{} on {machine:?}", image.name);
            // Who does not ask gets what qemu-img says.
            let expected = place.qemu_img(&["info", image.file]);
            assert_eq!(info(&place, machine, &[image.file]), expected, "{context}");
            let said = info(&place, machine, &["--contents", image.file]);
            assert_eq!(without_contents(&said), expected, "{context}");
            let shown: Vec<String> =
                held.iter().map(|words| words.replace('\x1b', "\\x1b")).collect();
            assert_eq!(contents(&said), shown, "{context}");

            let expected = place.qemu_img(&["info", "--output=json", image.file]);
            let said = info(&place, machine, &["--output=json", image.file]);
            assert_eq!(said, expected, "{context}");
            let said = info(&place, machine, &["--contents", "--output=json", image.file]);
            let mut description = parsed(&said);
            let contents = description.as_object_mut().unwrap().remove("contents").unwrap();
            assert_eq!(description, parsed(&expected), "{context}");
            let words: Vec<_> = contents.as_array().unwrap().iter().map(in_words).collect();
            assert_eq!(words, *held, "{context}");
        }
    }
}

#[test]
fn a_part_of_a_file_has_contents_of_its_own() {
    let place = Place::new();
    let disk = formats::contents::sample::Mbr::default().bytes();
    place.write("a.img", &[&[0; 1 << 20][..], &disk].concat());
    let machine = Machine::all()[0];
    let whole = "driver=raw,file.filename=a.img";
    let part = "driver=raw,offset=1M,file.filename=a.img";
    for (options, expected) in
        [(whole, &[][..]), (part, &["mbr (disk: 0x1234abcd, partitions: 2)"])]
    {
        let said = info(&place, machine, &["--contents", "--image-opts", options]);
        assert_eq!(contents(&said), expected, "{options}");
    }
}

#[test]
fn other_formats_have_no_contents() {
    let place = Place::new();
    place.must("qemu-img", &["create", "-f", "vmdk", "a.vmdk", "1M"]);
    let machine = Machine::all()[0];
    for way in [&["a.vmdk"][..], &["--output=json", "a.vmdk"]] {
        let expected = place.qemu_img(&[&["info"], way].concat());
        let said = info(&place, machine, &[&["--contents"], way].concat());
        assert_eq!(said, expected);
    }
}

/// A content of the JSON, in the words that people get.
fn in_words(content: &Value) -> String {
    let content = content.as_object().unwrap();
    let text = |value: &Value| value.as_str().map_or(value.to_string(), ToOwned::to_owned);
    const KEYS: [&str; 7] =
        ["disk", "partitions", "sector-size", "valid", "backup", "volume", "bootable"];
    assert!(content.keys().all(|key| key == "type" || KEYS.contains(&key.as_str())));
    let details = KEYS.iter().filter_map(|key| Some((key, content.get(*key)?)));
    let details: Vec<_> = details.map(|(key, value)| format!("{key}: {}", text(value))).collect();
    let kind = text(&content["type"]);
    if details.is_empty() { kind } else { format!("{kind} ({})", details.join(", ")) }
}
