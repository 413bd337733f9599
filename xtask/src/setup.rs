//! What must be installed.
//!
//! Building needs Rust and a C compiler. Tests need qemu-img to compare with,
//! QEMU to run the guest in, and tools that make images qemu-img cannot make.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{must, output};

/// A program, and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

/// What the tests run. The two of QEMU must come from one suite.
const TOOLS: [Tool; 9] = [
    tool("qemu-img", "qemu-utils"),
    tool("qemu-io", "qemu-utils"),
    tool("qemu-system-x86_64", "qemu-system-x86"),
    tool("cryptsetup", "cryptsetup-bin"),
    tool("bzip2", "bzip2"),
    tool("python3", "python3"),
    tool("xorriso", "xorriso"),
    tool("zstd", "zstd"),
    tool("sfdisk", "fdisk"),
];

/// The qemu-img whose output is the one to match.
const QEMU_VERSION: &str = "10.0";

/// Makes sure that exuvia can be built.
pub(crate) fn for_building() -> Result<()> {
    if !is_installed("cc") {
        bail!("there is no C compiler, which assembles the boot code: apt-get install gcc");
    }
    Ok(())
}

/// Makes sure that everything the tests need is there: installs it where that
/// can be done without asking, or names the command.
pub(crate) fn for_tests() -> Result<()> {
    for_building()?;
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_installed(tool.program)).collect();
    if missing.is_empty() {
        return check_qemu_version();
    }
    let programs: Vec<_> = missing.iter().map(|tool| tool.program).collect();
    eprintln!("missing for the tests: {}", programs.join(", "));
    let mut packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    let commands = installation(&packages);
    if !Path::new("/etc/debian_version").exists() || !is_root() {
        bail!("install what is missing, on Debian with:\n\n{}\n", commands.join("\n"));
    }
    for command in commands {
        eprintln!("+ {command}");
        let mut shell = Command::new("sh");
        must(shell.args(["-c", &command]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    check_qemu_version()
}

/// The shell commands that install packages.
///
/// Debian 12 itself has QEMU 7.2; 10.0 is in its backports. Taking the emulator
/// from the one and qemu-img from the other does not work: apt removes the newer
/// of the two. So both are named, and both come from backports.
fn installation(packages: &[&str]) -> Vec<String> {
    let (of_qemu, others): (Vec<&str>, Vec<&str>) =
        packages.iter().partition(|package| package.starts_with("qemu-"));
    let mut commands = Vec::new();
    let needs_backports = !of_qemu.is_empty() && is_debian_12();
    if needs_backports {
        commands.push(
            "echo 'deb http://deb.debian.org/debian bookworm-backports main' \
             > /etc/apt/sources.list.d/bookworm-backports.list"
                .to_owned(),
        );
    }
    commands.push("apt-get update".to_owned());
    let install = "apt-get install -y --no-install-recommends";
    if !of_qemu.is_empty() {
        let suite = if needs_backports { " -t bookworm-backports" } else { "" };
        commands.push(format!("{install}{suite} qemu-utils qemu-system-x86"));
    }
    if !others.is_empty() {
        commands.push(format!("{install} {}", others.join(" ")));
    }
    commands
}

/// Says so if the tests will compare with another qemu-img than they were
/// written for.
fn check_qemu_version() -> Result<()> {
    let version = output(Command::new("qemu-img").arg("--version"))?;
    let first = version.lines().next().unwrap_or_default();
    if !first.contains(&format!("version {QEMU_VERSION}.")) {
        eprintln!("note: tests compare with qemu-img {QEMU_VERSION}; this is {first}");
    }
    Ok(())
}

/// Whether a program is in `PATH`, or where the system keeps those of root.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn is_debian_12() -> bool {
    let version = std::fs::read_to_string("/etc/debian_version");
    version.is_ok_and(|version| version.starts_with("12"))
}
