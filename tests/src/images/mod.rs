//! Images for tests. All are made here; none is kept.
//!
//! What qemu-img can make, it makes. The rest comes from the sample makers that
//! lie beside the formats, and from the tools of their makers (cryptsetup,
//! xorriso). Each format has a file here with its images, and with what is to be
//! said of them.

pub mod raw;
pub mod vhdx;
pub mod vmdk;
pub mod vpc;

use std::fs;

use crate::tool::workspace;
use crate::{Outcome, Place};

/// An image, or a set of files that is one.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// What it shows.
    pub name: &'static str,
    /// The file to look at.
    pub file: &'static str,
    /// How it is made, one step after the other.
    steps: &'static [Step],
    /// What is to be said of the file by itself.
    pub alone: Verdict,
    /// What is to be said if what it refers to is looked at as well.
    pub chain: Verdict,
}

/// A step in the making of an image.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A command that must succeed, its words separated by blanks.
    Run(&'static str),
    /// A file, and what is to be in it.
    Write(&'static str, fn() -> Vec<u8>),
    /// A change of a file: where, and what is to be there.
    Patch(&'static str, u64, &'static [u8]),
}

/// Who says what the output has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// qemu-img, to the byte, be it a description or a complaint.
    Qemu,
    /// qemu-img, when it is told more than its user would know.
    QemuWith(&'static [&'static str]),
    /// qemu-img, of a copy on which this command has been run. The room that files
    /// take on disk is left out of the comparison.
    QemuAfter(&'static str),
    /// Two files in `tests/expected`, with `.txt` and `.json` behind this name.
    /// The room that files take on disk is left out of the comparison.
    Expected(&'static str),
    /// The image cannot be opened, for this reason.
    Refused(&'static str),
}

impl Image {
    /// An image of which qemu-img says what is to be said.
    #[must_use]
    pub const fn new(name: &'static str, file: &'static str, steps: &'static [Step]) -> Self {
        Self { name, file, steps, alone: Verdict::Qemu, chain: Verdict::Qemu }
    }

    /// The same image, with another verdict on its file by itself.
    #[must_use]
    pub const fn alone(self, alone: Verdict) -> Self {
        Self { alone, ..self }
    }

    /// The same image, with another verdict in any case.
    #[must_use]
    pub const fn verdict(self, verdict: Verdict) -> Self {
        Self { alone: verdict, chain: verdict, ..self }
    }

    /// The same image, with another verdict on the chain.
    #[must_use]
    pub const fn chain(self, chain: Verdict) -> Self {
        Self { chain, ..self }
    }

    /// Makes the image.
    ///
    /// # Panics
    ///
    /// If a tool fails.
    pub fn make(&self, place: &Place) {
        for step in self.steps {
            match step {
                Step::Run(command) => run(place, command),
                Step::Write(name, bytes) => place.write(name, &bytes()),
                Step::Patch(name, offset, bytes) => place.patch(name, *offset, bytes),
            }
        }
    }

    /// Holds what exuvia said against the verdict. `arguments` are those that it
    /// got, without the name of the file.
    ///
    /// # Panics
    ///
    /// If it said something else.
    pub fn judge(&self, place: &Place, arguments: &[&str], said: &Outcome, by: &str) {
        let verdict = if arguments.contains(&"--backing-chain") { self.chain } else { self.alone };
        let context = format!("{}: {arguments:?} on {by}", self.name);
        match verdict {
            Verdict::Qemu => {
                let expected = place.qemu_img(&[arguments, &[self.file]].concat());
                assert_eq!(*said, expected, "{context}");
            }
            Verdict::QemuWith(more) => {
                let expected = place.qemu_img(&[arguments, more, &[self.file]].concat());
                assert_eq!(*said, expected, "{context}");
            }
            Verdict::QemuAfter(command) => {
                let copy = Place::new();
                let files = place.path().join(".");
                copy.must("cp", &["-r", &files.to_string_lossy(), "."]);
                run(&copy, command);
                let expected = copy.qemu_img(&[arguments, &[self.file]].concat());
                assert_eq!(
                    (said.code, &said.stderr),
                    (expected.code, &expected.stderr),
                    "{context}"
                );
                let [said, expected] = [said, &expected].map(|it| without_room_on_disk(&it.stdout));
                assert_eq!(said, expected, "{context}");
            }
            Verdict::Expected(name) => {
                assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{context}");
                let is_json = arguments.contains(&"--output=json");
                let extension = if is_json { "json" } else { "txt" };
                let path = workspace().join("tests/expected").join(format!("{name}.{extension}"));
                let stdout = without_room_on_disk(&said.stdout);
                if std::env::var_os("EXUVIA_BLESS").is_some() {
                    fs::write(&path, &stdout).expect("an expectation is written");
                }
                let expected = fs::read_to_string(&path).unwrap_or_default();
                assert_eq!(stdout, expected, "{context}: {} says otherwise", path.display());
            }
            Verdict::Refused(reason) => {
                let line = format!("qemu-img: Could not open '{}': {reason}\n", self.file);
                assert_eq!((said.code, said.stderr.as_str()), (Some(1), &*line), "{context}");
                assert_eq!(said.stdout, "", "{context}");
            }
        }
    }
}

/// Runs a command that must succeed.
fn run(place: &Place, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (program, arguments) = words.split_first().expect("a command");
    place.must(program, arguments);
}

/// A description without the lines that depend on the file system.
fn without_room_on_disk(text: &str) -> String {
    let depends = |line: &&str| {
        let line = line.trim_start();
        !line.starts_with("disk size:") && !line.starts_with("\"actual-size\":")
    };
    text.lines().filter(depends).map(|line| format!("{line}\n")).collect()
}
