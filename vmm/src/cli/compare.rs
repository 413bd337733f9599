//! `exuvia compare`.

use std::ffi::OsString;
use std::process::ExitCode;

use abi::compare::{Finding, Request};
use abi::reply::Reply;
use abi::request::Operation;

use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{MAX_DEPTH, Named, explain};
use super::watch::{self, Names, NotDone};
use super::{Program, usage};
use crate::progress::{Progress, Style};
use crate::run::FIRST_FILE_SLOT;
use crate::target_file::Cache;

/// Find out whether two disk images have the same content.
///
/// The images may be in any format and have others underneath. If one is longer, the
/// rest has to be zeros.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// Take the second image for one of this format.
    #[arg(short = 'F', long = "b-format", visible_alias = "right-format", value_name = "FMT")]
    #[arg(allow_hyphen_values = true)]
    second_format: Option<String>,

    /// How the images are read.
    #[arg(short = 'T', long = "source-cache", value_name = "CACHE", default_value = "writeback")]
    source_cache: String,

    /// Sizes and the way of storing have to be the same too.
    #[arg(short = 's', long)]
    strict: bool,

    /// Show how far it has come.
    #[arg(short = 'p', long)]
    progress: bool,

    /// Say nothing, but for errors.
    #[arg(short = 'q', long)]
    quiet: bool,

    #[command(flatten)]
    machine: MachineArgs,

    /// The two images.
    #[arg(value_name = "FILENAME")]
    names: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia compare disk.qcow2 disk.img
  exuvia compare -f raw -F vmdk disk.img disk.vmdk
  exuvia compare -q a.qcow2 b.qcow2 && echo the same

Exit code: 0 if the disks are the same, 1 if not, 2 if an image cannot be opened, 3 if it
cannot be said how one is stored, 4 if one cannot be read.";

/// The exit codes besides 0 and 1.
const CANNOT_OPEN: u8 = 2;
const CANNOT_MAP: u8 = 3;
const CANNOT_READ: u8 = 4;

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    let [first, second] = arguments.names.as_slice() else {
        return usage::fail(program, Some("compare"), "Expecting two image file names");
    };
    let cannot_open = |message: String| {
        program.say(&message);
        ExitCode::from(CANNOT_OPEN)
    };
    if let Some(complaint) = arguments.image.complaint() {
        return cannot_open(complaint);
    }
    if Cache::from_name(&arguments.source_cache).is_none() {
        return cannot_open(format!("Invalid source cache option: {}", arguments.source_cache));
    }
    let open = |name, format: &Option<String>| {
        let image = ImageArgs { format: format.clone(), ..arguments.image.clone() };
        Named::open_input(&image, name)
    };
    let opened = open(first, &arguments.image.format)
        .and_then(|first| Ok([first, open(second, &arguments.second_format)?]));
    let (named, files) = match opened {
        Ok([(first, first_file), (second, second_file)]) => {
            ([first, second], vec![first_file, second_file])
        }
        Err(message) => return cannot_open(message),
    };
    let [left, right] = &named;
    let request = Request {
        sources: [left.source(FIRST_FILE_SLOT, None), right.source(FIRST_FILE_SLOT + 1, None)],
        strict: arguments.strict,
        progress: arguments.progress && !arguments.quiet,
        max_depth: MAX_DEPTH,
    };
    let style = if request.progress { Style::Line } else { Style::Silent };
    let mut progress = Progress::begin(style, 2.0);
    let mut last = None;
    let mut hear = |reply, _: &Names| {
        if let Reply::Compare(finding) = reply {
            if !arguments.quiet {
                say(program, finding);
            }
            last = Some(finding);
        }
    };
    let operation = Operation::Compare(request);
    let done = watch::run(program, &arguments.machine, operation, files, &mut progress, &mut hear);
    progress.end(false);
    match (done, last) {
        (Ok(_), Some(finding)) => verdict(program, finding, &named),
        (Ok(_), None) => cannot_open("the guest did not say what it found".to_owned()),
        (Err(NotDone::NoMachine(message)), _) => cannot_open(message),
        (Err(NotDone::Failed(error)), _) => cannot_open(explain(&error, &named, FIRST_FILE_SLOT)),
    }
}

/// Says what was found, if it is of the kind that is printed.
fn say(program: &Program, finding: Finding) {
    let text = match finding {
        Finding::Identical => "Images are identical.\n".to_owned(),
        Finding::SizeWarning => "Warning: Image size mismatch!\n".to_owned(),
        Finding::SizeMismatch => "Strict mode: Image size mismatch!\n".to_owned(),
        Finding::ContentMismatch(offset) => format!("Content mismatch at offset {offset}!\n"),
        Finding::StatusMismatch(offset) => {
            format!("Strict mode: Offset {offset} block status mismatch!\n")
        }
        Finding::Unreadable { .. } | Finding::Unknown { .. } => return,
    };
    // That nobody listens does not change what was found.
    let _ = program.print(&text);
}

/// What the exit code says about it.
fn verdict(program: &Program, finding: Finding, named: &[Named; 2]) -> ExitCode {
    let name = |side: u8| {
        let [first, second] = named;
        if side == 0 { &first.said } else { &second.said }
    };
    match finding {
        Finding::Identical => ExitCode::SUCCESS,
        Finding::SizeWarning
        | Finding::SizeMismatch
        | Finding::ContentMismatch(_)
        | Finding::StatusMismatch(_) => ExitCode::from(1),
        Finding::Unknown { side } => {
            program.say(&format!("Sector allocation test failed for {}", name(side)));
            ExitCode::from(CANNOT_MAP)
        }
        Finding::Unreadable { side, offset } => {
            let name = name(side);
            let reason = "Input/output error";
            program.say(&format!("Error while reading offset {offset} of {name}: {reason}"));
            ExitCode::from(CANNOT_READ)
        }
    }
}
