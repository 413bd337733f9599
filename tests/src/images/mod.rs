//! Images for tests. All are made here; none is kept.
//!
//! What qemu-img can make, it makes. The rest comes from the sample makers that
//! lie beside the formats, and from the tools of their makers (cryptsetup,
//! xorriso). Each format has a file here with its images, and with what is to be
//! said of them.

pub mod bochs;
pub mod cloop;
pub mod contents;
pub mod dmg;
pub mod luks;
pub mod luks2;
pub mod parallels;
pub mod qcow;
pub mod qcow2;
pub mod qed;
pub mod raw;
pub mod vdi;
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
    /// A command that must succeed, its words separated by blanks. A word in
    /// quotation marks, like 'this one', may have some in it.
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
    /// qemu-img, of a copy on which this command has been run. Lines that differ from
    /// run to run are left out of the comparison.
    QemuAfter(&'static str),
    /// Two files in `tests/expected`, with `.txt` and `.json` behind this name.
    /// Lines that differ from run to run are left out of the comparison. If the
    /// same is expected of the file by itself and of the chain, the chain has one
    /// link.
    Expected(&'static str),
    /// The image cannot be opened, for this reason.
    Refused(&'static str),
    /// Something else cannot be done: the whole complaint.
    Complaint(&'static str),
}

impl Step {
    /// Takes the step.
    ///
    /// # Panics
    ///
    /// If a tool fails.
    pub fn take(&self, place: &Place) {
        match self {
            Self::Run(command) => run(place, command),
            Self::Write(name, bytes) => place.write(name, &bytes()),
            Self::Patch(name, offset, bytes) => place.patch(name, *offset, bytes),
        }
    }
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
        self.steps.iter().for_each(|step| step.take(place));
    }

    /// Holds what exuvia said against the verdict. `arguments` are those that it
    /// got, without the name of the file.
    ///
    /// # Errors
    ///
    /// If it said something else: the difference, for people.
    pub fn judge(&self, place: &Place, arguments: &[&str], said: &Outcome) -> Result<(), String> {
        let verdict = if arguments.contains(&"--backing-chain") { self.chain } else { self.alone };
        match verdict {
            Verdict::Qemu => compare(said, &place.qemu_img(&[arguments, &[self.file]].concat())),
            Verdict::QemuWith(more) => {
                compare(said, &place.qemu_img(&[arguments, more, &[self.file]].concat()))
            }
            Verdict::QemuAfter(command) => {
                let copy = Place::new();
                let files = place.path().join(".");
                copy.must("cp", &["-r", &files.to_string_lossy(), "."]);
                run(&copy, command);
                let expected = copy.qemu_img(&[arguments, &[self.file]].concat());
                let [said, expected] = [said, &expected].map(|outcome| Outcome {
                    stdout: without_what_varies(&outcome.stdout),
                    ..outcome.clone()
                });
                compare(&said, &expected)
            }
            Verdict::Expected(name) => {
                let is_json = arguments.contains(&"--output=json");
                let extension = if is_json { "json" } else { "txt" };
                let path = workspace().join("tests/expected").join(format!("{name}.{extension}"));
                let said = Outcome { stdout: without_what_varies(&said.stdout), ..said.clone() };
                let in_chain = is_json && arguments.contains(&"--backing-chain");
                let is_only_link = in_chain && self.alone == self.chain;
                if std::env::var_os("EXUVIA_BLESS").is_some() && !is_only_link {
                    fs::write(&path, &said.stdout).expect("an expectation is written");
                }
                let stdout = fs::read_to_string(&path).unwrap_or_default();
                let stdout = if is_only_link { list_of_one(&stdout) } else { stdout };
                compare(&said, &Outcome { code: Some(0), stdout, stderr: String::new() })
            }
            Verdict::Refused(reason) => {
                complaint(said, &format!("Could not open '{}': {reason}", self.file))
            }
            Verdict::Complaint(words) => complaint(said, words),
        }
    }
}

/// Runs a command that must succeed.
fn run(place: &Place, command: &str) {
    let words = words(command);
    let (program, arguments) = words.split_first().expect("a command");
    place.must(program, arguments);
}

/// The words of a command.
fn words(command: &str) -> Vec<&str> {
    // Every second piece was between quotation marks.
    let pieces = command.split('\'').enumerate();
    let words = pieces.flat_map(|(index, piece)| match index % 2 {
        0 => piece.split_whitespace().collect(),
        _ => vec![piece],
    });
    words.collect()
}

/// A list in JSON with one object in it.
fn list_of_one(object: &str) -> String {
    let lines: String = object.lines().map(|line| format!("    {line}\n")).collect();
    format!("[\n{lines}]\n")
}

/// Whether an outcome is a complaint in these words.
fn complaint(said: &Outcome, words: &str) -> Result<(), String> {
    let stderr = format!("qemu-img: {words}\n");
    compare(said, &Outcome { code: Some(1), stdout: String::new(), stderr })
}

/// Whether two outcomes are equal.
fn compare(said: &Outcome, expected: &Outcome) -> Result<(), String> {
    if said == expected {
        return Ok(());
    }
    let show = |outcome: &Outcome| {
        let code = outcome.code.map_or("a signal".to_owned(), |code| code.to_string());
        format!("exit {code}\n{}{}", outcome.stdout, outcome.stderr)
    };
    Err(format!("exuvia said: {}\nexpected: {}", show(said), show(expected)))
}

/// A description without the lines that differ from run to run: they depend on
/// the file system, or the maker of the image has drawn them by lot.
fn without_what_varies(text: &str) -> String {
    const VARIES: [&str; 4] = ["disk size:", "\"actual-size\":", "cid:", "\"cid\":"];
    let stays = |line: &&str| !VARIES.iter().any(|name| line.trim_start().starts_with(name));
    text.lines().filter(stays).map(|line| format!("{line}\n")).collect()
}
