//! `exuvia convert`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use abi::convert::{Range, Request, State, Target};
use abi::info::Format;
use abi::reply::{Reference, Reply};
use abi::request::Operation;
use abi::source::{Snapshot, SnapshotName};
use abi::text::Text;

use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{MAX_DEPTH, Named, explain};
use super::{Program, usage};
use crate::creation::{Settings, number, table};
use crate::host_file::HostFile;
use crate::output::escape::for_terminal;
use crate::progress::{Progress, Style};
use crate::reasons::on_one_line;
use crate::references::References;
use crate::run::{FIRST_FILE_SLOT, Job, Listener, RunError, file_in_slot};
use crate::target_file::{Cache, TargetFile};

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

    /// How many zeros in a row are left out; 0 stores them all.
    #[arg(short = 'S', long = "sparse-size", value_name = "SIZE", default_value = "4k")]
    sparse: String,

    /// Write into an image that is there.
    #[arg(short = 'n', long = "no-create")]
    no_create: bool,

    /// The image that is there holds nothing but zeros.
    #[arg(long)]
    target_is_zero: bool,

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

Exit code: 0 if the image was made, 1 if not.";

/// The largest size that -S takes, in bytes.
const MAX_SPARSE: u64 = 16 << 20;

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    match convert(program, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Complaint::Usage(message)) => usage::fail(program, Some("convert"), &message),
        Err(Complaint::Failure(message)) => program.fail(&message),
    }
}

/// Why nothing was converted.
enum Complaint {
    /// The arguments make no sense.
    Usage(String),
    /// Something went wrong.
    Failure(String),
}

impl From<String> for Complaint {
    fn from(message: String) -> Self {
        Self::Failure(message)
    }
}

fn convert(program: &Program, arguments: &Args) -> Result<(), Complaint> {
    let format = target_format(arguments)?;
    let sparse = sparse_size(&arguments.sparse)?;
    let Some((target_name, names)) = arguments.names.split_last().filter(|(_, it)| !it.is_empty())
    else {
        return Err(Complaint::Failure("Must specify image file name".to_owned()));
    };
    if let Some(complaint) = arguments.image.complaint() {
        return Err(complaint.into());
    }
    let mut settings = Settings::default();
    for options in &arguments.options {
        settings.parse(format, options)?;
    }
    let cache = Cache::from_name(&arguments.cache);
    let cache = cache.ok_or_else(|| format!("Invalid cache option: {}", arguments.cache))?;
    if Cache::from_name(&arguments.source_cache).is_none() {
        return Err(format!("Invalid source cache option: {}", arguments.source_cache).into());
    }
    if arguments.compress && !table::can_compress(format) {
        return Err("Compression not supported for this file format".to_owned().into());
    }

    let image = arguments.machine.image().map_err(|error| on_one_line(&error))?;
    let backend = arguments.machine.backend(program).map_err(|error| on_one_line(&error))?;
    let opened: Result<Vec<_>, String> =
        names.iter().map(|name| Named::open(&arguments.image, name)).collect();
    let (named, mut files): (Vec<Named>, Vec<HostFile>) = opened?.into_iter().unzip();
    let references = References::of(&files);

    let snapshot = arguments.snapshot.as_deref().map(snapshot).transpose()?;
    let sources = (FIRST_FILE_SLOT..).zip(&named);
    let sources: Vec<_> =
        sources.map(|(slot, named)| named.source(slot, snapshot.clone())).collect();
    let target_slot = FIRST_FILE_SLOT + u8::try_from(files.len()).unwrap_or(u8::MAX);

    let path = Path::new(target_name);
    let said = for_terminal(std::os::unix::ffi::OsStrExt::as_bytes(target_name.as_os_str()));
    let (target_file, file, state) = open_target(arguments, path, cache)?;
    files.push(file);

    let request = Request {
        sources,
        target: Target {
            slot: target_slot,
            others: Vec::new(),
            format,
            options: settings.to_request(),
            compress: arguments.compress,
            file_name: file_name(path),
            backing: None,
            state,
            seed: seed(),
            time: now(),
        },
        range: Range::ALL,
        sparse,
        progress: arguments.progress.is_some() && !arguments.quiet,
        salvage: arguments.salvage,
        hash: false,
        max_depth: MAX_DEPTH,
    };
    let style = match arguments.progress.as_deref() {
        _ if arguments.quiet => Style::Silent,
        None => Style::Silent,
        Some("json") => Style::Json,
        Some(_) => Style::Line,
    };
    let mut watcher = Watcher { references, progress: Progress::begin(style, 1.0) };
    let job = Job {
        image: &image,
        operation: Operation::Convert(request),
        files,
        memory_end: arguments.machine.memory_end(),
        budget: arguments.machine.long_budget(),
    };
    let ran = backend.run(job, &mut watcher);
    let result = match ran {
        Ok(outcome) => {
            arguments.machine.say_timings(program, &outcome.timings);
            match outcome.file(target_slot) {
                Some(file) => target_file.commit(file).map_err(Complaint::Failure),
                None => Err("the new image is gone".to_owned().into()),
            }
        }
        Err(error) => Err(explain_target(&error, &named, target_slot, &said, format).into()),
    };
    watcher.progress.end(result.is_ok());
    result
}

