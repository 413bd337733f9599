//! `exuvia measure`.

use std::ffi::OsString;
use std::process::ExitCode;

use abi::measure::{Content, Reply as Figures, Request};
use abi::reply::Reply;
use abi::request::Operation;

use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{MAX_DEPTH, Named, explain};
use super::watch::{self, Names, NotDone};
use super::{Program, convert, target, usage};
use crate::creation::{Settings, number};
use crate::output::json::pretty;
use crate::output::value::{Dict, Value};
use crate::progress::{Progress, Style};
use crate::run::FIRST_FILE_SLOT;

/// Say how large an image would get.
///
/// It is made of another image, or starts with an empty disk of some size.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// Measure an image of this format.
    #[arg(short = 'O', long = "target-format", value_name = "FMT", default_value = "raw")]
    #[arg(allow_hyphen_values = true)]
    target_format: String,

    /// Options of the new image.
    #[arg(short = 'o', long = "options", value_name = "NAME=VALUE,…")]
    options: Vec<String>,

    /// Take the disk as it was when this snapshot was taken.
    #[arg(short = 'l', long, value_name = "SNAPSHOT")]
    snapshot: Option<String>,

    /// Measure an image with an empty disk of this size.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    size: Option<String>,

    /// Print text for people (human, the default) or JSON (json).
    #[arg(long, value_name = "human|json", allow_hyphen_values = true)]
    output: Option<String>,

    #[command(flatten)]
    machine: MachineArgs,

    /// The image to make it of (or a list of options, with --image-opts).
    #[arg(value_name = "FILENAME")]
    names: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia measure -O qcow2 disk.vmdk
  exuvia measure -O vmdk -o subformat=monolithicFlat disk.qcow2
  exuvia measure --output=json -O qcow2 --size 20G

Exit code: 0 if it could be measured, 1 if not.";

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    let json = match usage::wants_json(arguments.output.as_deref()) {
        Ok(json) => json,
        Err(message) => return usage::fail(program, Some("measure"), &message),
    };
    match measure(program, arguments) {
        Ok(figures) => program.print(&render(&figures, json)),
        Err(message) => {
            message.split('\n').for_each(|line| program.say(line));
            ExitCode::FAILURE
        }
    }
}

fn measure(program: &Program, arguments: &Args) -> Result<Figures, String> {
    let Args { image, target_format, options, snapshot, size, machine, names, .. } = arguments;
    let bounded = |text| number::bounded_size("image size", text, 0..=number::LARGEST);
    let size = size.as_deref().map(bounded);
    let size = size.transpose()?;
    if let [_, _, ..] = names.as_slice() {
        return Err("At most one filename argument is allowed.".to_owned());
    }
    let is_about_image = image.image_opts || image.format.is_some() || snapshot.is_some();
    let named = match (names.first(), size) {
        (None, _) if is_about_image => {
            return Err("--image-opts, -f, and -l require a filename argument.".to_owned());
        }
        (Some(_), Some(_)) => {
            return Err("--size N cannot be used together with a filename.".to_owned());
        }
        (None, None) => {
            return Err("Either --size N or one filename must be specified.".to_owned());
        }
        (name, _) => name,
    };
    if let Some(complaint) = image.complaint() {
        return Err(complaint);
    }
    let snapshot = snapshot.as_deref().map(convert::snapshot).transpose()?;
    let opened = named.map(|name| Named::open(image, name)).transpose()?;
    let (named, files): (Vec<Named>, Vec<_>) = opened.into_iter().unzip();
    let content = match named.first() {
        Some(named) => Content::Image(named.source(FIRST_FILE_SLOT, snapshot)),
        None => Content::Nothing(size.unwrap_or(0)),
    };

    let format = target::format(target_format)?;
    let mut settings = Settings::default();
    for options in options {
        if options.is_empty() || options.starts_with(',') || options.ends_with(',') {
            return Err(format!("Invalid option list: {options}"));
        }
        let invalid =
            |message| format!("{message}\nInvalid options for file format '{}'", format.name());
        settings.parse(format, options).map_err(invalid)?;
    }
    let request = Request { content, format, options: settings.to_request(), max_depth: MAX_DEPTH };
    let mut figures = None;
    let mut hear = |reply, _: &Names| {
        if let Reply::Measure(reply) = reply {
            figures = Some(reply);
        }
    };
    let mut silent = Progress::begin(Style::Silent, 1.0);
    let operation = Operation::Measure(request);
    let done = watch::run(program, machine, operation, files, &mut silent, &mut hear);
    match (done, figures) {
        (Ok(_), Some(figures)) => Ok(figures),
        (Ok(_), None) => Err("the guest did not say what it measured".to_owned()),
        (Err(NotDone::NoMachine(message)), _) => Err(message),
        (Err(NotDone::Failed(error)), _) => Err(explain(&error, &named, FIRST_FILE_SLOT)),
    }
}

fn render(figures: &Figures, json: bool) -> String {
    let Figures { required, fully_allocated, bitmaps } = *figures;
    if json {
        let figures = Dict::new()
            .with("required", Value::Number(required))
            .with("fully-allocated", Value::Number(fully_allocated))
            .with_some("bitmaps", bitmaps.map(Value::Number));
        return pretty(&Value::Dict(figures));
    }
    let bitmaps = bitmaps.map(|bitmaps| format!("bitmaps size: {bitmaps}\n"));
    format!(
        "required size: {required}\nfully allocated size: {fully_allocated}\n{}",
        bitmaps.unwrap_or_default()
    )
}
