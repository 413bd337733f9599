//! Images that get made: their files, and what the guest is told of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use abi::convert::{State, Target};
use abi::info::Format;
use abi::reply::Part;
use abi::source::Source;
use abi::text::Text;

use crate::creation::{Settings, table};
use crate::host_file::HostFile;
use crate::host_file::output::Output;
use crate::image_name::{ImageName, NameError};
use crate::interruption;
use crate::output::escape::for_terminal;
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
    path: PathBuf,
    cache: Cache,
    /// Its own file first, then those that it has besides, with their slots.
    files: Vec<(u8, TargetFile)>,
    /// Which of the files besides the user has named.
    named: Vec<u8>,
    /// What files it may have besides.
    parts: Parts,
    format: Format,
    state: State,
}

/// What files an image may have besides its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parts {
    None,
    Whole,
    Flat,
    Sparse,
}

impl Parts {
    /// Those of an image that is wanted, as the user has said.
    fn of(wanted: &Wanted<'_>) -> Self {
        match wanted.settings.text("subformat") {
            _ if wanted.format != Format::Vmdk => Self::None,
            Some(b"monolithicFlat") => Self::Whole,
            Some(b"twoGbMaxExtentFlat") => Self::Flat,
            Some(b"twoGbMaxExtentSparse") => Self::Sparse,
            _ => Self::None,
        }
    }

    fn has(self, part: Part) -> bool {
        let kind = match part {
            Part::Flat => Self::Whole,
            Part::FlatPart(_) => Self::Flat,
            Part::SparsePart(_) => Self::Sparse,
        };
        self == kind
    }
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
    /// Makes the file for an image, or opens one that is there, and those that the user
    /// has named besides. They go into slots from this one on.
    ///
    /// # Errors
    ///
    /// A message for the user, if one cannot be written.
    pub fn open(
        name: &OsStr,
        wanted: &Wanted<'_>,
        cache: Cache,
        slot: u8,
    ) -> Result<(Self, Vec<HostFile>), String> {
        let said = for_terminal(name.as_bytes());
        let path = match ImageName::from_file_name(name) {
            Ok(name) => name.path,
            // No file can be made that has no name.
            Err(NameError::Empty) if wanted.state == State::New => PathBuf::new(),
            Err(error) => return Err(error.to_string()),
        };
        let (file, host_file, state) = if TargetFile::is_stream(&path) {
            check_stream(&said, wanted)?;
            let opened = TargetFile::open_stream(&path, cache);
            let (file, host_file) = opened.map_err(|error| error.to_string())?;
            (file, host_file, State::New)
        } else if wanted.state == State::New {
            let created = TargetFile::create(&path, cache);
            let (file, host_file, is_empty) = created.map_err(|error| error.to_string())?;
            (file, host_file, if is_empty { State::New } else { State::Stale })
        } else {
            let opened = TargetFile::open(&path, cache);
            let (file, host_file) =
                opened.map_err(|error| format!("Could not open '{said}': {error}"))?;
            (file, host_file, wanted.state)
        };
        let parts = Parts::of(wanted);
        let files = vec![(slot, file)];
        let (named, format) = (Vec::new(), wanted.format);
        let mut image = Self { said, path, cache, files, named, parts, format, state };
        let mut host_files = vec![host_file];
        let data_file = wanted.settings.text("data_file").filter(|_| state == State::New);
        if let Some(name) = data_file.filter(|_| wanted.format == Format::Qcow2) {
            let path = ImageName::from_file_name(OsStr::from_bytes(name));
            let path = path.map_err(|error| error.to_string())?.path;
            let slot = slot.saturating_add(1);
            host_files.push(image.create(&path, slot)?);
            image.named.push(slot);
        }
        Ok((image, host_files))
    }

    /// Makes a further file of the image, which goes into a slot.
    fn create(&mut self, path: &Path, slot: u8) -> Result<HostFile, String> {
        let created = TargetFile::create(path, self.cache);
        let (file, host_file, is_empty) = created.map_err(|error| error.to_string())?;
        if !is_empty {
            return Err(format!("'{}' is a device", host_file.shown_name()));
        }
        self.files.push((slot, file));
        Ok(host_file)
    }

    /// Makes the file that is a part of the image, which goes into a slot. It is called as
    /// the user has called the image.
    ///
    /// # Errors
    ///
    /// A message for the user, if it cannot be made, or the image is not one of several
    /// files.
    pub fn create_part(&mut self, part: Part, slot: u8) -> Result<HostFile, String> {
        if !self.parts.has(part) {
            return Err("the image has no such part".to_owned());
        }
        let name = part.name(self.file_name());
        self.create(&self.path.with_file_name(OsStr::from_bytes(&name)), slot)
    }

    fn file_name(&self) -> &[u8] {
        self.path.file_name().unwrap_or_default().as_bytes()
    }

