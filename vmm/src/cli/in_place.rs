//! An image that is there and gets another content (`convert -n`): a guest looks at it, and
//! says how it is made anew, before anything of it is given up.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use abi::convert::{ExamineRequest, Recreation};
use abi::info::Format;
use abi::reply::Reply;
use abi::request::Operation;
use abi::source::Source;

use super::Program;
use super::backing;
use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{MAX_DEPTH, Named, explain};
use super::watch::{self, Names, NotDone};
use crate::host_file::HostFile;
use crate::output::escape::for_terminal;
use crate::progress::{Progress, Style};
use crate::run::{FIRST_FILE_SLOT, Outcome, slot_behind};

/// What is to be copied into which image.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The images that are copied, in slots from the first on.
    pub sources: &'a [Source],
    /// The same, as the user has named them.
    pub named: &'a [Named],
    /// The image that is there.
    pub target_name: &'a OsString,
    /// Its format.
    pub format: Format,
    /// Leave out what the images underneath those on top of the chains have.
    pub only_top: bool,
    /// Compress units.
    pub compress: bool,
}

/// Has a guest look at the image that is there, which it cannot write to. `opened` is its
/// file, as it is going to be written to. Returns also the file as it was looked at.
///
/// # Errors
///
/// A message for the user, if it cannot be made anew.
pub fn examine(
    program: &Program,
    machine: &MachineArgs,
    wish: &Wish<'_>,
    opened: &[HostFile],
) -> Result<(Recreation, HostFile), String> {
    let Wish { sources, named, target_name, format, only_top, compress } = *wish;
    let image = ImageArgs { format: Some(format.name().to_owned()), ..ImageArgs::default() };
    let (target, target_file) = Named::open(&image, target_name)?;
    let said = for_terminal(target_name.as_bytes());
    let is_written = |file: &HostFile| opened.iter().any(|it| it.identity() == file.identity());
    if !is_written(&target_file) {
        return Err(format!("Could not open '{said}': it has just become another file"));
    }
    let slot = slot_behind(named.len());
    let mut files = Vec::new();
    for named in named {
        files.push(HostFile::open(&named.name.path).map_err(|error| error.to_string())?);
    }
    files.push(target_file);
    let operation = Operation::Examine(ExamineRequest {
        sources: sources.to_vec(),
        target: target.source(slot, None),
        only_top,
        compress,
        max_depth: MAX_DEPTH,
    });
    let mut recreation = None;
    let mut hear = |reply, _: &Names| {
        if let Reply::Recreation(said) = reply {
            recreation = Some(said);
        }
    };
    let mut silent = Progress::begin(Style::Silent, 1.0);
    let done = watch::run(program, machine, operation, files, &mut silent, &mut hear);
    let Outcome { mut files, .. } = done.map_err(|error| match error {
        NotDone::NoMachine(message) => message,
        NotDone::Failed(error) => {
            let all: Vec<Named> = named.iter().cloned().chain([target]).collect();
            explain(&error, &all, FIRST_FILE_SLOT)
        }
    })?;
    // An image that is underneath a source counts as one that is read.
    let target_file = (files.len() > named.len()).then(|| files.remove(named.len()));
    if files.iter().any(is_written) {
        return Err(backing::in_use(&said, format));
    }
    recreation.zip(target_file).ok_or_else(|| format!("the guest says nothing of '{said}'"))
}
