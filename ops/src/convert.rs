//! `convert` and its kin: disks become an image.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::convert::{CreateRequest, Progress, Range, Request, Setting, State, Target, Value};
use abi::reply::Reply;
use formats::creation::{self, Options};
use formats::extent::{File, Place};
use formats::{Creation, Format, Writer};
use sha2::{Digest, Sha256};

use crate::disk::Disk;
use crate::engine::pipeline::FilledContent;
use crate::engine::plan::PieceContent;
use crate::engine::{Consumer, Filled, Pipeline, Planner, Rules, Sink, zeros};
use crate::open::{self, Link};
use crate::session::{Error, Session};
use crate::transfer::Transfers;

/// Copies disks into a new image.
///
/// # Errors
///
/// If something cannot be read or written.
pub fn run<T: Transfers>(request: &Request, session: &T) -> Result<(), Error> {
    let open = |source| Disk::open(session, source, request.max_depth);
    let disks = request.sources.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let Range { start, length, to, size } = request.range;
    if start > size_of_all(&disks) {
        session.reply(Reply::NothingThere)?;
    }
    let mut disks = part(disks, start, length);
    if to > 0 {
        disks.insert(0, Disk::zeros(session, to));
    }
    let end = size_of_all(&disks).min(size.unwrap_or(u64::MAX));

    let target = &request.target;
    let size = size.unwrap_or(end).checked_next_multiple_of(SECTOR);
    let size = size.ok_or_else(|| Error::request("the disk is too large"))?;
    let mut writer = begin(target, size, session)?;
    let slots = reserve(target, writer.as_ref(), session)?;
    let has_backing = target.options.iter().any(|it| it.name.as_bytes() == b"backing_file");
    let unit = writer.unit();
    let rules = Rules {
        alignment: if target.compress || has_backing { unit } else { SECTOR },
        only_top: has_backing,
        keep_zeros: request.sparse == 0 || request.hash,
    };
    let total = if request.progress { stored_bytes(&disks, end, rules)? } else { 0 };

    let mut sink = Sink::new(session, slots, target.state != State::New);
    let sparse = usize::try_from(request.sparse).unwrap_or(usize::MAX);
    let progress = request.progress.then_some(Progress { done: 0, total });
    let mut copier = Copier::new(writer.as_mut(), target.state, sparse, progress);
    copier.hash = request.hash.then(Sha256::new);
    if has_backing {
        copier.unit = usize::try_from(unit).unwrap_or(usize::MAX);
        copier.zeros = Zeros::Hide;
    }
    let planner = Planner::new(&disks, 0, end, rules);
    Pipeline::new(session, planner, request.salvage).run(&mut copier, &mut sink)?;
    let hash = copier.hash.take();
    let failed = |error: formats::Error| open::failure(target.slot, &error);
    writer.finish(&mut sink).map_err(failed)?;
    sink.flush()?;
    match hash {
        Some(hash) => session.reply(Reply::Digest(hash.finalize().into())),
        None => Ok(()),
    }
}

/// Makes an image without content.
///
/// # Errors
///
/// If it cannot be made or written.
pub fn create<T: Transfers>(request: &CreateRequest, session: &T) -> Result<(), Error> {
    let target = &request.target;
    let mut writer = begin(target, request.size, session)?;
    let slots = reserve(target, writer.as_ref(), session)?;
    let mut sink = Sink::new(session, slots, false);
    writer.finish(&mut sink).map_err(|error| open::failure(target.slot, &error))?;
    sink.flush()
}

/// The unit of disks in bytes.
pub(crate) const SECTOR: u64 = 512;