    /// The slot of the image's own file.
    fn slot(&self) -> u8 {
        self.files.first().map_or(0, |(slot, _)| *slot)
    }

    /// The same as [`NewImage::open`] for an image that is made of files, in the words of
    /// `dd`: it may be none of them.
    ///
    /// # Errors
    ///
    /// A message for the user.
    pub fn open_beside(
        name: &OsStr,
        wanted: &Wanted<'_>,
        cache: Cache,
        slot: u8,
        sources: &[HostFile],
    ) -> Result<(Self, Vec<HostFile>), String> {
        let about = |reason: &str| {
            let said = for_terminal(name.as_bytes());
            format!("{said}: error while creating output image: {reason}")
        };
        if sources.iter().any(|source| source.is_at(Path::new(name))) {
            return Err(about("it is the file that is read"));
        }
        Self::open(name, wanted, cache, slot).map_err(|error| about(&error))
    }

    /// Whether it goes to standard output, where nothing else may be said then.
    #[must_use]
    pub fn is_printed(&self) -> bool {
        TargetFile::is_standard_output(&self.path)
    }

    /// Has the image made anew in its file, in which nothing is left of the one that was
    /// there. A device keeps its length.
    ///
    /// # Errors
    ///
    /// A message for the user, if the file cannot be emptied.
    pub fn renew(&mut self, file: HostFile) -> Result<HostFile, String> {
        if file.is_device() {
            self.state = State::Stale;
            return Ok(file);
        }
        let emptied = rustix::fs::ftruncate(file.as_fd(), 0);
        emptied.map_err(|error| {
            let reason = crate::reasons::reason(&error.into());
            format!("Could not open '{}': {reason}", self.said)
        })?;
        self.state = State::New;
        Ok(file.with_output(Output::growing(self.cache.durable)))
    }

    /// Leaves what is on a device there, as nothing is written to the disk.
    pub fn keep_content(&mut self) {
        if self.state == State::Stale {
            self.state = State::Used;
        }
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
            slot: self.slot(),
            others: self.named.clone(),
            format: wanted.format,
            options: wanted.settings.to_request(),
            compress: wanted.compress,
            file_name: Text::truncated(self.file_name()),
            backing,
            before: None,
            state: self.state,
            seed: seed(),
            time: now(),
        }
    }

    /// Has the image appear under its name, and first of all its other files, without
    /// which it is none.
    ///
    /// # Errors
    ///
    /// A message for the user.
    pub fn commit(self, outcome: &Outcome) -> Result<(), String> {
        let gone = || format!("{}: the new image is gone", self.said);
        let files = self.files.into_iter().rev();
        let files = files.map(|(slot, file)| Some((file, outcome.file(slot)?)));
        let mut files = files.collect::<Option<Vec<_>>>().ok_or_else(gone)?;
        files
            .iter()
            .try_for_each(|(file, host_file)| file.complete(host_file, self.format.name()))?;
        // Some of its files but not all would be worse than all.
        interruption::set_too_late();
        files.iter_mut().try_for_each(|(file, host_file)| file.publish(host_file))
    }

    /// That an image cannot be made, in the words of `convert`.
    #[must_use]
    pub fn complaint(name: &OsStr, format: Format, reason: &str) -> String {
        let said = for_terminal(name.as_bytes());
        format!("{said}: error while converting {}: {reason}", format.name())
    }

    /// A failure in the words of `convert`, if it is about the new image.
    #[must_use]
    pub fn explain(&self, error: &RunError, format: Format) -> Option<String> {
        let message = self.message(error)?;
        Some(format!("{}: error while converting {}: {message}", self.said, format.name()))
    }

    /// What is wrong with the new image, if a failure is about that.
    #[must_use]
    pub fn message(&self, error: &RunError) -> Option<String> {
        let RunError::Failed { failure, files } = error else {
            return None;
        };
        let outputs =
            self.files.iter().filter_map(|(slot, _)| file_in_slot(files, *slot)?.output());
        if let Some(reason) = outputs.filter_map(|output| output.failure()).next() {
            return Some(format!("cannot be written: {reason}"));
        }
        let message = for_terminal(failure.message.as_bytes());
        let is_ours = |slot| self.files.iter().any(|(own, _)| *own == slot);
        failure.device.is_some_and(is_ours).then_some(message)
    }
}

/// That an image cannot be written to a pipe, if it cannot.
fn check_stream(said: &str, wanted: &Wanted<'_>) -> Result<(), String> {
    let format = wanted.format.name();
    let subformat = wanted.settings.text("subformat");
    if wanted.state != State::New {
        return Err(format!("{said}: it is a pipe, and no image that could be written into"));
    }
    if !table::is_written_in_order(wanted.format, subformat) {
        return Err(format!("a {format} image cannot be written to a pipe: it needs seeking"));
    }
    Ok(())
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
