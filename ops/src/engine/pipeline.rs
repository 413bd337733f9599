//! Pieces on their way, many at a time, and in order at the end.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use abi::reply::FailureKind;
use formats::storage::read_at_padded;

use super::job::{Compression, Done, Job, Units};
use super::plan::{Piece, PieceContent, Plan, Planner};
use super::sink::Sink;
use super::{DEPTH, WRITE_LIMIT};
use crate::disk::{REPLAYED, Spot};
use crate::open;
use crate::session::Error;
use crate::transfer::{Event, Finished, Returned, Transfer, Transfers};

/// How many bits of a tag say which fetch of a piece it is.
const FETCH_BITS: u32 = 20;

/// The bit of a tag from which on it says which pipeline it is of. Those above belong to
/// the [sink](super::sink).
const PIPELINE_BIT: u32 = 62;

/// Takes pieces in the order of the disk.
pub trait Consumer<T: Transfers> {
    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// If nothing can be made of it.
    fn take(&mut self, piece: Filled<T::Buffer>, sink: &mut Sink<'_, T>) -> Result<(), Error>;
}

/// A piece of a disk that is there.
#[derive(Debug)]
pub struct Filled<B> {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What is in it.
    pub content: FilledContent<B>,
}

/// What is in a piece.
#[derive(Debug)]
pub enum FilledContent<B> {
    /// Zeros.
    Zero,
    /// What is underneath the image on top.
    Underneath,
    /// The first bytes of a buffer, and zeros up to a whole sector.
    Data(B),
    /// The same, by units that were compressed, or were to be.
    Units(B, Units),
}

/// Sends pieces on their way.
pub struct Pipeline<'a, T: Transfers> {
    session: &'a T,
    planner: Planner<'a>,
    /// Which pipeline it is: of two that run side by side, one is the second.
    is_second: bool,
    /// Where a piece starts that could not be read, in bytes.
    unreadable: Option<u64>,
    /// How pieces are to be compressed, if they are.
    compression: Option<Compression>,
    /// Take what cannot be read for zeros.
    salvage: bool,
    /// The pieces that are under way, in order.
    window: VecDeque<Slot<T::Buffer>>,
    /// The number of the first of them.
    first: u64,
    /// All pieces have been sent on their way.
    is_exhausted: bool,
}

/// A piece that is under way.
struct Slot<B> {
    piece: Piece,
    /// What has been fetched.
    fetched: Vec<Option<B>>,
    /// How much has not, and whether it is being put together.
    missing: usize,
    /// The piece, once it is put together.
    filled: Option<FilledContent<B>>,
}

impl<'a, T: Transfers> Pipeline<'a, T> {
    /// A pipeline for the pieces of a planner.
    #[must_use]
    pub fn new(session: &'a T, planner: Planner<'a>, salvage: bool) -> Self {
        Self {
            session,
            planner,
            is_second: false,
            unreadable: None,
            compression: None,
            salvage,
            window: VecDeque::new(),
            first: 0,
            is_exhausted: false,
        }
    }

    /// Hands every piece to a consumer, in order.
    ///
    /// # Errors
    ///
    /// If something cannot be read or written.
    pub fn run(
        &mut self,
        consumer: &mut impl Consumer<T>,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), Error> {
        loop {
            self.admit(sink)?;
            while let Some(piece) = self.next_filled() {
                consumer.take(piece, sink)?;
                self.admit(sink)?;
            }
            sink.check()?;
            if self.is_at_end() {
                return Ok(());
            }
            if let Some(event) = sink.next_event()? {
                self.take(event, sink)?;
            }
        }
    }

    /// The same pipeline, with pieces that are compressed. The rules of its planner have
    /// them begin and end with units.
    #[must_use]
    pub fn compressing(self, compression: Option<Compression>) -> Self {
        Self { compression, ..self }
    }

    /// The same pipeline, to run beside another.
    #[must_use]
    pub fn second(self) -> Self {
        Self { is_second: true, ..self }
    }

