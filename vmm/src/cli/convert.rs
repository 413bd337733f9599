//! `exuvia convert`.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use abi::convert::{Range, Request, State};
use abi::info::Format;
use abi::reply::Reply;
use abi::request::Operation;
use abi::source::{Snapshot, SnapshotName};

use super::Program;
use super::backing::{self, Backing};
use super::image::ImageArgs;
use super::in_place;
use super::machine::MachineArgs;
use super::source::{self, MAX_DEPTH, Named, explain};
use super::target::{self, NewImage, Wanted};
use super::watch::{self, Names, NotDone};
use crate::creation::{Settings, number, table};
use crate::host_file::HostFile;
use crate::host_file::pace::Pace;
use crate::output::escape::for_terminal;
use crate::progress::{Progress, Style};
use crate::run::{FIRST_FILE_SLOT, slot_behind};
use crate::target_file::Cache;

/// Copy disk images into a new one, in any format.
///
/// The images may be in any format and have others underneath. Several are put one
/// behind the other. The new image appears under its name when it is complete.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// Make an image of this format.
    #[arg(short = 'O', long, visible_alias = "target-format", value_name = "FMT")]
    #[arg(allow_hyphen_values = true)]
    output_format: Option<String>,

    /// Options of the new image; `-o help` lists them.
    #[arg(short = 'o', long = "options", value_name = "NAME=VALUE,…")]
    options: Vec<String>,

    /// Put the new image on top of this one, and copy only what the image on top of the
    /// chain has.
    #[arg(short = 'B', long = "backing", visible_alias = "target-backing")]
    #[arg(value_name = "FILENAME", allow_hyphen_values = true)]
    backing: Option<OsString>,

    /// The format of that image.
    #[arg(short = 'F', long, visible_alias = "target-backing-format", value_name = "FMT")]
    #[arg(allow_hyphen_values = true)]
    backing_format: Option<String>,

    /// How the new image is written: none, writeback, writethrough, directsync, unsafe.
    #[arg(short = 't', long = "cache", value_name = "CACHE", default_value = "unsafe")]
    cache: String,

    /// How the images are read.
    #[arg(short = 'T', long = "source-cache", value_name = "CACHE", default_value = "writeback")]
    source_cache: String,

    /// Compress the new image.
    #[arg(short = 'c', long)]
    compress: bool,

    /// Take the disk as it was when this snapshot was taken.
    #[arg(short = 'l', long, value_name = "SNAPSHOT")]
    snapshot: Option<String>,

    /// How many zeros in a row are left out, 4k if you do not say; 0 stores them all.
    #[arg(short = 'S', long = "sparse-size", value_name = "SIZE", allow_hyphen_values = true)]
    sparse: Option<String>,

    /// Write into an image that is there.
    #[arg(short = 'n', long = "no-create")]
    no_create: bool,

    /// The image that is there holds nothing but zeros.
    #[arg(long)]
    target_is_zero: bool,

    /// How many pieces are on their way at a time, 1 to 16. It changes nothing: there are
    /// always several.
    #[arg(short = 'm', long = "parallel", value_name = "NUMBER", allow_hyphen_values = true)]
    parallel: Option<String>,

    /// Allow pieces to be written out of order. It changes nothing: they never have to
    /// wait for each other.
    #[arg(short = 'W', long = "oob")]
    out_of_order: bool,

    /// Let the file system copy. It changes nothing: zeros are found all the same.
    #[arg(short = 'C', long = "copy-range-offloading")]
    copy_range: bool,

    /// Write no more than so many bytes in a second.
    #[arg(short = 'r', long, value_name = "RATE", allow_hyphen_values = true)]
    rate: Option<String>,

    /// Show how far it has come.
    #[arg(short = 'p', long = "progress", value_name = "json", num_args = 0..=1)]
    #[arg(require_equals = true, default_missing_value = "line")]
    progress: Option<String>,

    /// Be quiet.
    #[arg(short = 'q', long)]
    quiet: bool,

    /// Take what cannot be read for zeros.
    #[arg(long)]
    salvage: bool,

    /// Print a digest of the disk's content, computed on the way.
    #[arg(long, value_name = "sha256", value_parser = ["sha256"], help_heading = "Options of exuvia")]
    hash: Option<String>,

    #[command(flatten)]
    machine: MachineArgs,

    /// The images, and behind them the new one.
    #[arg(value_name = "FILENAME")]
    names: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia convert -O raw disk.qcow2 disk.img
  exuvia convert -p -O qcow2 -o cluster_size=128k disk.vmdk disk.qcow2
  exuvia convert -l before-update -O raw disk.qcow2 old.img
  exuvia convert -O qcow2 -B base.qcow2 -F qcow2 top.vmdk top.qcow2

