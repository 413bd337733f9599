//! Images that the user named, opened and ready for a guest.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use abi::info::{self, Format};
use abi::reply::{Failure, Reply};
use abi::request::Operation;
use abi::source::{Snapshot, Source};
use abi::text::Text;

use super::Program;
use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::watch::{self, Names, NotDone};
use crate::host_file::pipe::Pipe;
use crate::host_file::{HostFile, OpenError};
use crate::image_name::ImageName;
use crate::output::escape::for_terminal;
use crate::progress::{Progress, Style};
use crate::reasons::on_one_line;
use crate::run::{FIRST_FILE_SLOT, RunError, file_in_slot};

/// How many images a backing chain may have.
pub const MAX_DEPTH: u32 = 64;

/// An image that the user named.
#[derive(Clone, Debug)]
pub struct Named {
    /// What he said, fit for a terminal.
    pub said: String,
    /// What that means.
    pub name: ImageName,
    /// Its format, if he said so.
    pub format: Option<Format>,
}

impl Named {
    /// The image that the user named, with its file.
    ///
    /// # Errors
    ///
    /// A message for the user, if it cannot be opened.
    pub fn open(arguments: &ImageArgs, name: &OsString) -> Result<(Self, HostFile), String> {
        Self::find(arguments, name).map_err(|reason| {
            format!("Could not open '{}': {reason}", for_terminal(name.as_bytes()))
        })
    }

    /// The same, where it may also be a pipe, and `-` is standard input.
    ///
    /// # Errors
    ///
    /// A message for the user, if it cannot be opened.
    pub fn open_input(arguments: &ImageArgs, name: &OsString) -> Result<(Self, HostFile), String> {
        Self::find_with(arguments, name, HostFile::open_input).map_err(|reason| {
            format!("Could not open '{}': {reason}", for_terminal(name.as_bytes()))
        })
    }

    /// The same, for those who do not say the name first.
    ///
    /// # Errors
    ///
    /// The reason, if it cannot be opened.
    pub fn find(arguments: &ImageArgs, name: &OsString) -> Result<(Self, HostFile), String> {
        Self::find_with(arguments, name, HostFile::open)
    }

    fn find_with(
        arguments: &ImageArgs,
        name: &OsString,
        open: impl Fn(&Path) -> Result<HostFile, OpenError>,
    ) -> Result<(Self, HostFile), String> {
        let said = for_terminal(name.as_bytes());
        let name = arguments.name(name).map_err(|error| error.to_string())?;
        let format = known_format(&name)?;
        let file = open(&name.path).map_err(|error| error.to_string())?;
        Ok((Self { said, name, format }, file))
    }

    /// The image in the words of a request.
    #[must_use]
    pub fn source(&self, slot: u8, snapshot: Option<Snapshot>) -> Source {
        Source {
            slot,
            format: self.format,
            extension: Text::truncated(&self.name.extension),
            window: self.name.window,
            snapshot,
        }
    }
}

/// Has a guest describe an image, and nothing that it refers to.
///
/// # Errors
///
/// The reason, without the name of the image in front of it.
pub fn describe(
    program: &Program,
    machine: &MachineArgs,
    named: &Named,
) -> Result<info::Image, String> {
    let file = HostFile::open(&named.name.path);
    let file = file.map_err(|error| error.to_string())?;
    let operation = Operation::Info(info::Request {
        image: named.source(FIRST_FILE_SLOT, None),
        follow: false,
        max_depth: 1,
        contents: false,
    });
    let mut described = None;
    let mut hear = |reply, _: &Names| {
        if let Reply::Info(info::Reply::Image(image)) = reply {
            described = Some(*image);
        }
    };
    let mut silent = Progress::begin(Style::Silent, 1.0);
    let done = watch::run(program, machine, operation, vec![file], &mut silent, &mut hear);
    match (done, described) {
        (Ok(_), Some(described)) => Ok(described),
        (Ok(_), None) => Err(format!("the guest gave no description of '{}'", named.said)),
        (Err(NotDone::NoMachine(message)), _) => Err(message),
        (Err(NotDone::Failed(RunError::Failed { failure, .. })), _) => {
            let message = for_terminal(failure.message.as_bytes());
            Err(match failure.is_bare {
                true => format!("Could not open '{}': {message}", named.said),
                false => message,
            })
        }
        (Err(NotDone::Failed(error)), _) => Err(on_one_line(&error)),
    }
}