    /// Whether all pieces have come out.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.window.is_empty() && self.is_exhausted
    }

    /// Where a piece starts that could not be read, in bytes.
    #[must_use]
    pub fn unreadable(&self) -> Option<u64> {
        self.unreadable
    }

    /// How many requests and jobs are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.window.iter().map(|slot| slot.missing).sum()
    }

    /// Sends as many pieces on their way as there is room for.
    ///
    /// # Errors
    ///
    /// If an image is damaged or cannot be read.
    pub fn admit(&mut self, sink: &mut Sink<'_, T>) -> Result<(), Error> {
        while !self.is_exhausted && self.window.len() < DEPTH && sink.outstanding() < WRITE_LIMIT {
            match self.planner.next_piece()? {
                Some(piece) => self.send(piece, sink)?,
                None => self.is_exhausted = true,
            }
        }
        Ok(())
    }

    /// Requests what a piece consists of.
    fn send(&mut self, piece: Piece, sink: &mut Sink<'_, T>) -> Result<(), Error> {
        let number = self.first + self.window.len() as u64;
        let mut slot = Slot { piece, fetched: Vec::new(), missing: 0, filled: None };
        match &slot.piece.content {
            PieceContent::Zero => slot.filled = Some(FilledContent::Zero),
            PieceContent::Underneath => slot.filled = Some(FilledContent::Underneath),
            PieceContent::Data(plan) => {
                for (index, fetch) in plan.fetches.iter().enumerate() {
                    let length = to_usize(fetch.length);
                    let mut buffer = sink.buffer(length)?;
                    let tag = self.tag(number, index);
                    let Spot { slot: file, offset } = fetch.spot;
                    if file & REPLAYED != 0 {
                        let target = buffer.get_mut(..length).unwrap_or_default();
                        self.read_replayed(fetch.spot, target)?;
                        slot.fetched.push(Some(buffer));
                        continue;
                    }
                    let transfer = Transfer::Read { slot: file, offset, length, buffer };
                    self.session.start(tag, transfer)?;
                    slot.missing += 1;
                    slot.fetched.push(None);
                }
            }
        }
        let is_there = slot.filled.is_none() && slot.missing == 0;
        self.window.push_back(slot);
        if is_there { self.fill(number, sink) } else { Ok(()) }
    }

    fn tag(&self, number: u64, index: usize) -> u64 {
        u64::from(self.is_second) << PIPELINE_BIT | number << FETCH_BITS | index as u64
    }

    /// Whether something that is done is of this pipeline.
    #[must_use]
    pub fn has_made(&self, event: &Event<T::Buffer>) -> bool {
        let (Event::Transfer(Finished { tag, .. }) | Event::Job(tag, _)) = event;
        (tag >> PIPELINE_BIT == 1) == self.is_second
    }

    /// Takes note of something that is done.
    ///
    /// # Errors
    ///
    /// If it failed.
    pub fn take(&mut self, event: Event<T::Buffer>, sink: &mut Sink<'_, T>) -> Result<(), Error> {
        match event {
            Event::Transfer(finished) => self.take_fetched(finished, sink),
            Event::Job(tag, done) => self.take_filled(number_of(tag), done, sink),
        }
    }

    /// Takes note of a request that is done.
    fn take_fetched(
        &mut self,
        finished: Finished<T::Buffer>,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), Error> {
        let Finished { tag, result, buffer } = finished;
        let number = number_of(tag);
        let index = to_usize(tag & ((1 << FETCH_BITS) - 1));
        let lost = || Error::request("a request was answered that nobody made");
        let Some(Returned::Filled(mut buffer)) = buffer else {
            return Err(lost());
        };
        let salvage = self.salvage;
        let slot = self.slot(number).ok_or_else(lost)?;
        slot.missing = slot.missing.checked_sub(1).ok_or_else(lost)?;
        if result.is_err() {
            if !salvage {
                return Err(self.read_error(number));
            }
            buffer.fill(0);
        }
        let slot = self.slot(number).ok_or_else(lost)?;
        *slot.fetched.get_mut(index).ok_or_else(lost)? = Some(buffer);
        if slot.missing == 0 { self.fill(number, sink) } else { Ok(()) }
    }

    /// Puts a piece together of which everything is there.
    fn fill(&mut self, number: u64, sink: &mut Sink<'_, T>) -> Result<(), Error> {
        let index = to_usize(number - self.first);
        let Some(slot) = self.window.get_mut(index) else {
            return Ok(());
        };
        let PieceContent::Data(plan) = &slot.piece.content else {
            return Ok(());
        };
        let length = to_usize(slot.piece.length);
        let unit = self.compression.map_or(SECTOR, |compression| compression.unit);
        let room = length.next_multiple_of(unit);
        let fetched = core::mem::take(&mut slot.fetched);
        let mut fetched: Vec<T::Buffer> = fetched.into_iter().flatten().collect();
        let is_direct = is_direct(plan) && fetched.first().is_some_and(|it| it.len() >= room);
        let mut plan = Some(plan);
        let target = match fetched.pop() {
            Some(mut buffer) if is_direct => {
                let part = plan.take().and_then(|plan| plan.parts.first());
                let there = part.map_or(0, |part| to_usize(part.length));
                buffer.get_mut(there..room).unwrap_or_default().fill(0);
                buffer
            }
            last => {
                fetched.extend(last);
                sink.buffer(room)?
            }
        };
        if plan.is_none() && self.compression.is_none() {
            slot.filled = Some(FilledContent::Data(target));
            return Ok(());
        }
        let plan = plan.cloned();
        slot.missing = 1;
        let job = Job { plan, fetched, target, length: room, compression: self.compression };
        self.session.assign(self.tag(number, 0), job)
    }

    /// Fills a buffer from a file as its log has changed it.
    fn read_replayed(&self, spot: Spot, buffer: &mut [u8]) -> Result<(), Error> {
        let lost = || Error::request("an extent is in a log that is not there");
        let file = self.planner.replayed(spot.slot).ok_or_else(lost)?;
        let read = read_at_padded(file.as_ref(), spot.offset, buffer);
        read.map_err(|error| open::failure(spot.slot & !REPLAYED, &error.into()))
    }

    /// Takes note of a piece that is put together.
    fn take_filled(
        &mut self,
        number: u64,
        done: Done<T::Buffer>,
        sink: &mut Sink<'_, T>,
    ) -> Result<(), Error> {
        let Done { fetched, mut target, units, is_damaged } = done;
        fetched.into_iter().for_each(|buffer| sink.pool().put(buffer));
        let salvage = self.salvage;
        let lost = || Error::request("a job was done that nobody gave");
        let slot = self.slot(number).ok_or_else(lost)?;
        slot.missing = 0;
        if is_damaged {
            if !salvage {
                return Err(self.read_error(number));
            }
            target.fill(0);
        }
        let slot = self.slot(number).ok_or_else(lost)?;
        slot.filled = Some(match units.filter(|_| !is_damaged) {
            Some(units) => FilledContent::Units(target, units),
            None => FilledContent::Data(target),
        });
        Ok(())
    }

    /// The next piece in order, if it is there.
    pub fn next_filled(&mut self) -> Option<Filled<T::Buffer>> {
        let slot = self.window.front_mut()?;
        let content = slot.filled.take()?;
        let (offset, length) = (slot.piece.offset, slot.piece.length);
        self.window.pop_front();
        self.first += 1;
        Some(Filled { offset, length, content })
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot<T::Buffer>> {
        self.window.get_mut(to_usize(number.checked_sub(self.first)?))
    }

    /// The error of a piece that cannot be read.
    fn read_error(&mut self, number: u64) -> Error {
        let offset = self.slot(number).map_or(0, |slot| slot.piece.offset);
        self.unreadable = Some(offset);
        let message = format!("error while reading at byte {offset}: Input/output error");
        Error::Failed { device: None, kind: FailureKind::InputOutput, is_bare: false, message }
    }
}

impl<T: Transfers> core::fmt::Debug for Pipeline<'_, T> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Pipeline({} pieces under way)", self.window.len())
    }
}

/// The unit of requests in bytes.
const SECTOR: usize = 512;

/// Which piece a tag is about.
fn number_of(tag: u64) -> u64 {
    (tag & ((1 << PIPELINE_BIT) - 1)) >> FETCH_BITS
}

/// Whether a piece is what is fetched for it, and nothing else.
fn is_direct(plan: &Plan) -> bool {
    let [part] = plan.parts.as_slice() else { return false };
    plan.fetches.len() == 1 && part.start == 0 && part.skip == 0 && part.unit.is_none()
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