Exit code: 0 if the image was made, 1 if not.";

/// The most that -m takes.
const MAX_PARALLEL: u64 = 16;

/// What is wrong with flags that go against each other, or have no sensible value.
fn complaint(arguments: &Args) -> Option<String> {
    if arguments.copy_range && arguments.compress {
        return Some("Cannot enable copy offloading when -c is used".to_owned());
    }
    if arguments.copy_range && arguments.sparse.is_some() {
        return Some("Cannot enable copy offloading when -S is used".to_owned());
    }
    if arguments.copy_range && arguments.salvage {
        return Some("Cannot use copy offloading in salvaging mode".to_owned());
    }
    if arguments.no_create && !arguments.options.is_empty() {
        return Some("-o has no effect when skipping image creation".to_owned());
    }
    if arguments.target_is_zero && !arguments.no_create {
        return Some("--target-is-zero requires use of -n flag".to_owned());
    }
    let parallel = arguments.parallel.as_deref().map(str::parse);
    let is_good = |number: &Result<u64, _>| {
        number.as_ref().is_ok_and(|number| (1..=MAX_PARALLEL).contains(number))
    };
    parallel.filter(|number| !is_good(number)).map(|_: Result<u64, std::num::ParseIntError>| {
        format!(
            "Invalid number of coroutines. Allowed number of coroutines is between 1 and \
             {MAX_PARALLEL}"
        )
    })
}

/// The largest size that -S takes, in bytes.
const MAX_SPARSE: u64 = 16 << 20;

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    match convert(program, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => program.fail(&message),
    }
}

