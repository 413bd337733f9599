//! `compare`: whether two disks are the same.

use alloc::vec::Vec;
use core::ops::Deref;

use abi::compare::{Finding, Request};
use abi::convert::Progress;
use abi::map::Flags;
use abi::reply::Reply;

use crate::disk::{Disk, Span};
use crate::engine::pipeline::FilledContent;
use crate::engine::{Before, Filled, Pipeline, Planner, Rules, Sink, zeros};
use crate::map;
use crate::session::Error;
use crate::transfer::Transfers;

/// The unit of comparison in bytes: what is said to differ is a sector.
const SECTOR: usize = 512;

/// Rules for reading: all of the disk, whatever way it is stored.
const RULES: Rules = Rules { alignment: SECTOR as u64, only_top: false, keep_zeros: false };

/// Compares two disks.
///
/// # Errors
///
/// If an image cannot be opened. One that cannot be read further on is a finding.
pub fn run<T: Transfers>(request: &Request, session: &T) -> Result<(), Error> {
    let [left, right] = &request.sources;
    let disks = [
        [Disk::open(session, left, request.max_depth)?],
        [Disk::open(session, right, request.max_depth)?],
    ];
    let Request { strict, progress, .. } = *request;
    let finding = Comparison { strict, progress, session, disks: &disks }.run()?;
    session.reply(Reply::Compare(finding))
}

/// Where two disks first differ below an offset in bytes, or one cannot be read.
///
/// # Errors
///
/// If the guest cannot do it.
pub(crate) fn difference_of<T: Transfers>(
    session: &T,
    disks: [Disk<'_>; 2],
    end: u64,
) -> Result<Option<Finding>, Error> {
    let disks = disks.map(|disk| [disk]);
    Comparison { strict: false, progress: false, session, disks: &disks }.content_mismatch(end)
}

/// Two disks.
struct Comparison<'a, T> {
    strict: bool,
    progress: bool,
    session: &'a T,
    disks: &'a [[Disk<'a>; 1]; 2],
}

