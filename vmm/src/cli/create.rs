//! `exuvia create`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use abi::convert::{CreateRequest, State, Value};
use abi::info::Format;
use abi::request::Operation;

use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{Named, describe, explain};
use super::target::{self, NewImage, Wanted};
use super::watch::{self, NotDone};
use super::{Program, usage};
use crate::creation::number::{self, NotASize};
use crate::creation::{self, Settings};
use crate::file_name;
use crate::host_file::HostFile;
use crate::image_name::ImageName;
use crate::output::escape::for_terminal;
use crate::progress::{Progress, Style};
use crate::run::{FIRST_FILE_SLOT, slot_behind};
use crate::target_file::Cache;

/// Make a new disk image.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Make an image of this format.
    #[arg(short = 'f', long, value_name = "FMT", default_value = "raw")]
    #[arg(allow_hyphen_values = true)]
    format: String,

    /// Options of the new image; `-o help` lists them.
    #[arg(short = 'o', long = "options", value_name = "NAME=VALUE,…")]
    options: Vec<String>,

    /// The image underneath.
    #[arg(short = 'b', long, value_name = "FILENAME", allow_hyphen_values = true)]
    backing: Option<OsString>,

    /// Its format.
    #[arg(short = 'F', long, value_name = "FMT", allow_hyphen_values = true)]
    backing_format: Option<String>,

    /// Do not look at the image underneath.
    #[arg(short = 'u', long)]
    backing_unsafe: bool,

    /// Say nothing, but for errors.
    #[arg(short = 'q', long)]
    quiet: bool,

    /// Define an object, as in `secret,id=sec0,file=key.txt`.
    #[arg(long, value_name = "OBJDEF", allow_hyphen_values = true)]
    object: Vec<String>,

    #[command(flatten)]
    machine: MachineArgs,

    /// The new image, and the size of its disk.
    #[arg(value_name = "FILENAME [SIZE]")]
    names: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia create -f qcow2 disk.qcow2 20G
  exuvia create -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
  exuvia create -f vhdx -o help

Exit code: 0 if the image was made, 1 if not.";

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    let is_help = |options: &String| options.split(',').any(|it| it == "help" || it == "?");
    if arguments.options.iter().any(is_help) {
        return match target::format(&arguments.format) {
            Ok(format) => program.print(&creation::help(format, !arguments.names.is_empty())),
            Err(message) => program.fail(&message),
        };
    }
    let (name, size) = match arguments.names.as_slice() {
        [] => return usage::fail(program, Some("create"), "Expecting image file name"),
        [name] => (name, None),
        [name, size] => (name, Some(size)),
        _ => {
            let extra = arguments.names.last().map(|name| for_terminal(name.as_bytes()));
            let extra = extra.unwrap_or_default();
            return usage::fail(program, Some("create"), &format!("Unexpected argument: {extra}"));
        }
    };
    match create(program, arguments, name, size) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let (message, hint) = message.split_once('\n').unwrap_or((&message, ""));
            program.say(message);
            if !hint.is_empty() {
                program.say_plainly(hint);
            }
            ExitCode::FAILURE
        }
    }
}

