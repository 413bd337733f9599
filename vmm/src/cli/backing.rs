//! The image underneath one that gets made by a copy. No rule says where it may lie, as
//! the user has named it; what it refers to itself is another matter.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use abi::info::Format;

use super::image::ImageArgs;
use super::source::{Named, UNDERNEATH, reason};
use crate::creation::Settings;
use crate::file_name;
use crate::host_file::HostFile;
use crate::output::escape::for_terminal;
use crate::run::{RunError, file_in_slot};

/// The image underneath, as the user has named it.
#[derive(Debug)]
pub struct Backing {
    /// The image.
    pub named: Named,
    /// Its file.
    pub file: HostFile,
}

/// What the user wishes for a new image and what is underneath.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Whether there is to be an image underneath.
    pub is_set: bool,
    /// What he has set.
    pub settings: &'a Settings,
    /// How many images are copied.
    pub sources: usize,
    /// Whether the image that is there holds nothing but zeros.
    pub target_is_zero: bool,
    /// Whether the content is to be hashed.
    pub hash: bool,
}

/// What is wrong with a wish, if anything.
#[must_use]
pub fn complaint(wish: &Wish<'_>) -> Option<String> {
    let is_option = wish.settings.text("backing_file").is_some();
    let complaint = match wish {
        Wish { is_set: false, .. } => return None,
        Wish { target_is_zero: true, .. } => {
            "Cannot use --target-is-zero when the destination image has a backing file"
        }
        Wish { sources: 2.., .. } => {
            "Having a backing file for the target makes no sense when concatenating multiple \
             input images"
        }
        _ if is_option && wish.settings.text("backing_fmt").is_none() => {
            "Use of backing file requires explicit backing format"
        }
        Wish { hash: true, .. } => "--hash needs all of the disk, and a backing file leaves it out",
        _ => return None,
    };
    Some(complaint.to_owned())
}

/// That an image is about to be overwritten while it is read, if it is.
#[must_use]
pub fn overwritten<'a>(
    target: &OsStr,
    format: Format,
    read: impl IntoIterator<Item = &'a HostFile>,
) -> Option<String> {
    let is_read = read.into_iter().any(|file| file.is_at(Path::new(target)));
    let said = for_terminal(target.as_bytes());
    is_read.then(|| in_use(&said, format))
}

/// That an image is read and cannot be written to. `said` is what the user calls it.
#[must_use]
pub fn in_use(said: &str, format: Format) -> String {
    format!(
        "{said}: error while converting {}: Failed to get \"write\" lock\n\
         Is another process using the image [{said}]?",
        format.name()
    )
}

impl Backing {
    /// Opens the image underneath one that gets made, if there is to be one.
    ///
    /// # Errors
    ///
    /// In qemu-img's words.
    pub fn open(
        target: &OsStr,
        format: Format,
        settings: &Settings,
    ) -> Result<Option<Self>, String> {
        let Some(name) = settings.text("backing_file") else {
            return Ok(None);
        };
        let said = for_terminal(target.as_bytes());
        if name.is_empty() {
            return Err(format!("{said}: Expected backing file name, got empty string"));
        }
        let driver = String::from_utf8_lossy(settings.text("backing_fmt").unwrap_or_default());
        if Format::from_name(&driver).is_none() {
            let shown = for_terminal(driver.as_bytes());
            let complaint = match format {
                Format::Qcow => format!("unrecognized backing format '{shown}'"),
                Format::Vmdk => "backing_file must be a vmdk image".to_owned(),
                _ => format!("Parameter 'backing-fmt' does not accept value '{shown}'"),
            };
            return Err(format!("{said}: error while converting {}: {complaint}", format.name()));
        }
        let full = file_name::full(target.as_bytes(), name).unwrap_or_default();
        let image = ImageArgs { format: Some(driver.into_owned()), ..ImageArgs::default() };
        let (named, file) = Named::find(&image, &OsString::from_vec(full))
            .map_err(|reason| format!("Could not open '{said}': {UNDERNEATH}{reason}"))?;
        Ok(Some(Self { named, file }))
    }
}

/// A failure in qemu-img's words, if it is about the image underneath in a slot, or one
/// that it led to. `said` is what the user calls the new image.
#[must_use]
pub fn explain(error: &RunError, slot: u8, said: &str) -> Option<String> {
    let RunError::Failed { failure, files } = error else {
        return None;
    };
    let file = file_in_slot(files, failure.device.filter(|device| *device >= slot)?)?;
    let backing = file_in_slot(files, slot)?;
    let reason = || reason(failure, files, None);
    (file.origin() == backing.path())
        .then(|| format!("Could not open '{said}': {UNDERNEATH}{}", reason()))
}
