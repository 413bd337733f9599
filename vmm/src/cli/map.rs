//! `exuvia map`.

use std::ffi::OsString;
use std::process::ExitCode;

use abi::map::{Extent, Flags, Request};
use abi::reply::Reply;
use abi::request::Operation;

use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{MAX_DEPTH, Named, explain};
use super::suggested::Suggested;
use super::watch::{self, Names, NotDone};
use super::{Program, usage};
use crate::creation::number::{self, NotASize};
use crate::output::escape::for_terminal;
use crate::picture::{Cells, NoMap, Subject, draw};
use crate::progress::{Progress, Style};
use crate::run::FIRST_FILE_SLOT;

/// Show where the content of a disk image is stored.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// Start at this offset of the disk.
    #[arg(short = 's', long, value_name = "OFFSET", allow_hyphen_values = true)]
    start_offset: Option<String>,

    /// Look at no more than this.
    #[arg(short = 'l', long, value_name = "LENGTH", allow_hyphen_values = true)]
    max_length: Option<String>,

    /// Print text for people (human, the default), JSON (json) or a picture (svg).
    #[arg(long, value_name = "human|json|svg", allow_hyphen_values = true)]
    #[arg(value_parser = Suggested(&["human", "json", "svg"]), hide_possible_values = true)]
    output: Option<String>,

    #[command(flatten)]
    machine: MachineArgs,

    /// The image file (or a list of options, with --image-opts).
    #[arg(value_name = "FILENAME")]
    names: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia map disk.qcow2
  exuvia map --output=json top.qcow2      with the images underneath, in full
  exuvia map -s 1G -l 1M disk.vmdk
  exuvia map --output=svg top.qcow2 > top.svg
                                          a picture of the whole disk, for a browser

Exit code: 0 if the image could be mapped, 1 if not.";

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    let wrong = |message: &str| usage::fail(program, Some("map"), message);
    let paper = match arguments.output.as_deref() {
        Some("svg") => Paper::Svg,
        output => match usage::wants_json(output) {
            Ok(false) => Paper::Human,
            Ok(true) => Paper::Json,
            Err(message) => return wrong(&message),
        },
    };
    let [name] = arguments.names.as_slice() else {
        return wrong("Expecting one image file name");
    };
    match map(program, arguments, name, paper) {
        Ok(code) => code,
        Err(message) => program.fail(&message),
    }
}

/// How a map is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paper {
    Human,
    Json,
    Svg,
}

fn map(
    program: &Program,
    arguments: &Args,
    name: &OsString,
    paper: Paper,
) -> Result<ExitCode, String> {
    let start = arguments.start_offset.as_deref().map(|text| size("start offset", text));
    let length = arguments.max_length.as_deref().map(|text| size("max length", text));
    let (start, length) = (start.transpose()?.unwrap_or(0), length.transpose()?);
    if let Some(complaint) = arguments.image.complaint() {
        return Err(complaint);
    }
    let (named, file) = Named::open(&arguments.image, name)?;
    let request = Request {
        source: named.source(FIRST_FILE_SLOT, None),
        start,
        length,
        max_depth: MAX_DEPTH,
    };
    let shown = for_terminal(&named.name.shown);
    let mut printer = Printer { json: paper == Paper::Json, count: 0, complaint: None };
    let mut painter = Painter { cells: Cells::from(start), complaint: None };
    let mut hear = |reply, names: &Names| {
        if let Reply::Map(extents) = reply {
            extents.iter().for_each(|extent| match paper {
                Paper::Human | Paper::Json => printer.print(program, extent, names),
                Paper::Svg => painter.add(extent),
            });
        }
    };
    let mut silent = Progress::begin(Style::Silent, 1.0);
    let operation = Operation::Map(request);
    let machine = &arguments.machine;
    let done = watch::run(program, machine, operation, vec![file], &mut silent, &mut hear);
    match done {
        Ok(_) if paper == Paper::Svg => {
            let is_whole = start == 0 && length.is_none();
            painter.end(program, Subject { name: &shown, is_whole })
        }
        Ok(_) => printer.end(program, start).map(|()| ExitCode::SUCCESS),
        Err(NotDone::NoMachine(message)) => Err(message),
        Err(NotDone::Failed(error)) => Err(explain(&error, &[named], FIRST_FILE_SLOT)),
    }
}

