//! `copy`: the bytes of a file, whatever they mean.

use alloc::{format, vec};

use abi::compare::Finding;
use abi::convert::{Progress, State};
use abi::copy::Request;
use abi::info::Format;
use abi::reply::FailureKind;
use abi::source::Source;
use formats::Writer;
use formats::extent::File;
use formats::raw::RawWriter;

use crate::compare;
use crate::convert::{self, Copier, SECTOR};
use crate::disk::Disk;
use crate::engine::{Pipeline, Planner, Rules, Sink};
use crate::open;
use crate::session::Error;
use crate::transfer::Transfers;

/// How the file is cut.
const RULES: Rules = Rules { alignment: SECTOR, only_top: false, keep_zeros: false };

/// How many zeros in a row are not stored, in bytes.
const SPARSE: usize = 4096;

/// Copies a file.
///
/// # Errors
///
/// If something cannot be read or written, or is not the same in the end.
pub fn run<T: Transfers>(request: &Request, session: &T) -> Result<(), Error> {
    let Request { source, target, state, start, length, verify, progress } = *request;
    let file = session.storage(source).ok_or_else(|| Error::empty_slot(source))?;
    // A disk ends with a whole sector, which the file need not.
    let length = file.length().saturating_sub(start).min(length);
    let open = |slot| Disk::open(session, &Source::whole(slot, Some(Format::Raw)), 1);
    let disks = [open(source)?.part(start, length)];
    let mut writer = RawWriter::new(length);
    if state == State::New {
        convert::reserve_file(target, writer.longest(File::Own), session)?;
    }
    let planner = || Planner::new(&disks, 0, length, RULES);
    let total = if progress { convert::stored_bytes(planner())? } else { 0 };
    let mut sink = Sink::new(session, vec![target], state.into());
    let progress = progress.then_some(Progress { done: 0, total });
    let mut copier = Copier::new(&mut writer, state, SPARSE, progress);
    Pipeline::new(session, planner(), false).run(&mut copier, &mut sink)?;
    writer.finish(&mut sink).map_err(|error| open::failure(target, &error))?;
    sink.flush()?;
    if !verify {
        return Ok(());
    }
    let [original] = disks;
    // What the copy has is read, and not only asked for.
    let copy = open(target)?.without_holes().part(0, length);
    match compare::difference_of(session, [original, copy], length)? {
        None => Ok(()),
        Some(Finding::Unreadable { side: 0, offset }) => {
            Err(broken(source, &format!("it cannot be read again at byte {}", start + offset)))
        }
        Some(Finding::Unreadable { offset, .. }) => {
            Err(broken(target, &format!("the copy cannot be read at byte {offset}")))
        }
        Some(Finding::ContentMismatch(offset)) => {
            Err(broken(target, &format!("the copy differs in the sector at byte {offset}")))
        }
        Some(_) => Err(broken(target, "the copy differs")),
    }
}

fn broken(slot: u8, message: &str) -> Error {
    Error::about(slot, FailureKind::InputOutput, message.into())
}
