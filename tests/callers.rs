//! The command lines of docs/callers.md, as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tests::tool::{self, Outcome};
use tests::{Machine, Place};

/// The document, whose blocks are run.
const CALLERS: &str = include_str!("../docs/callers.md");

/// How many callers there are at least: that the document is read at all.
const CALLERS_KNOWN: usize = 12;

/// Makes the images that the document names.
const IMAGES: &str = "
set -e
mkdir images && cd images
qemu-img create -q -f qcow2 base.qcow2 16M
qemu-io -c 'write -P 1 0 1M' -c 'write -P 2 5M 64k' base.qcow2
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 overlay.qcow2 24M
qemu-io -c 'write -P 3 512k 1M' -c 'write -P 4 20M 512' overlay.qcow2
qemu-img create -q -f qcow2 image.qcow2 16M
qemu-io -c 'write -P 5 1M 3M' image.qcow2
qemu-img snapshot -c before-update image.qcow2
qemu-io -c 'write -P 6 2M 1M' -c 'write -z 3M 512k' -c 'write -P 7 15M 1M' image.qcow2
qemu-img convert -O raw image.qcow2 image.raw
qemu-img convert -O vmdk -o subformat=streamOptimized image.qcow2 image.vmdk
qemu-img convert -O vpc image.qcow2 image.vhd
qemu-img create -q -f raw target.raw 16M
qemu-img create -q -f qcow2 target.qcow2 16M
";

/// What came of a block: what it said, and where its files are.
struct Run {
    outcome: Outcome,
    folder: PathBuf,
}

/// Runs a block in a fresh folder `work`, which is called something else then. The
/// folder's own name is the same each time, since some commands say it.
fn run_block(place: &Place, block: &str, commands: Option<&Path>, name: &str) -> Run {
    place.must("cp", &["-a", "--sparse=always", "images", "work"]);
    let path = std::env::var("PATH").expect("a search path");
    let path = commands.map_or(path.clone(), |folder| format!("{}:{path}", folder.display()));
    let machine = ("EXUVIA_BACKEND", Machine::all()[0].name());
    let script = format!("cd work && PATH={path}:$PATH && set -e\n{block}");
    let outcome = tool::run(Path::new("sh"), &["-c", &script], place.path(), &[machine]);
    let folder = place.file(name);
    fs::rename(place.file("work"), &folder).expect("a folder gets another name");
    Run { outcome, folder }
}

/// The text without the steps of progress lines, but the last of each.
fn without_steps(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let mut parts: Vec<&str> = line.split('\r').collect();
        let is_step = |part: &&str| part.starts_with("    (") && part.ends_with("/100%)");
        let steps = parts.iter().filter(|part| is_step(part)).count();
        let mut seen = 0;
        parts.retain(|part| {
            seen += usize::from(is_step(part));
            !is_step(part) || seen == steps
        });
        parts.join("\r")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The callers, each with its blocks, in one.
fn callers() -> BTreeMap<&'static str, String> {
    let mut callers = BTreeMap::new();
    let mut section = "";
    let mut is_inside = false;
    for line in CALLERS.lines() {
        match line {
            "```sh" => is_inside = true,
            "```" => is_inside = false,
            line if is_inside => {
                let block: &mut String = callers.entry(section).or_default();
                block.push_str(line);
                block.push('\n');
            }
            line => section = line.strip_prefix("## ").unwrap_or(section),
        }
    }
    callers
}

/// The files that are in a folder, each with its format and the size of its disk.
fn files(place: &Place, folder: &Path) -> BTreeMap<String, (String, u64)> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| {
            let name = name.into_string().expect("a name that is text");
            let path = folder.join(&name);
            let path = path.to_str().expect("a path that is text");
            let info = place.must("qemu-img", &["info", "--output=json", path]);
            let info: serde_json::Value = serde_json::from_str(&info).expect("JSON");
            let format = info["format"].as_str().expect("a format").to_owned();
            (name, (format, info["virtual-size"].as_u64().expect("a size")))
        })
        .collect()
}

#[test]
fn the_command_lines_of_callers_do_what_qemu_img_does() {
    let callers = callers();
    assert!(callers.len() >= CALLERS_KNOWN, "{:?}", callers.keys());
    let place = Place::new();
    place.must("sh", &["-c", IMAGES]);
    let mut complaints = Vec::new();
    for (caller, block) in &callers {
        let expected = run_block(&place, block, None, "expected");
        assert!(expected.outcome.success(), "{caller}: qemu-img: {:?}", expected.outcome);
        let made = run_block(&place, block, Some(place.commands()), "made");
        let said = |run: &Run| {
            let Outcome { code, stdout, stderr } = &run.outcome;
            (*code, without_steps(stdout), without_steps(stderr))
        };
        if said(&made) != said(&expected) {
            let (made, expected) = (said(&made), said(&expected));
            complaints.push(format!("{caller}: said {made:?}, not {expected:?}"));
        }
        let (made_files, expected_files) =
            (files(&place, &made.folder), files(&place, &expected.folder));
        if made_files != expected_files {
            complaints.push(format!("{caller}: made {made_files:?}, not {expected_files:?}"));
        }
        // What lies on top of an image there needs it.
        place.must("cp", &["-a", "images", "work"]);
        for name in expected_files.keys().filter(|name| made_files.contains_key(*name)) {
            let pair = [format!("made/{name}"), format!("expected/{name}")];
            // Without being told, one of a fixed size is taken for raw.
            let format = if name.ends_with(".vhd") { &["-f", "vpc", "-F", "vpc"][..] } else { &[] };
            let compare = [&["compare"], format, &[&pair[0], &pair[1]]].concat();
            let compared = place.qemu_img(&compare);
            if !compared.success() {
                complaints.push(format!("{caller}: {name}: {compared:?}"));
            }
        }
        for folder in [made.folder, expected.folder, place.file("work")] {
            fs::remove_dir_all(folder).expect("a folder is removed");
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