impl<T: Transfers> Comparison<'_, T> {
    fn disk(&self, side: usize) -> &Disk<'_> {
        let [[left], [right]] = self.disks;
        if side == 0 { left } else { right }
    }

    fn run(&self) -> Result<Finding, Error> {
        let sizes = [self.disk(0).size(), self.disk(1).size()];
        let [left, right] = sizes;
        if self.strict && left != right {
            return Ok(Finding::SizeMismatch);
        }
        let common = left.min(right);
        // How disks are stored matters only as far as their content is the same.
        let status = if self.strict { self.status_mismatch(common)? } else { None };
        let end = status.map_or(common, |(offset, _)| offset);
        if let Some(finding) = self.content_mismatch(end)? {
            return Ok(finding);
        }
        if let Some((_, finding)) = status {
            return Ok(finding);
        }
        if left == right {
            return Ok(Finding::Identical);
        }
        self.session.reply(Reply::Compare(Finding::SizeWarning))?;
        let longer = usize::from(right > left);
        let rest = self.nonzero(longer, common, left.max(right))?;
        Ok(rest.unwrap_or(Finding::Identical))
    }

    /// Where the disks are first stored in different ways, or it cannot be said how one is.
    fn status_mismatch(&self, end: u64) -> Result<Option<(u64, Finding)>, Error> {
        let mut offset = 0;
        while offset < end {
            let mut spans = Vec::new();
            for side in [0_u8, 1] {
                match self.disk(usize::from(side)).span(offset, end - offset) {
                    Ok(span) => spans.push(span),
                    Err(error) => return Ok(Some((offset, unknown(side, error)?))),
                }
            }
            let [left, right] = spans.as_slice() else { break };
            if self.status(0, left) != self.status(1, right) {
                return Ok(Some((offset, Finding::StatusMismatch(offset))));
            }
            offset += left.length.min(right.length);
        }
        Ok(None)
    }

    /// Where the disks first differ.
    fn content_mismatch(&self, end: u64) -> Result<Option<Finding>, Error> {
        let mut sink = Sink::new(self.session, Vec::new(), Before::Nothing);
        let [left, right] = self.disks;
        let pipeline = |disk| Pipeline::new(self.session, Planner::new(disk, 0, end, RULES), false);
        let mut pair = Pair {
            pipelines: [pipeline(left), pipeline(right).second()],
            current: [None, None],
            blame: 0,
            sink: &mut sink,
        };
        let total = self.disk(0).size().max(self.disk(1).size());
        let mut done = 0;
        let found = loop {
            match pair.next(self.session) {
                Ok(Some(Step::Same(position))) => {
                    done = position;
                    self.report(done, total)?;
                }
                Ok(Some(Step::Differs(sector))) => break Some(Finding::ContentMismatch(sector)),
                Ok(None) => break None,
                Err(error) => break Some(pair.explain(done, error)?),
            }
        };
        pair.drain(self.session)?;
        Ok(found)
    }

    /// Whether a disk has something else than zeros in a range.
    fn nonzero(&self, side: usize, start: u64, end: u64) -> Result<Option<Finding>, Error> {
        let mut sink = Sink::new(self.session, Vec::new(), Before::Nothing);
        let [left, right] = self.disks;
        let disks = if side == 0 { left } else { right };
        let mut pipeline =
            Pipeline::new(self.session, Planner::new(disks, start, end, RULES), false);
        let number = u8::try_from(side).unwrap_or(1);
        let found = loop {
            let advanced = advance(&mut pipeline, self.session, &mut sink);
            match advanced {
                Ok(Some(piece)) => {
                    let end = piece.offset + piece.length;
                    if let FilledContent::Data(buffer) = piece.content {
                        let bytes = buffer.get(..to_usize(piece.length)).unwrap_or_default();
                        if let Some(sector) = nonzero(bytes) {
                            break Some(Finding::ContentMismatch(piece.offset + sector as u64));
                        }
                        sink.pool().put(buffer);
                    }
                    self.report(end, end.max(self.disk(side).size()))?;
                }
                Ok(None) => break None,
                Err(error) => {
                    break Some(match pipeline.unreadable() {
                        Some(offset) => Finding::Unreadable { side: number, offset },
                        None => unknown(number, error)?,
                    });
                }
            }
        };
        while pipeline.under_way() > 0 {
            let finished = self.session.finish()?;
            // It does not matter any more how it went.
            let _ = pipeline.take(finished, &mut sink);
        }
        Ok(found)
    }

    /// How a range is stored, as far as strictness goes, and whether it has a place.
    fn status(&self, side: usize, span: &Span) -> (Flags, bool) {
        let (mut flags, spot) = map::status(&span.stored);
        // What an image underneath is too short for counts as its zeros.
        let is_short = (span.depth as usize).saturating_add(1) < self.disk(side).depth();
        flags.present |= is_short;
        (flags, spot.is_some())
    }

    fn report(&self, done: u64, total: u64) -> Result<(), Error> {
        match self.progress {
            true => self.session.reply(Reply::Progress(Progress { done, total })),
            false => Ok(()),
        }
    }
}

/// The finding if it cannot be said how a disk is stored.
fn unknown(side: u8, error: Error) -> Result<Finding, Error> {
    match error {
        Error::Failed { device: Some(_), .. } => Ok(Finding::Unknown { side }),
        other => Err(other),
    }
}

/// Two pipelines side by side.
struct Pair<'a, 'sink, T: Transfers> {
    pipelines: [Pipeline<'a, T>; 2],
    /// The piece of each that is being compared, and how far it has been.
    current: [Option<(Filled<T::Buffer>, u64)>; 2],
    /// Which of them was asked last.
    blame: u8,
    sink: &'sink mut Sink<'a, T>,
}

/// A step of a comparison.
enum Step {
    /// The disks are the same up to an offset.
    Same(u64),
    /// They differ in the sector at an offset.
    Differs(u64),
}

impl<T: Transfers> Pair<'_, '_, T> {
    /// Compares as much as there is of both.
    fn next(&mut self, session: &T) -> Result<Option<Step>, Error> {
        loop {
            for (side, (pipeline, current)) in
                (0_u8..).zip(self.pipelines.iter_mut().zip(&mut self.current))
            {
                self.blame = side;
                pipeline.admit(self.sink)?;
                if current.is_none() {
                    *current = pipeline.next_filled().map(|piece| (piece, 0));
                }
            }
            if self.current.iter().all(Option::is_some) {
                return Ok(self.step());
            }
            if self.pipelines.iter().all(Pipeline::is_at_end) {
                return Ok(None);
            }
            let finished = session.finish()?;
            for pipeline in &mut self.pipelines {
                if pipeline.has_made(&finished) {
                    pipeline.take(finished, self.sink)?;
                    break;
                }
            }
        }
    }

