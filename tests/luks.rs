//! LUKS volumes of version 2. qemu-img does not know them, so what is said of them
//! is held against cryptsetup.

use serde_json::{Value, json};
use tests::images::{Verdict, luks2};
use tests::{Machine, Place};

/// The text between two others.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start:?} in {text}")).1;
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} in {text}")).0
}

/// A number, which the metadata of a volume have as a string.
fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

/// The items of an object, in the order of the numbers that are their names.
fn numbered(object: &Value) -> Vec<(u64, &Value)> {
    let items = object.as_object().unwrap().iter();
    let mut items: Vec<_> = items.map(|(name, item)| (name.parse().unwrap(), item)).collect();
    items.sort_by_key(|(number, _)| *number);
    items
}

/// The description that there should be of a volume, from what cryptsetup says.
fn described(dump: &str, metadata: &Value) -> Value {
    let is_kept = |segment: &Value| segment["flags"].to_string().contains("backup-");
    let segments = numbered(&metadata["segments"]).into_iter().map(|(_, segment)| segment);
    let segments: Vec<_> = segments.filter(|segment| !is_kept(segment)).collect();
    let encrypted = segments.iter().find(|segment| segment["type"] == "crypt").unwrap();
    let mut data = json!({
        "version": 2,
        "uuid": between(dump, "\nUUID:", "\n").trim(),
        "encryption": encrypted["encryption"],
        "sector-size": encrypted["sector_size"],
        "payload-offset": number(&segments[0]["offset"]),
        "slots": numbered(&metadata["keyslots"])
            .into_iter()
            .filter(|(_, slot)| slot["type"] == "luks2")
            .map(|(number, slot)| key_slot(number, slot))
            .collect::<Vec<_>>(),
    });
    let label = between(dump, "\nLabel:", "\nSubsystem:").trim_start_matches([' ', '\t']);
    let subsystem = between(dump, "\nSubsystem:", "\nFlags:").trim_start_matches([' ', '\t']);
    for (name, text) in [("label", label), ("subsystem", subsystem)] {
        if text != format!("(no {name})") {
            data[name] = text.into();
        }
    }
    if let Some(integrity) = encrypted.get("integrity") {
        data["integrity"] = integrity["type"].clone();
    }
    if metadata["config"]["requirements"].to_string().contains("reencrypt") {
        data["reencryption"] = true.into();
    }
    data
}

fn key_slot(slot: u64, it: &Value) -> Value {
    let mut data = json!({
        "slot": slot,
        "kdf": it["kdf"]["type"],
        "encryption": it["area"]["encryption"],
        "key-size": it["key_size"],
        "key-offset": number(&it["area"]["offset"]),
    });
    for (name, said) in [
        ("hash", "hash-alg"),
        ("iterations", "iters"),
        ("time", "time"),
        ("memory", "memory-kib"),
        ("cpus", "cpus"),
    ] {
        if let Some(value) = it["kdf"].get(name) {
            data[said] = value.clone();
        }
    }
    data
}

#[test]
fn volumes_are_described_as_by_cryptsetup() {
    let machine = Machine::all()[0];
    let are_described = |verdict| matches!(verdict, Verdict::Expected(_));
    for image in luks2::IMAGES.iter().filter(|image| are_described(image.alone)) {
        let place = Place::new();
        image.make(&place);
        let said = place.exuvia(machine, &["info", "--output=json", image.file]);
        assert!(said.success(), "{}: {said:?}", image.name);
        let said: Value = serde_json::from_str(&said.stdout).unwrap();
        let dump = place.must("cryptsetup", &["luksDump", image.file]);
        let metadata = place.must("cryptsetup", &["luksDump", "--dump-json-metadata", image.file]);
        let metadata = serde_json::from_str(&metadata).unwrap();
        let expected = described(&dump, &metadata);
        assert_eq!(said["format-specific"]["data"], expected, "{}", image.name);
    }
}