/// The size of disks, one behind the other, in bytes.
fn size_of_all(disks: &[Disk<'_>]) -> u64 {
    disks.iter().map(Disk::size).fold(0, u64::saturating_add)
}

/// A part of disks, one behind the other. What goes beyond them is left out.
fn part(disks: Vec<Disk<'_>>, start: u64, length: u64) -> Vec<Disk<'_>> {
    let (mut start, mut left) = (start, length);
    let parts = disks.into_iter().map(|disk| {
        let size = disk.size();
        let part = disk.part(start, left);
        start = start.saturating_sub(size);
        left -= part.size();
        part
    });
    parts.collect()
}

/// Begins to make an image with a disk of this size in bytes.
pub(crate) fn begin(
    target: &Target,
    size: u64,
    session: &dyn Session,
) -> Result<Box<dyn Writer>, Error> {
    let format = format(target.format)?;
    let options = options(&target.options);
    let backing = target.backing.as_ref();
    let backing = backing.map(|source| Link::from(source).open(session)).transpose()?;
    let backing_format = backing.as_ref().map(|backing| backing.format.name());
    let backing = backing.map(|backing| backing.image.description());
    let creation = Creation {
        size,
        options,
        compress: target.compress,
        file_name: target.file_name.as_bytes().to_vec(),
        backing: backing.as_ref(),
        backing_format,
        seed: target.seed,
        time: target.time,
    };
    format.create(&creation).map_err(|error| open::failure(target.slot, &error))
}

/// The format with the name of another crate's.
pub(crate) fn format(format: abi::info::Format) -> Result<&'static dyn Format, Error> {
    let format = formats::by_name(format.name());
    format.ok_or_else(|| Error::request("the format is not known"))
}

/// Options in the words of formats.
pub(crate) fn options(settings: &[Setting]) -> Options {
    let mut options = Options::default();
    for setting in settings {
        let name = core::str::from_utf8(setting.name.as_bytes()).unwrap_or_default();
        options.set(
            name,
            match &setting.value {
                Value::Flag(flag) => creation::Value::Flag(*flag),
                Value::Number(number) => creation::Value::Number(*number),
                Value::Text(text) => creation::Value::Text(text.as_bytes().to_vec()),
            },
        );
    }
    options
}

/// Makes room in the files of an image. Returns their slots.
fn reserve<T: Transfers>(
    target: &Target,
    writer: &dyn Writer,
    session: &T,
) -> Result<Vec<u8>, Error> {
    let others = target.others.iter().enumerate();
    let others = others.map(|(index, slot)| (File::Other(index), *slot));
    let mut slots = Vec::new();
    for (file, slot) in core::iter::once((File::Own, target.slot)).chain(others) {
        if target.state == State::New {
            reserve_file(slot, writer.longest(file), session)?;
        }
        slots.push(slot);
    }
    Ok(slots)
}

/// Makes room in a file for a length in bytes. What is written are whole sectors, also
/// where it ends inside of one.
pub(crate) fn reserve_file<T: Transfers>(slot: u8, length: u64, session: &T) -> Result<(), Error> {
    session.reserve(slot, length.checked_next_multiple_of(SECTOR).unwrap_or(u64::MAX))
}

/// How many bytes of the disks are going to be read.
pub(crate) fn stored_bytes(disks: &[Disk<'_>], end: u64, rules: Rules) -> Result<u64, Error> {
    let mut planner = Planner::new(disks, 0, end, rules);
    let mut total = 0;
    while let Some(piece) = planner.next()? {
        if matches!(piece.content, PieceContent::Data(_)) {
            total += piece.length;
        }
    }
    Ok(total)
}

/// What is done with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zeros {
    /// Nothing: what is not written is zeros.
    AreThere,
    /// They are written, since there may be something else.
    Write,
    /// They are noted, since they hide what is underneath.
    Hide,
}

/// Gives pieces to a writer.
pub(crate) struct Copier<'a> {
    writer: &'a mut dyn Writer,
    sparse: usize,
    unit: usize,
    zeros: Zeros,
    hash: Option<Sha256>,
    progress: Option<Progress>,
}

impl<T: Transfers> Consumer<T> for Copier<'_> {
    fn take(&mut self, piece: Filled<T::Buffer>, sink: &mut Sink<'_, T>) -> Result<(), Error> {
        let offset = piece.offset;
        match piece.content {
            FilledContent::Zero => self.zero(offset, piece.length, sink),
            FilledContent::Underneath => Ok(()),
            FilledContent::Data(buffer) => {
                self.data(offset, piece.length, buffer, sink)?;
                self.report(piece.length, sink.session())
            }
        }
    }
}

impl<'a> Copier<'a> {
    /// For an image with nothing underneath, which leaves out so many zeros in a row.
    pub(crate) fn new(
        writer: &'a mut dyn Writer,
        state: State,
        sparse: usize,
        progress: Option<Progress>,
    ) -> Self {
        let zeros = match state {
            State::New | State::Zeroed => Zeros::AreThere,
            State::Used => Zeros::Write,
        };
        Self { writer, sparse, unit: 1, zeros, hash: None, progress }
    }
    /// Stores what is not zeros of a buffer.
    fn data<T: Transfers>(
        &mut self,
        offset: u64,
        length: u64,
        buffer: T::Buffer,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), Error> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = buffer.get(..length).unwrap_or_default();
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        let runs = zeros::data_runs(bytes, self.sparse);
        let runs = zeros::in_units(&runs, self.unit, length);
        let buffer = Arc::new(buffer);
        let mut position = 0;
        for run in runs {
            self.zero(offset + position as u64, (run.start - position) as u64, sink)?;
            position = run.end;
            let end = run.end.next_multiple_of(512);
            let mut start = run.start;
            while start < end {
                let left = (end - start) as u64;
                let place = self.writer.place(offset + start as u64, left, sink);
                let run = place.map_err(|error| open::failure(0, &error).without_device())?;
                let count = usize::try_from(run.length.min(left)).unwrap_or(0).max(1);
                sink.write_buffer(run.place, &buffer, start..start + count)?;
                start += count;
            }
        }
        self.zero(offset + position as u64, (length - position) as u64, sink)?;
        sink.pool().put_shared(buffer);
        Ok(())
    }

    /// Sees to it that a range is zeros.
    fn zero<T: Transfers>(
        &mut self,
        offset: u64,
        length: u64,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), Error> {
        match self.zeros {
            _ if length == 0 => Ok(()),
            Zeros::AreThere => Ok(()),
            Zeros::Write => sink.write_zeros(Place::own(offset), length),
            Zeros::Hide => self
                .writer
                .zero(offset, length, sink)
                .map_err(|error| open::failure(0, &error).without_device()),
        }
    }

    /// Says how far it has come.
    fn report<T: Transfers>(&mut self, length: u64, session: &T) -> Result<(), Error> {
        match &mut self.progress {
            Some(progress) => {
                progress.done += length;
                session.reply(Reply::Progress(*progress))
            }
            None => Ok(()),
        }
    }
}
