//! `exuvia copy`.

use std::ffi::OsString;
use std::process::ExitCode;

use abi::convert::State;
use abi::copy::Request;
use abi::info::Format;
use abi::request::Operation;

use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{Named, explain};
use super::target::{NewImage, Wanted};
use super::watch::{self, NotDone};
use super::{Program, usage};
use crate::creation::Settings;
use crate::creation::number::{self, LARGEST};
use crate::progress::{Progress, Style};
use crate::run::FIRST_FILE_SLOT;
use crate::target_file::Cache;

/// Copy the bytes of a file, or a part of them, whatever they mean.
///
/// Nothing of the file is interpreted. Holes stay holes, and zeros become some. The copy
/// appears under its name when it is complete.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Start at this offset of the file.
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, default_value = "0")]
    start: String,

    /// Copy no more than this.
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    length: Option<String>,

    /// Read both files again and compare them.
    #[arg(long)]
    verify: bool,

    /// Show how far it has come.
    #[arg(short = 'p', long)]
    progress: bool,

    /// How the copy is written: none, writeback, writethrough, directsync, unsafe.
    #[arg(short = 't', long = "cache", value_name = "CACHE", default_value = "unsafe")]
    cache: String,

    #[command(flatten)]
    machine: MachineArgs,

    /// The file, and the copy.
    #[arg(value_name = "FILENAME")]
    names: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia copy --verify disk.qcow2 backup.qcow2
  exuvia copy --start 1M --length 512M /dev/sdb partition.img

Exit code: 0 if the copy was made and, with --verify, is the same; 1 if not.";

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    let [source, target] = arguments.names.as_slice() else {
        return usage::fail(program, Some("copy"), "Expecting two file names");
    };
    match copy(program, arguments, source, target) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => program.fail(&message),
    }
}

fn copy(
    program: &Program,
    arguments: &Args,
    source: &OsString,
    target: &OsString,
) -> Result<(), String> {
    let size = |name, text: &str| number::bounded_size(name, text, 0..=LARGEST);
    let start = size("start", &arguments.start)?;
    let length = arguments.length.as_deref().map(|text| size("length", text)).transpose()?;
    let cache = Cache::parse(&arguments.cache)?;
    let image = ImageArgs { format: Some("raw".to_owned()), ..ImageArgs::default() };
    let (named, file) = Named::open(&image, source)?;
    if start > file.length() {
        return Err(format!("{}: the file ends in front of byte {start}", named.said));
    }
    let mut files = vec![file];
    let slot = FIRST_FILE_SLOT + 1;
    let settings = Settings::default();
    let (format, state) = (Format::Raw, State::New);
    let wanted = Wanted { format, settings: &settings, compress: false, state };
    let (new_file, new_files) = NewImage::open_beside(target, &wanted, cache, slot, &files)?;
    files.extend(new_files);
    let request = Request {
        source: FIRST_FILE_SLOT,
        target: slot,
        state: new_file.state(),
        start,
        length: length.unwrap_or(LARGEST),
        verify: arguments.verify,
        progress: arguments.progress,
    };
    let style = if arguments.progress { Style::Line } else { Style::Silent };
    let mut progress = Progress::begin(style, 1.0);
    let machine = &arguments.machine;
    let operation = Operation::Copy(request);
    let done = watch::run(program, machine, operation, files, &mut progress, &mut |_, _| {});
    let result = match done {
        Ok(outcome) => new_file.commit(&outcome),
        Err(NotDone::NoMachine(message)) => Err(message),
        Err(NotDone::Failed(error)) => Err(match new_file.message(&error) {
            Some(message) => format!("{}: {message}", new_file.said),
            None => explain(&error, &[named], FIRST_FILE_SLOT),
        }),
    };
    progress.end(result.is_ok());
    result
}