fn create(
    program: &Program,
    arguments: &Args,
    name: &OsString,
    size: Option<&OsString>,
) -> Result<(), String> {
    let said = for_terminal(name.as_bytes());
    let about = |message: String| format!("{said}: {message}");
    let size = size.map(|size| image_size(size)).transpose()?;
    let format = target::format(&arguments.format).map_err(about)?;
    ImageName::from_file_name(name).map_err(|error| about(error.to_string()))?;
    let mut settings = Settings::default();
    for options in &arguments.options {
        settings.parse(format, options).map_err(about)?;
    }
    let size = match (settings.number("size"), size) {
        (Some(_), Some(_)) => {
            return Err(about("The image size must be specified only once".to_owned()));
        }
        (first, second) => first.or(second),
    };
    let (backing, backing_format) = (&arguments.backing, &arguments.backing_format);
    settings.set_backing(format, backing.as_deref(), backing_format.as_deref()).map_err(about)?;
    let backing = Backing::of(name, &settings, arguments.backing_unsafe).map_err(about)?;
    let size = match &backing {
        Some(backing) => Some(backing.check(program, &arguments.machine, size).map_err(about)?),
        None => size,
    };
    let size = size.ok_or_else(|| about("Image creation needs a size parameter".to_owned()))?;
    let _ = settings.set(format, "size", Value::Number(size));
    if !arguments.quiet {
        let announcement = settings.announcement(format);
        let _ = program.print(&format!("Formatting '{said}', {announcement}\n"));
    }

    let wanted = Wanted { format, settings: &settings, compress: false, state: State::New };
    let cache = Cache { direct: false, through: false, durable: false };
    let opened = NewImage::open(name, &wanted, cache, FIRST_FILE_SLOT);
    let (mut new_image, mut files) = opened.map_err(about)?;
    if format == Format::Raw {
        new_image.keep_content();
    }
    let source = backing.map(|backing| {
        let slot = slot_behind(files.len());
        files.push(backing.file);
        backing.named.source(slot, None)
    });
    let request = CreateRequest { target: new_image.request(&wanted, source), size };
    let mut silent = Progress::begin(Style::Silent, 1.0);
    let machine = &arguments.machine;
    let operation = Operation::Create(request);
    let image = Some(&mut new_image);
    let done = watch::make(program, machine, operation, files, image, &mut silent, &mut |_, _| {});
    match done {
        Ok(outcome) => new_image.commit(&outcome),
        Err(NotDone::NoMachine(message)) => Err(message),
        Err(NotDone::Failed(error)) => Err(new_image
            .message(&error)
            .map(about)
            .unwrap_or_else(|| explain(&error, &[], FIRST_FILE_SLOT))),
    }
}

/// The size of a disk on the command line.
fn image_size(text: &OsStr) -> Result<u64, String> {
    number::offset(&text.to_string_lossy()).map_err(|error| match error {
        NotASize::Invalid => {
            format!("Invalid image size specified: '{}'.", for_terminal(text.as_bytes()))
        }
        NotASize::TooLarge => {
            format!("Invalid image size specified. Must be between 0 and {}.", i64::MAX)
        }
    })
}

/// The image underneath, as the user named it. No rule says where it may lie.
struct Backing {
    named: Named,
    file: HostFile,
}

impl Backing {
    /// The image underneath, if there is one that is to be looked at.
    fn of(name: &OsStr, settings: &Settings, is_unsafe: bool) -> Result<Option<Self>, String> {
        let Some(backing) = settings.text("backing_file") else {
            return Ok(None);
        };
        if backing == name.as_bytes() {
            return Err("Error: Trying to create an image with the same filename as the backing \
                        file"
                .to_owned());
        }
        if backing.is_empty() {
            return Err("Expected backing file name, got empty string".to_owned());
        }
        let format = settings.text("backing_fmt");
        let format = format.map(|format| String::from_utf8_lossy(format).into_owned());
        if is_unsafe {
            return match format {
                Some(_) => Ok(None),
                None => Err("Backing file specified without backing format".to_owned()),
            };
        }
        let full = file_name::full(name.as_bytes(), backing).unwrap_or_default();
        let image = ImageArgs { format, ..ImageArgs::default() };
        let opened = Named::find(&image, &OsString::from_vec(full));
        let (named, file) = opened.map_err(not_opened)?;
        Ok(Some(Self { named, file }))
    }

    /// Looks at the image. Returns the size of the disk on top: the one that the user
    /// wants, or that of this one.
    fn check(
        &self,
        program: &Program,
        machine: &MachineArgs,
        size: Option<u64>,
    ) -> Result<u64, String> {
        let described = describe(program, machine, &self.named).map_err(not_opened)?;
        if self.named.format.is_none() {
            return Err(format!(
                "Backing file specified without backing format\nDetected format of {}.",
                described.format.name()
            ));
        }
        Ok(size.unwrap_or(described.virtual_size))
    }
}

fn not_opened(message: String) -> String {
    format!("{message}\nCould not open backing image.")
}
