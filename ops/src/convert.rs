//! `convert` and its kin: disks become an image.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use abi::convert::{CreateRequest, Progress, Request, Setting, State, Target, Value};
use abi::reply::{NewFile, Part, Preallocate, Preallocation, Reply};
use abi::source::Source;
use formats::creation::{self, Options};
use formats::extent::{File, Place};
use formats::image::Description;
use formats::writer::{self, OtherFile};
use formats::{Creation, Format, Writer};
use sha2::{Digest, Sha256};

use crate::disk::Disk;
use crate::engine::job::{Compression, Unit, Units};
use crate::engine::pipeline::FilledContent;
use crate::engine::plan::PieceContent;
use crate::engine::{Consumer, Filled, Pipeline, Planner, Rules, Sink, zeros};
use crate::open::{self, Link};
use crate::recreate;
use crate::session::{Error, Session};
use crate::transfer::Transfers;

/// Copies disks into a new image.
///
/// # Errors
///
/// If something cannot be read or written.
pub fn run<T: Transfers>(request: &Request, session: &T) -> Result<(), Error> {
    let open = |source| Disk::open(session, source, request.max_depth);
    let mut disks = open_sources(request, session)?;
    let size = request.range.size;
    let content_end = size_of_all(&disks).min(size.unwrap_or(u64::MAX));

    let target = &request.target;
    let size = size.unwrap_or(content_end).checked_next_multiple_of(SECTOR);
    let size = size.ok_or_else(|| Error::request("the disk is too large"))?;
    let named = target.backing.as_ref().map(open).transpose()?;
    let backing = named.as_ref().and_then(|disk| Some((disk.top()?, disk.format()?)));
    let backing = backing.map(|(image, format)| (image.description(), format));
    let mut writer = begin(target, size, backing)?;
    let unit = writer.unit();
    let beneath = recreate::named_backing(target);
    let has_backing = beneath.is_some();
    // What ends inside a unit hides what is underneath the rest of it.
    let until = content_end.next_multiple_of(unit).min(size);
    let goes_on = has_backing && !request.only_top && content_end < until;
    let is_needed = request.only_top || goes_on;
    let underneath = match (named, &beneath, target.before) {
        (None, Some(backing), Some(slot)) if is_needed => {
            Some(Disk::underneath(session, slot, backing, request.max_depth)?)
        }
        (named, ..) => named,
    };
    let (underneath, end) = match underneath {
        Some(disk) if goes_on => {
            recreate::go_on(&mut disks, content_end, until, disk, session);
            (None, until)
        }
        underneath => (underneath, content_end),
    };
    let slots = open_files(target, writer.as_ref(), session)?;
    let encoding = writer.encoding();
    let compression = encoding.map(|encoding| Compression {
        encoding,
        unit: to_usize(unit),
        keep_zeros: request.sparse == 0,
    });
    let rules = Rules {
        alignment: if compression.is_some() || has_backing { unit } else { SECTOR },
        only_top: request.only_top,
        keep_zeros: request.sparse == 0 || request.hash,
    };
    // What is compressed is so as a whole, with what the disks have in it.
    let beneath = underneath.as_ref().filter(|_| compression.is_none());
    let planner = || Planner::new(&disks, 0, end, rules).on_top_of(beneath);
    let total = if request.progress { stored_bytes(planner())? } else { 0 };

    let mut sink = Sink::new(session, slots.clone(), target.state.into());
    let progress = request.progress.then_some(Progress { done: 0, total });
    let sparse = to_usize(request.sparse.into());
    let mut copier = Copier::new(writer.as_mut(), target.state, sparse, progress);
    copier.hash = request.hash.then(|| Hash { digest: Sha256::new(), left: content_end });
    if has_backing {
        copier.unit = to_usize(unit);
        let size = underneath.as_ref().map_or(u64::MAX, Disk::size);
        let size = size.checked_next_multiple_of(unit).unwrap_or(u64::MAX);
        copier.zeros = Zeros::Hide { size };
    }
    let mut pipeline = Pipeline::new(session, planner(), request.salvage).compressing(compression);
    pipeline.run(&mut copier, &mut sink)?;
    let hash = copier.hash.take();
    finish(target, &slots, writer.as_mut(), &mut sink)?;
    if size == 0 && target.state == State::New {
        check_empty(target, session)?;
    }
    match hash {
        Some(hash) => session.reply(Reply::Digest(hash.digest.finalize().into())),
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
    let backing = target.backing.as_ref();
    let backing = backing.map(|source| Link::from(source).open(session)).transpose()?;
    let backing = backing.map(|opened| (opened.image.description(), opened.format.name()));
    let mut writer = begin(target, request.size, backing)?;
    let slots = open_files(target, writer.as_ref(), session)?;
    let mut sink = Sink::new(session, slots.clone(), target.state.into());
    finish(target, &slots, writer.as_mut(), &mut sink)
}

/// The unit of disks in bytes.
pub(crate) const SECTOR: u64 = 512;

/// Opens the disks that are copied: the wanted part of the sources, behind zeros if it goes
/// further back on the new disk.
fn open_sources<'a>(request: &Request, session: &'a dyn Session) -> Result<Vec<Disk<'a>>, Error> {
    let open = |source| Disk::open(session, source, request.max_depth);
    let disks = request.sources.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let abi::convert::Range { start, length, to, .. } = request.range;
    if start > size_of_all(&disks) {
        session.reply(Reply::NothingThere)?;
    }
    let mut disks = part(disks, start, length);
    if to > 0 {
        disks.insert(0, Disk::zeros(session, to));
    }
    Ok(disks)
}

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

