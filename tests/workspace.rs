//! The rules of the workspace: who may know whom, and who may be unsafe.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::tool::workspace;

/// The crates of the workspace that each crate may depend on, in any way.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("abi", &[]),
    ("drivers", &[]),
    ("formats", &[]),
    ("ops", &["abi", "formats"]),
    ("kernel", &["abi", "drivers", "ops"]),
    // Never `formats`, never `ops`: the host cannot parse an image.
    ("vmm", &["abi"]),
];

/// The dependencies of each crate of the workspace on others of it.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |package: &Value| package["name"].as_str().unwrap().to_owned();
    let members: BTreeSet<String> = packages.iter().map(name).collect();
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        all.iter().map(name).filter(|dependency| members.contains(dependency)).collect()
    };
    packages.iter().map(|package| (name(package), dependencies(package))).collect()
}

#[test]
fn each_crate_knows_only_those_below_it() {
    let edges = edges();
    for (name, allowed) in ALLOWED {
        let allowed: BTreeSet<String> = allowed.iter().map(ToString::to_string).collect();
        let found = &edges[name];
        assert!(found.is_subset(&allowed), "{name} depends on {found:?}, allowed: {allowed:?}");
    }
}

#[test]
fn the_host_reaches_neither_formats_nor_operations() {
    let edges = edges();
    let mut reached = BTreeSet::from(["vmm".to_owned()]);
    loop {
        let next: BTreeSet<String> =
            reached.iter().flat_map(|name| edges[name].iter().cloned()).collect();
        let before = reached.len();
        reached.extend(next);
        if reached.len() == before {
            break;
        }
    }
    assert_eq!(reached, BTreeSet::from(["abi".to_owned(), "vmm".to_owned()]));
}

/// The modules that may hold unsafe code.
const UNSAFE: [&str; 8] = [
    "drivers/",
    "kernel/",
    "vmm/src/devices/volatile_io.rs",
    "vmm/src/host_file/queries.rs",
    "vmm/src/kvm/memory.rs",
    "vmm/src/kvm/mod.rs",
    "vmm/src/timings.rs",
    // The lint and the rule speak of it.
    "tests/workspace.rs",
];

#[test]
fn unsafe_code_stays_where_it_belongs() {
    for file in rust_files() {
        let relative = file.strip_prefix(workspace()).unwrap().to_str().unwrap().to_owned();
        if UNSAFE.iter().any(|allowed| relative.starts_with(allowed)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.split("//").next().unwrap();
            // What is between quotation marks is text: qemu has a cache mode of this name.
            let code: String = code.split('"').step_by(2).collect();
            let is_unsafe = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            assert!(
                !is_unsafe.into_iter().any(|word| word == "unsafe"),
                "{relative}:{number}: {line}"
            );
        }
    }
}

#[test]
fn formats_and_operations_forbid_unsafe_code() {
    for file in ["abi/src/lib.rs", "formats/src/lib.rs", "ops/src/lib.rs"] {
        let text = std::fs::read_to_string(workspace().join(file)).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{file}");
    }
}

/// How long a file may be before nobody reads it to the end.
const LONGEST: usize = 800;

#[test]
fn no_file_outgrows_its_reader() {
    for file in rust_files() {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", file.display());
    }
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let mut pages = Vec::new();
    collect(workspace(), "md", &mut pages);
    let mut links = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let folder = page.parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains(':') {
                continue;
            }
            links += 1;
            assert!(folder.join(path).exists(), "{}: {target}", page.display());
        }
    }
    assert!(links > 20, "the links are not where they are looked for");
}

/// Every Rust file of the workspace.
fn rust_files() -> Vec<PathBuf> {
    let folders = ["abi", "drivers", "formats", "fuzz", "kernel", "ops", "tests", "vmm", "xtask"];
    let mut files = Vec::new();
    for folder in folders {
        collect(&workspace().join(folder), "rs", &mut files);
    }
    assert!(files.len() > 50, "the files are not where they are looked for");
    files
}

/// Adds the files below a folder whose names end like this.
fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_ours = !path.ends_with("target") && !path.ends_with(".git");
        if path.is_dir() && is_ours {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}