/// A number on the command line.
fn size(what: &str, text: &str) -> Result<u64, String> {
    number::offset(text).map_err(|error| match error {
        NotASize::Invalid => {
            format!("Invalid {what} specified: '{}'.", for_terminal(text.as_bytes()))
        }
        NotASize::TooLarge => {
            format!("Invalid {what} specified. Must be between 0 and {}.", i64::MAX)
        }
    })
}

/// Puts the map on paper as it comes, however long it is.
struct Printer {
    json: bool,
    /// How many extents have been printed.
    count: u64,
    /// What cannot be printed.
    complaint: Option<&'static str>,
}

impl Printer {
    fn print(&mut self, program: &Program, extent: &Extent, names: &Names) {
        if self.complaint.is_some() {
            return;
        }
        let text = if self.json {
            self.object(extent)
        } else {
            let header = if self.count == 0 { HEADER } else { "" };
            let line = self.line(extent, names).unwrap_or_else(|complaint| {
                self.complaint = Some(complaint);
                String::new()
            });
            format!("{header}{line}")
        };
        // That nobody listens changes nothing.
        let _ = program.print(&text);
        self.count += 1;
    }

    /// What comes behind all extents. They were to start at an offset.
    fn end(&self, program: &Program, start: u64) -> Result<(), String> {
        let flags = Flags::default();
        let nothing = Extent { start, length: 0, depth: 0, flags, place: None };
        let text = match (self.json, self.count) {
            // Of nothing, qemu-img says how it is stored all the same.
            (true, 0) => format!("{}]\n", self.object(&nothing)),
            (true, _) => "]\n".to_owned(),
            (false, 0) => HEADER.to_owned(),
            (false, _) => String::new(),
        };
        let _ = program.print(&text);
        match self.complaint {
            Some(complaint) => Err(complaint.to_owned()),
            None => Ok(()),
        }
    }

    /// One object a line, its members in qemu-img's order.
    fn object(&self, extent: &Extent) -> String {
        let Extent { start, length, depth, flags, place } = extent;
        let Flags { present, zero, data, compressed } = flags;
        let before = if self.count == 0 { "[" } else { ",\n" };
        let offset = place.map(|(_, offset)| format!(", \"offset\": {offset}")).unwrap_or_default();
        format!(
            "{before}{{ \"start\": {start}, \"length\": {length}, \"depth\": {depth}, \
             \"present\": {present}, \"zero\": {zero}, \"data\": {data}, \
             \"compressed\": {compressed}{offset}}}"
        )
    }

    /// A line for what is stored as it is, with where that is.
    fn line(&self, extent: &Extent, names: &Names) -> Result<String, &'static str> {
        if !extent.flags.data {
            return Ok(String::new());
        }
        let Some((slot, offset)) = extent.place else {
            return Err("File contains external, encrypted or compressed clusters.");
        };
        if extent.flags.zero {
            return Ok(String::new());
        }
        let number = |number| if number == 0 { "0".to_owned() } else { format!("{number:#x}") };
        let [start, length, offset] = [extent.start, extent.length, offset].map(number);
        Ok(format!("{start:<16}{length:<16}{offset:<16}{}\n", names.of(slot)))
    }
}

/// Draws the map, once there is all of it.
struct Painter {
    cells: Cells,
    /// What is no map.
    complaint: Option<NoMap>,
}

impl Painter {
    fn add(&mut self, extent: &Extent) {
        if self.complaint.is_none() {
            self.complaint = self.cells.add(extent).err();
        }
    }

    fn end(&self, program: &Program, subject: Subject<'_>) -> Result<ExitCode, String> {
        match self.complaint {
            Some(complaint) => Err(complaint.to_string()),
            None => Ok(program.print(&draw(&self.cells, subject))),
        }
    }
}

/// What qemu-img prints above the lines.
const HEADER: &str = "Offset          Length          Mapped to       File\n";