/// The format to make.
fn target_format(arguments: &Args) -> Result<Format, Complaint> {
    let name = arguments.output_format.as_deref().unwrap_or("raw");
    let shown = for_terminal(name.as_bytes());
    let format = Format::from_name(name).ok_or(format!("Unknown file format '{shown}'"))?;
    if table::options(format).is_none() {
        return Err(format!("Format driver '{name}' does not support image creation").into());
    }
    Ok(format)
}

fn sparse_size(text: &str) -> Result<u32, Complaint> {
    let size = number::size(text).map_err(|_| {
        Complaint::Failure(format!(
            "Invalid buffer size for sparse output specified: '{}'",
            for_terminal(text.as_bytes())
        ))
    })?;
    let good = size.is_multiple_of(512) && size <= MAX_SPARSE;
    u32::try_from(size).ok().filter(|_| good).ok_or_else(|| {
        Complaint::Failure(format!(
            "Invalid buffer size for sparse output specified. Valid sizes are multiples of 512 \
             up to {MAX_SPARSE}. Select 0 to disable sparse detection (fully allocates output)."
        ))
    })
}

/// Which snapshot the user wants.
fn snapshot(text: &str) -> Result<Snapshot, Complaint> {
    let name = |text: &str| SnapshotName::truncated(text.as_bytes());
    if !text.starts_with("snapshot.") {
        return Ok(Snapshot::Either(name(text)));
    }
    let (mut id, mut by_name) = (None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("snapshot.id", value)) => id = Some(name(value)),
            Some(("snapshot.name", value)) => by_name = Some(name(value)),
            _ => return Err(format!("Failed in parsing snapshot param '{text}'").into()),
        }
    }
    Ok(Snapshot::Exactly { id, name: by_name })
}

/// Makes or opens the file of the new image.
fn open_target(
    arguments: &Args,
    path: &Path,
    cache: Cache,
) -> Result<(TargetFile, HostFile, State), Complaint> {
    let shown = for_terminal(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
    let zeroed = if arguments.target_is_zero { State::Zeroed } else { State::Used };
    if arguments.no_create {
        let opened = TargetFile::open(path, cache);
        let (target, file) =
            opened.map_err(|error| format!("Could not open '{shown}': {error}"))?;
        return Ok((target, file, zeroed));
    }
    let name = arguments.output_format.as_deref().unwrap_or("raw");
    let created = TargetFile::create(path, cache);
    let (target, file, is_new) =
        created.map_err(|error| format!("{shown}: error while converting {name}: {error}"))?;
    Ok((target, file, if is_new { State::New } else { State::Used }))
}

fn file_name(path: &Path) -> Text<4096> {
    let name = path.file_name().unwrap_or_default();
    Text::truncated(std::os::unix::ffi::OsStrExt::as_bytes(name))
}

/// What ids are made of.
fn seed() -> [u8; 16] {
    let mut seed = [0; 16];
    // Without it, ids are zeros, and still no two of an image are the same.
    let _ = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
    seed
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A failure, in qemu-img's words.
fn explain_target(
    error: &RunError,
    named: &[Named],
    target: u8,
    said: &str,
    format: Format,
) -> String {
    if let RunError::Failed { failure, files } = error {
        let failed = file_in_slot(files, target).and_then(HostFile::output);
        if let Some(reason) = failed.and_then(|output| output.failure()) {
            return format!("error while writing '{said}': {reason}");
        }
        if failure.device == Some(target) {
            let message = for_terminal(failure.message.as_bytes());
            return format!("{said}: error while converting {}: {message}", format.name());
        }
    }
    explain(error, named, FIRST_FILE_SLOT)
}

/// Takes what the guest says on the way.
struct Watcher {
    references: References,
    progress: Progress,
}

impl Listener for Watcher {
    fn reply(&mut self, reply: Reply) {
        if let Reply::Progress(progress) = reply {
            self.progress.set(progress.done, progress.total);
        }
    }

    fn open(&mut self, reference: &Reference, from: &HostFile) -> Result<HostFile, String> {
        self.references.open(reference, from)
    }
}
