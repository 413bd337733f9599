//! Images that get made: their file, and what the guest is told of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use abi::convert::{State, Target};
use abi::info::Format;
use abi::source::Source;
use abi::text::Text;

use crate::creation::{Settings, table};
use crate::host_file::{HostFile, Identity, OpenError};
use crate::output::escape::for_terminal;
use crate::reasons::reason;
use crate::run::{Outcome, RunError, file_in_slot};
use crate::target_file::{Cache, TargetFile};

/// What an image is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its format.
    pub format: Format,
    /// What the user has set.
    pub settings: &'a Settings,
    /// Compress units.
    pub compress: bool,
    /// What its file holds before.
    pub state: State,
}

/// An image that gets made.
#[derive(Debug)]
pub struct NewImage {
    /// What the user calls it, fit for a terminal.
    pub said: String,
    file_name: Vec<u8>,
    file: TargetFile,
    slot: u8,
    state: State,
}

/// The format with a name, if it can be made.
///
/// # Errors
///
/// In qemu-img's words, if not.
pub fn format(name: &str) -> Result<Format, String> {
    let shown = for_terminal(name.as_bytes());
    let format = Format::from_name(name).ok_or(format!("Unknown file format '{shown}'"))?;
    if table::options(format).is_none() {
        return Err(format!("Format driver '{name}' does not support image creation"));
    }
    Ok(format)
}

impl NewImage {
    /// Makes the file for an image, or opens one that is there. It goes into a slot.
    ///
    /// # Errors
    ///
    /// A message for the user, if it cannot be written.
    pub fn open(
        name: &OsStr,
        wanted: &Wanted<'_>,
        cache: Cache,
        slot: u8,
    ) -> Result<(Self, HostFile), String> {
        let path = Path::new(name);
        let said = for_terminal(name.as_bytes());
        let (file, host_file, state) = if wanted.state == State::New {
            let created = TargetFile::create(path, cache);
            let (file, host_file, is_empty) = created.map_err(|error| {
                format!("{said}: error while converting {}: {error}", wanted.format.name())
            })?;
            (file, host_file, if is_empty { State::New } else { State::Used })
        } else {
            let opened = TargetFile::open(path, cache);
            let (file, host_file) =
                opened.map_err(|error| format!("Could not open '{said}': {error}"))?;
            (file, host_file, wanted.state)
        };
        let file_name = path.file_name().unwrap_or_default().as_bytes().to_vec();
        Ok((Self { said, file_name, file, slot, state }, host_file))
    }

    /// Makes the file for a new image, which goes into a slot.
    ///
    /// # Errors
    ///
    /// A message for the user, if it cannot be written, or is one of the files that are
    /// read.
    pub fn create(
        name: &OsStr,
        cache: Cache,
        slot: u8,
        sources: &[HostFile],
    ) -> Result<(Self, HostFile), String> {
        let path = Path::new(name);
        let said = for_terminal(name.as_bytes());
        let about = |reason: String| format!("{said}: error while creating output image: {reason}");
        let is_source = |identity| sources.iter().any(|source| source.identity() == identity);
        if Identity::of(path).is_some_and(is_source) {
            return Err(about("it is the file that is read".to_owned()));
        }
        let created = TargetFile::create(path, cache);
        let (file, host_file, is_empty) = created.map_err(|error| match error {
            OpenError::System { source, .. } => {
                about(format!("Could not create '{said}': {}", reason(&source)))
            }
            error @ OpenError::NotRegular { .. } => about(error.to_string()),
        })?;
        let state = if is_empty { State::New } else { State::Used };
        let file_name = path.file_name().unwrap_or_default().as_bytes().to_vec();
        Ok((Self { said, file_name, file, slot, state }, host_file))
    }

    /// What the file holds before.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The image in the words of a request.
    #[must_use]
    pub fn request(&self, wanted: &Wanted<'_>, backing: Option<Source>) -> Target {
        Target {
            slot: self.slot,
            others: Vec::new(),
            format: wanted.format,
            options: wanted.settings.to_request(),
            compress: wanted.compress,
            file_name: Text::truncated(&self.file_name),
            backing,
            state: self.state,
            seed: seed(),
            time: now(),
        }
    }

    /// Has the image appear under its name.
    ///
    /// # Errors
    ///
    /// A message for the user.
    pub fn commit(self, outcome: &Outcome) -> Result<(), String> {
        match outcome.file(self.slot) {
            Some(file) => self.file.commit(file),
            None => Err(format!("{}: the new image is gone", self.said)),
        }
    }

    /// A failure in qemu-img's words, if it is about the new image.
    #[must_use]
    pub fn explain(&self, error: &RunError, format: Format) -> Option<String> {
        let said = &self.said;
        let message = self.message(error)?;
        Some(format!("{said}: error while converting {}: {message}", format.name()))
    }

    /// What is wrong with the new image, if a failure is about that.
    #[must_use]
    pub fn message(&self, error: &RunError) -> Option<String> {
        let RunError::Failed { failure, files } = error else {
            return None;
        };
        let output = file_in_slot(files, self.slot).and_then(HostFile::output);
        if let Some(reason) = output.and_then(|output| output.failure()) {
            return Some(format!("cannot be written: {reason}"));
        }
        let message = for_terminal(failure.message.as_bytes());
        (failure.device == Some(self.slot)).then_some(message)
    }
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