/// Begins to make an image with a disk of this size in bytes, on top of one that has a
/// format.
pub(crate) fn begin(
    target: &Target,
    size: u64,
    backing: Option<(Description, &str)>,
) -> Result<Box<dyn Writer>, Error> {
    let format = format(target.format)?;
    let options = options(&target.options);
    let creation = Creation {
        size,
        options,
        compress: target.compress,
        file_name: target.file_name.as_bytes().to_vec(),
        backing: backing.as_ref().map(|(description, _)| description),
        backing_format: backing.as_ref().map(|(_, format)| *format),
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

/// Makes room in a file for a length in bytes. What is written are whole sectors, also
/// where it ends inside of one.
pub(crate) fn reserve_file(slot: u8, length: u64, session: &dyn Session) -> Result<(), Error> {
    session.reserve(slot, length.checked_next_multiple_of(SECTOR).unwrap_or(u64::MAX))
}

/// Makes room in the files of an image, and makes those that are not there. Returns their
/// slots.
fn open_files(
    target: &Target,
    writer: &dyn Writer,
    session: &dyn Session,
) -> Result<Vec<u8>, Error> {
    let is_new = target.state == State::New;
    let room = |slot, file| match is_new {
        true => reserve_file(slot, writer.longest(file), session),
        false => Ok(()),
    };
    room(target.slot, File::Own)?;
    let mut slots = alloc::vec![target.slot];
    let mut named = target.others.iter().copied();
    for (index, other) in writer.other_files().iter().enumerate() {
        let file = File::Other(index);
        let part = match other {
            OtherFile::Flat => Some(Part::Flat),
            OtherFile::FlatPart(number) => Some(Part::FlatPart(*number)),
            OtherFile::SparsePart(number) => Some(Part::SparsePart(*number)),
            OtherFile::Named(_) => None,
        };
        slots.push(match part.filter(|_| is_new) {
            Some(part) => {
                let length = writer.longest(file);
                session.create_file(NewFile { of: target.slot, part, length })?
            }
            None => {
                let slot = named.next();
                let slot = slot.ok_or_else(|| Error::request("a file of the image is missing"))?;
                room(slot, file)?;
                slot
            }
        });
    }
    Ok(slots)
}

/// Finishes an image, whose files are in these slots.
fn finish<T: Transfers>(
    target: &Target,
    slots: &[u8],
    writer: &mut dyn Writer,
    sink: &mut Sink<'_, T>,
) -> Result<(), Error> {
    writer.finish(sink).map_err(|error| open::failure(target.slot, &error))?;
    sink.flush()?;
    let how = match writer.preallocation() {
        // A device has all of its room.
        _ if target.state != State::New => return Ok(()),
        writer::Preallocation::Off => return Ok(()),
        writer::Preallocation::Falloc => Preallocation::Falloc,
        writer::Preallocation::Full => Preallocation::Full,
    };
    let preallocate = |slot| Reply::Preallocate(Preallocate { slot, how });
    slots.iter().try_for_each(|slot| sink.session().reply(preallocate(*slot)))
}

/// Opens an image with an empty disk. Not every format can have one: it can be made, but
/// nobody can open it then.
fn check_empty(target: &Target, session: &dyn Session) -> Result<(), Error> {
    let source = Source::whole(target.slot, Some(target.format));
    Link::from(&source).open(session).map(|_| ())
}

/// How many bytes of the disks are going to be read.
pub(crate) fn stored_bytes(mut planner: Planner<'_>) -> Result<u64, Error> {
    let mut total = 0;
    while let Some(piece) = planner.next_piece()? {
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
    /// They are noted, since they hide what is underneath: a disk of this size in bytes,
    /// in whole units.
    Hide { size: u64 },
}

/// The digest of the content of a disk.
struct Hash {
    digest: Sha256,
    /// How much of it is still to come, in bytes. Behind it is what fills up a unit.
    left: u64,
}

impl Hash {
    fn update(&mut self, bytes: &[u8]) {
        let part = bytes.get(..to_usize(self.left)).unwrap_or(bytes);
        self.left -= part.len() as u64;
        self.digest.update(part);
    }
}

/// Gives pieces to a writer.
pub(crate) struct Copier<'a> {
    writer: &'a mut dyn Writer,
    sparse: usize,
    unit: usize,
    zeros: Zeros,
    hash: Option<Hash>,
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
            FilledContent::Units(buffer, units) => {
                self.units(offset, piece.length, buffer, &units, sink)?;
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
            State::New | State::Stale | State::Zeroed => Zeros::AreThere,
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
            self.plain(offset, &buffer, run.start..end, sink)?;
        }
        self.zero(offset + position as u64, (length - position) as u64, sink)?;
        sink.pool().put_shared(buffer);
        Ok(())
    }

    /// Stores units that were compressed, or were to be.
    fn units<T: Transfers>(
        &mut self,
        offset: u64,
        length: u64,
        buffer: T::Buffer,
        units: &Units,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), Error> {
        let length = to_usize(length);
        if let Some(hash) = &mut self.hash {
            hash.update(buffer.get(..length).unwrap_or_default());
        }
        let buffer = Arc::new(buffer);
        for (number, unit) in units.units.iter().enumerate() {
            let start = number * units.size;
            let end = length.min(start + units.size);
            let place = offset + start as u64;
            match unit {
                Unit::Zero => self.zero(place, (end - start) as u64, sink)?,
                Unit::Plain => {
                    self.plain(offset, &buffer, start..end.next_multiple_of(512), sink)?;
                }
                Unit::Compressed(range) => {
                    let bytes = units.bytes.get(range.clone()).unwrap_or_default();
                    let stored = self.writer.store(place, bytes, sink);
                    stored.map_err(|error| open::failure(0, &error).without_device())?;
                }
            }
        }
        sink.pool().put_shared(buffer);
        Ok(())
    }

    /// Stores a part of a buffer, which starts at an offset, as it is.
    fn plain<T: Transfers>(
        &mut self,
        offset: u64,
        buffer: &Arc<T::Buffer>,
        range: Range<usize>,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), Error> {
        let mut start = range.start;
        while start < range.end {
            let left = (range.end - start) as u64;
            let place = self.writer.place(offset + start as u64, left, sink);
            let run = place.map_err(|error| open::failure(0, &error).without_device())?;
            let count = to_usize(run.length.min(left)).max(1);
            sink.write_buffer(run.place, buffer, start..start + count)?;
            start += count;
        }
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
            Zeros::Hide { size } => {
                let length = length.min(size.saturating_sub(offset));
                if length == 0 {
                    return Ok(());
                }
                let zeroed = self.writer.zero(offset, length, sink);
                zeroed.map_err(|error| open::failure(0, &error).without_device())
            }
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

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