    fn step(&mut self) -> Option<Step> {
        let [Some((left, left_done)), Some((right, right_done))] = &mut self.current else {
            return None;
        };
        let offset = left.offset + *left_done;
        let length = (left.length - *left_done).min(right.length - *right_done);
        let first = part(left, *left_done, length);
        let second = part(right, *right_done, length);
        let difference = match (first, second) {
            (Some(first), Some(second)) => difference(first, second),
            (Some(only), None) | (None, Some(only)) => nonzero(only),
            (None, None) => None,
        };
        if let Some(sector) = difference {
            return Some(Step::Differs(offset + sector as u64));
        }
        *left_done += length;
        *right_done += length;
        for current in &mut self.current {
            if current.as_ref().is_some_and(|(piece, done)| *done == piece.length)
                && let Some((piece, _)) = current.take()
                && let FilledContent::Data(buffer) = piece.content
            {
                self.sink.pool().put(buffer);
            }
        }
        Some(Step::Same(offset + length))
    }

    /// The finding if one of the disks could not be read, or it cannot be said how it is
    /// stored.
    fn explain(&self, done: u64, error: Error) -> Result<Finding, Error> {
        let mut sides = (0_u8..).zip(&self.pipelines);
        let unreadable = sides.find_map(|(side, pipeline)| {
            let offset = pipeline.unreadable()?.max(done);
            Some(Finding::Unreadable { side, offset })
        });
        unreadable.map_or_else(|| unknown(self.blame, error), Ok)
    }

    /// Waits until nothing is under way any more.
    fn drain(&mut self, session: &T) -> Result<(), Error> {
        while self.pipelines.iter().any(|pipeline| pipeline.under_way() > 0) {
            let finished = session.finish()?;
            for pipeline in &mut self.pipelines {
                if pipeline.has_made(&finished) {
                    // It does not matter any more how it went.
                    let _ = pipeline.take(finished, self.sink);
                    break;
                }
            }
        }
        Ok(())
    }
}

/// A part of a piece, if it is not zeros.
fn part<B: Deref<Target = [u8]>>(piece: &Filled<B>, start: u64, length: u64) -> Option<&[u8]> {
    match &piece.content {
        FilledContent::Data(buffer) | FilledContent::Units(buffer, _) => {
            Some(buffer.get(to_usize(start)..to_usize(start + length)).unwrap_or_default())
        }
        FilledContent::Zero | FilledContent::Underneath => None,
    }
}

/// The next piece of a pipeline.
fn advance<T: Transfers>(
    pipeline: &mut Pipeline<'_, T>,
    session: &T,
    sink: &mut Sink<'_, T>,
) -> Result<Option<Filled<T::Buffer>>, Error> {
    loop {
        pipeline.admit(sink)?;
        if let Some(piece) = pipeline.next_filled() {
            return Ok(Some(piece));
        }
        if pipeline.is_at_end() {
            return Ok(None);
        }
        let finished = session.finish()?;
        pipeline.take(finished, sink)?;
    }
}

/// The first sector in which bytes differ.
fn difference(left: &[u8], right: &[u8]) -> Option<usize> {
    if left == right {
        return None;
    }
    let byte = left.iter().zip(right).position(|(left, right)| left != right)?;
    Some(byte - byte % SECTOR)
}

/// The first sector in which bytes are not zero.
fn nonzero(bytes: &[u8]) -> Option<usize> {
    if zeros::are_zero(bytes) {
        return None;
    }
    let byte = bytes.iter().position(|byte| *byte != 0)?;
    Some(byte - byte % SECTOR)
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