fn convert(program: &Program, arguments: &Args) -> Result<(), String> {
    if let Some(complaint) = complaint(arguments) {
        return Err(complaint);
    }
    let format = target::format(arguments.output_format.as_deref().unwrap_or("raw"))?;
    let sparse = sparse_size(arguments.sparse.as_deref().unwrap_or("4k"))?;
    let rate = arguments.rate.as_deref();
    let rate = rate
        .map(|text| number::bounded_size("rate limit", text, 0..=number::LARGEST))
        .transpose()?;
    let Some((target_name, names)) = arguments.names.split_last().filter(|(_, it)| !it.is_empty())
    else {
        return Err("Must specify image file name".to_owned());
    };
    if let Some(complaint) = arguments.image.complaint() {
        return Err(complaint);
    }
    let mut settings = Settings::default();
    for options in &arguments.options {
        settings.parse(format, options)?;
    }
    if !arguments.no_create {
        let (backing, backing_format) = (&arguments.backing, &arguments.backing_format);
        settings.set_backing(format, backing.as_deref(), backing_format.as_deref())?;
    }
    let cache = Cache::parse(&arguments.cache)?;
    if Cache::from_name(&arguments.source_cache).is_none() {
        return Err(format!("Invalid source cache option: {}", arguments.source_cache));
    }
    if arguments.compress && !table::can_compress(format) {
        return Err("Compression not supported for this file format".to_owned());
    }

    let opened: Result<Vec<_>, String> =
        names.iter().map(|name| Named::open_input(&arguments.image, name)).collect();
    let (named, mut files): (Vec<Named>, Vec<HostFile>) = opened?.into_iter().unzip();

    if let Some(complaint) = backing::complaint(&backing::Wish {
        is_set: arguments.backing.is_some() || settings.text("backing_file").is_some(),
        settings: &settings,
        sources: files.len(),
        target_is_zero: arguments.target_is_zero,
        hash: arguments.hash.is_some(),
    }) {
        return Err(complaint);
    }
    let backing = match arguments.no_create {
        true => None,
        false => Backing::open(target_name, format, &settings)?,
    };
    let read = files.iter().chain(backing.as_ref().map(|backing| &backing.file));
    if let Some(complaint) = backing::overwritten(target_name, format, read) {
        return Err(complaint);
    }

    let snapshot = arguments.snapshot.as_deref().map(snapshot).transpose()?;
    let sources = (FIRST_FILE_SLOT..).zip(&named);
    let sources: Vec<_> =
        sources.map(|(slot, named)| named.source(slot, snapshot.clone())).collect();
    // To know how much there is to do, all of an image's tables are read, and then again.
    let can_be_foreseen = !files.iter().any(|file| file.pipe().is_some());
    let target_slot = slot_behind(files.len());

    let state = match (arguments.no_create, arguments.target_is_zero) {
        (false, _) => State::New,
        (true, false) => State::Used,
        (true, true) => State::Zeroed,
    };
    let wanted = Wanted { format, settings: &settings, compress: arguments.compress, state };
    let opened = NewImage::open(target_name, &wanted, cache, target_slot);
    let (mut new_image, mut new_files) = opened.map_err(|error| match state {
        State::New => NewImage::complaint(target_name, format, &error),
        State::Stale | State::Used | State::Zeroed => error,
    })?;
    let recreation = if arguments.no_create && format != Format::Raw {
        let wish = in_place::Wish {
            sources: &sources,
            named: &named,
            target_name,
            format,
            only_top: arguments.backing.is_some(),
            compress: arguments.compress,
        };
        let recreation = in_place::examine(program, &arguments.machine, &wish, &new_files)?;
        let renewed = new_files.into_iter().map(|file| new_image.renew(file));
        new_files = renewed.collect::<Result<_, _>>()?;
        Some(recreation)
    } else {
        None
    };
    if let Some(pace) = rate.filter(|rate| *rate > 0).map(Pace::new).map(Arc::new) {
        new_files.iter().filter_map(HostFile::output).for_each(|output| output.set_pace(&pace));
    }
    files.extend(new_files);
    let source = backing.map(|backing| {
        let slot = slot_behind(files.len());
        files.push(backing.file);
        backing.named.source(slot, None)
    });
    let backing_slot = source.as_ref().map(|source| source.slot);
    let mut target = new_image.request(&wanted, source);
    let mut range = Range::ALL;
    if let Some((recreation, before)) = recreation {
        range.size = Some(recreation.size);
        target.options = recreation.options;
        target.before = Some(slot_behind(files.len()));
        files.push(before);
    }
    // With -n it is said of an image that is there, so that nothing else is copied.
    let only_top = arguments.backing.is_some() || backing_slot.is_some();

    let request = Request {
        sources,
        target,
        range,
        only_top,
        sparse,
        progress: arguments.progress.is_some() && !arguments.quiet && can_be_foreseen,
        salvage: arguments.salvage,
        hash: arguments.hash.is_some(),
        max_depth: MAX_DEPTH,
    };
    let style = match arguments.progress.as_deref() {
        _ if arguments.quiet => Style::Silent,
        None => Style::Silent,
        Some("json") => Style::Json,
        Some(_) => Style::Line,
    };
    let is_printed = new_image.is_printed();
    let mut progress = Progress::begin_beside(is_printed, style, 1.0);
    let mut digest = None;
    let mut hear = |reply, _: &Names| {
        if let Reply::Digest(bytes) = reply {
            digest = Some(bytes);
        }
    };
    let operation = Operation::Convert(request);
    let machine = &arguments.machine;
    let image = Some(&mut new_image);
    let done = watch::make(program, machine, operation, files, image, &mut progress, &mut hear);
    let result = match done {
        Ok(outcome) => source::drain(&outcome.files).and_then(|()| new_image.commit(&outcome)),
        Err(NotDone::NoMachine(message)) => Err(message),
        Err(NotDone::Failed(error)) => Err(new_image
            .explain(&error, format)
            .or_else(|| backing::explain(&error, backing_slot?, &new_image.said))
            .unwrap_or_else(|| explain(&error, &named, FIRST_FILE_SLOT))),
    };
    progress.end(result.is_ok());
    result?;
    if let Some(digest) = digest {
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!("sha256:{digits}");
        if is_printed {
            program.say_plainly(&line);
        } else {
            let _ = program.print(&format!("{line}\n"));
        }
    }
    Ok(())
}

fn sparse_size(text: &str) -> Result<u32, String> {
    let size = number::size(text).map_err(|_| {
        format!(
            "Invalid buffer size for sparse output specified: '{}'",
            for_terminal(text.as_bytes())
        )
    })?;
    let good = size.is_multiple_of(512) && size <= MAX_SPARSE;
    u32::try_from(size).ok().filter(|_| good).ok_or_else(|| {
        format!(
            "Invalid buffer size for sparse output specified. Valid sizes are multiples of 512 \
             up to {MAX_SPARSE}. Select 0 to disable sparse detection (fully allocates output)."
        )
    })
}

/// Which snapshot the user wants.
pub(super) fn snapshot(text: &str) -> Result<Snapshot, String> {
    let name = |text: &str| SnapshotName::truncated(text.as_bytes());
    if !text.starts_with("snapshot.") {
        return Ok(Snapshot::Either(name(text)));
    }
    let (mut id, mut by_name) = (None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("snapshot.id", value)) => id = Some(name(value)),
            Some(("snapshot.name", value)) => by_name = Some(name(value)),
            _ => return Err(format!("Failed in parsing snapshot param '{text}'")),
        }
    }
    Ok(Snapshot::Exactly { id, name: by_name })
}