/// The format that the user said an image has.
fn known_format(name: &ImageName) -> Result<Option<Format>, String> {
    let Some(driver) = name.driver.as_deref() else {
        return Ok(None);
    };
    match Format::from_name(driver) {
        Some(format) => Ok(Some(format)),
        None => Err(format!("Unknown driver '{}'", for_terminal(driver.as_bytes()))),
    }
}

/// A failure to do something with disks, in qemu-img's words. The first files are those
/// of the images that the user named.
#[must_use]
pub fn explain(error: &RunError, named: &[Named], first_slot: u8) -> String {
    let RunError::Failed { failure, files } = error else {
        return explain_otherwise(error, named);
    };
    if let Some(complaint) = explain_pipe(files) {
        return complaint;
    }
    let file = failure.device.and_then(|slot| file_in_slot(files, slot));
    let origin = file.map(HostFile::origin);
    let index = failure.device.and_then(|slot| slot.checked_sub(first_slot)).map(usize::from);
    let itself = index.and_then(|index| named.get(index));
    let image = itself.or_else(|| named.iter().find(|it| Some(it.name.path.as_path()) == origin));
    match image {
        Some(image) => {
            let shown = itself.map(|named| for_terminal(&named.name.shown));
            let reason = reason(failure, files, shown);
            format!("Could not open '{}': {reason}", image.said)
        }
        None => explain_chain(error, named, first_slot),
    }
}

/// What is wrong with a pipe that was read, if something is.
fn explain_pipe(files: &[HostFile]) -> Option<String> {
    let complaint = |file: &HostFile| Some((file.shown_name(), file.pipe()?.complaint()?));
    let (name, complaint) = files.iter().find_map(complaint)?;
    Some(format!("{name}: cannot be read from a pipe: {complaint}"))
}

/// Has pipes read to their ends, so that nobody is kept from writing who has more than was
/// needed.
///
/// # Errors
///
/// A message for the user, if one cannot be read.
pub fn drain(files: &[HostFile]) -> Result<(), String> {
    files
        .iter()
        .filter_map(HostFile::pipe)
        .try_for_each(Pipe::drain)
        .map_err(|_| explain_pipe(files).unwrap_or_default())
}

/// The same where every image of a chain is opened by itself.
#[must_use]
pub fn explain_chain(error: &RunError, named: &[Named], first_slot: u8) -> String {
    let RunError::Failed { failure, files } = error else {
        return explain_otherwise(error, named);
    };
    let message = for_terminal(failure.message.as_bytes());
    let Some(slot) = failure.device else {
        return message;
    };
    // An image is called as the user did; others have a name of their own.
    let index = slot.checked_sub(first_slot).map(usize::from);
    let image = index.and_then(|index| named.get(index));
    let (said, shown) = match image {
        Some(named) => (named.said.clone(), for_terminal(&named.name.shown)),
        None => {
            let name = file_in_slot(files, slot).map(HostFile::shown_name);
            let name = name.unwrap_or_default();
            (name.clone(), name)
        }
    };
    if failure.is_bare {
        // qemu puts the name before the system's word, and qemu-img
        // before what it hears from qemu.
        return format!("Could not open '{said}': Could not open '{shown}': {message}");
    }
    format!("Could not open '{said}': {message}")
}

/// Why an image cannot be opened, if the failure is about its file or about one that it
/// led to. `shown` is the name of the file, if it has another than its own.
#[must_use]
pub fn reason(failure: &Failure, files: &[HostFile], shown: Option<String>) -> String {
    let message = for_terminal(failure.message.as_bytes());
    let Some(file) = failure.device.and_then(|slot| file_in_slot(files, slot)) else {
        return message;
    };
    let underneath = UNDERNEATH.repeat(file.depth());
    if failure.is_bare {
        let shown = shown.unwrap_or_else(|| file.shown_name());
        return format!("{underneath}Could not open '{shown}': {message}");
    }
    format!("{underneath}{message}")
}

/// What qemu says before it says why an image underneath cannot be opened.
pub const UNDERNEATH: &str = "Could not open backing file: ";

/// A failure that is about no file.
fn explain_otherwise(error: &RunError, named: &[Named]) -> String {
    match named.first() {
        Some(named) => format!("Could not open '{}': {}", named.said, on_one_line(error)),
        None => on_one_line(error),
    }
}
