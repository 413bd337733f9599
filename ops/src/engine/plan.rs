//! Cutting disks into pieces.

use alloc::rc::Rc;
use alloc::vec::Vec;

use formats::Storage;
use formats::codec::Codec;

use super::PIECE;
use crate::disk::{Disk, Span, Spot, Stored};
use crate::session::Error;

/// The unit of requests in bytes.
const SECTOR: u64 = 512;

/// How far apart two places in a file may be to be fetched by one request, in bytes:
/// reading so much more costs less than another request.
const GAP: u64 = 16 << 10;

/// The most that is fetched by one request, in bytes.
const LONGEST_FETCH: u64 = 2 << 20;

/// The longest piece in bytes: one that holds a unit that is compressed, which can be
/// longer than other pieces.
const LONGEST_PIECE: u64 = 8 << 20;

/// Zeros that are shorter than this, in bytes, do not end a piece.
const SHORT_ZEROS: u64 = 64 << 10;

/// How disks are to be cut.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Pieces begin and end with multiples of this, in bytes, or with the disk.
    pub alignment: u64,
    /// Leave out what the images underneath may have, and not the one on top.
    pub only_top: bool,
    /// Take zeros for data.
    pub keep_zeros: bool,
}

/// A piece of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What is in it.
    pub content: PieceContent,
}

/// What is in a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceContent {
    /// Zeros.
    Zero,
    /// What is underneath the image on top.
    Underneath,
    /// Data, or so it seems.
    Data(Plan),
}

/// How a piece is put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What has to be read.
    pub fetches: Vec<Fetch>,
    /// What the piece consists of. What is in between is zeros.
    pub parts: Vec<Part>,
}

/// A range of a file, in whole sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Where it starts.
    pub spot: Spot,
    /// Its length in bytes.
    pub length: u64,
}

/// A part of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where in the piece it starts, in bytes.
    pub start: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What it is fetched by.
    pub fetch: usize,
    /// Where in that it starts, in bytes.
    pub skip: u64,
    /// The unit that it is in, if that is compressed.
    pub unit: Option<Unit>,
}

/// A unit that is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// How it is compressed.
    pub codec: Codec,
    /// How many bytes it takes in the file, at the most.
    pub length: u64,
    /// How many bytes it decompresses to.
    pub size: u64,
    /// Where in it the part starts, in bytes.
    pub skip: u64,
}

/// Cuts disks, one behind the other, into pieces.
#[derive(Debug)]
pub struct Planner<'a> {
    disks: &'a [Disk<'a>],
    /// What is underneath where it is copied to, if that counts.
    underneath: Option<&'a Disk<'a>>,
    rules: Rules,
    /// Where the first piece starts, in bytes.
    start: u64,
    /// Where the next piece starts, and where the last one ends, in bytes.
    position: u64,
    end: u64,
    /// A span that has been looked up and not been used up, and where it starts.
    pending: Option<(u64, Span)>,
}

impl<'a> Planner<'a> {
    /// Cuts a range of the disks, of which all is there.
    #[must_use]
    pub fn new(disks: &'a [Disk<'a>], start: u64, end: u64, rules: Rules) -> Self {
        Self { disks, underneath: None, rules, start, position: start, end, pending: None }
    }

    /// The same planner, for a copy on top of another disk: what is left out of the disks
    /// and shares a unit with something that is not comes from that one.
    #[must_use]
    pub fn on_top_of(self, underneath: Option<&'a Disk<'a>>) -> Self {
        Self { underneath, ..self }
    }

    /// A file as its log has changed it, by its slot.
    #[must_use]
    pub fn replayed(&self, slot: u8) -> Option<Rc<dyn Storage>> {
        self.disks.iter().chain(self.underneath).find_map(|disk| disk.replayed(slot))
    }

    /// The next piece, if there is one.
    ///
    /// # Errors
    ///
    /// If an image is damaged or cannot be read.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
        if self.position >= self.end {
            return Ok(None);
        }
        let offset = self.position;
        let span = self.span(offset)?;
        let kind = self.kind(&span);
        let mut length = span.length;
        if kind != Kind::Data {
            // As much of the same as there is, in whole units.
            while offset + length < self.end {
                let next = self.span(offset + length)?;
                if self.kind(&next) != kind {
                    break;
                }
                length += next.length;
            }
            let whole = self.align_down(offset, length);
            if whole > 0 {
                self.position = offset + whole;
                let content =
                    if kind == Kind::Zero { PieceContent::Zero } else { PieceContent::Underneath };
                return Ok(Some(Piece { offset, length: whole, content }));
            }
        }
        self.data_piece(offset).map(Some)
    }

    /// A piece of data at an offset, with the zeros that come along.
    fn data_piece(&mut self, offset: u64) -> Result<Piece, Error> {
        let goal = (offset - offset % PIECE + PIECE).max(offset + self.rules.alignment);
        let goal = self.align_up(goal).min(self.end);
        let mut plan = Plan::default();
        let mut position = offset;
        let mut limit = goal;
        while position < limit {
            let mut span = self.span(position)?;
            let is_enough = self.align_up(position) == position && position > offset;
            let ends_here = is_enough
                && match self.kind(&span) {
                    Kind::Data => false,
                    Kind::Zero => span.length >= SHORT_ZEROS,
                    // What is not copied does not take room.
                    Kind::Underneath => self.is_left_out(position)?,
                };
            if ends_here {
                break;
            }
            if self.kind(&span) == Kind::Underneath {
                // The next unit may be one that is left out.
                span.length = span.length.min(self.align_up(position + 1) - position);
                span = self.beneath(position, span)?;
            }
            // A unit is not taken apart, so that it is decompressed once.
            if let Stored::Compressed(_, unit) = span.stored {
                let end = self.align_up(position + unit.size.saturating_sub(unit.skip));
                let longest = offset + LONGEST_PIECE;
                limit = limit.max(end.min(self.end)).min(longest.max(goal));
            }
            let length = span.length.min(limit - position);
            plan.add(position - offset, length, &span.stored);
            position += length;
        }
        self.position = position;
        let length = position - offset;
        Ok(Piece { offset, length, content: PieceContent::Data(plan) })
    }

    /// Whether all of the unit that starts at a position is left out.
    fn is_left_out(&mut self, position: u64) -> Result<bool, Error> {
        let end = self.align_up(position + 1);
        let mut position = position;
        while position < end {
            let span = self.span(position)?;
            if self.kind(&span) != Kind::Underneath {
                return Ok(false);
            }
            position += span.length;
        }
        Ok(true)
    }

    /// What takes the place of a span that is left out, where it cannot be.
    fn beneath(&self, position: u64, span: Span) -> Result<Span, Error> {
        let Some(disk) = self.underneath else { return Ok(span) };
        let offset = position - self.start;
        match disk.size().checked_sub(offset).filter(|left| *left > 0) {
            Some(left) => disk.span(offset, span.length.min(left)),
            None => Ok(Span { stored: Stored::Nowhere(None), ..span }),
        }
    }

    /// How the disks are stored at a position.
    fn span(&mut self, position: u64) -> Result<Span, Error> {
        if let Some((start, span)) = self.pending
            && (start..start + span.length).contains(&position)
        {
            return Ok(span.behind(position - start));
        }
        let mut start = 0;
        for disk in self.disks {
            let size = disk.size();
            if position < start + size {
                let limit = (start + size).min(self.end) - position;
                let span = disk.span(position - start, limit)?;
                self.pending = Some((position, span));
                return Ok(span);
            }
            start += size;
        }
        Err(Error::request("the range goes beyond the disks"))
    }

    fn kind(&self, span: &Span) -> Kind {
        match span.stored {
            // Where nothing is underneath, what the image on top does not have is zeros.
            _ if self.rules.only_top && span.depth > 0 => Kind::Underneath,
            Stored::Nowhere(_) | Stored::Zero(_) | Stored::Hole(..) if !self.rules.keep_zeros => {
                Kind::Zero
            }
            Stored::Nowhere(_)
            | Stored::Zero(_)
            | Stored::Hole(..)
            | Stored::Data(_)
            | Stored::Compressed(..) => Kind::Data,
        }
    }

    /// How much of a length is left if it is to end with a unit, or with the disks.
    fn align_down(&self, offset: u64, length: u64) -> u64 {
        let end = offset + length;
        if end >= self.end {
            length
        } else {
            (end - end % self.rules.alignment).saturating_sub(offset)
        }
    }

    fn align_up(&self, position: u64) -> u64 {
        position.next_multiple_of(self.rules.alignment).min(self.end)
    }
}

/// What is done with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Zero,
    Underneath,
    Data,
}

impl Span {
    /// The same span from a later byte on.
    #[must_use]
    pub fn behind(self, skip: u64) -> Self {
        let move_on = |spot: Spot| Spot { offset: spot.offset + skip, ..spot };
        let stored = match self.stored {
            Stored::Nowhere(spot) => Stored::Nowhere(spot.map(move_on)),
            Stored::Zero(spot) => Stored::Zero(spot.map(move_on)),
            Stored::Data(spot) => Stored::Data(move_on(spot)),
            Stored::Hole(spot, holes) => Stored::Hole(move_on(spot), holes),
            Stored::Compressed(slot, mut unit) => {
                unit.skip += skip;
                Stored::Compressed(slot, unit)
            }
        };
        Self { length: self.length - skip, stored, ..self }
    }
}

impl Plan {
    /// Adds a range of the piece.
    fn add(&mut self, start: u64, length: u64, stored: &Stored) {
        match *stored {
            Stored::Nowhere(_) | Stored::Zero(_) | Stored::Hole(..) => {}
            Stored::Data(spot) => {
                let (fetch, skip) = self.fetch(spot, length);
                self.parts.push(Part { start, length, fetch, skip, unit: None });
            }
            Stored::Compressed(slot, compressed) => {
                let spot = Spot { slot, offset: compressed.place.offset };
                // Of a unit that lies behind the end of its file, nothing can be made.
                let (fetch, skip) = match compressed.length {
                    0 => (usize::MAX, 0),
                    length => self.fetch(spot, length),
                };
                let unit = Some(Unit {
                    codec: compressed.codec,
                    length: compressed.length,
                    size: compressed.size,
                    skip: compressed.skip,
                });
                self.parts.push(Part { start, length, fetch, skip, unit });
            }
        }
    }

    /// Has a range of a file fetched, by the last request if that is near. Returns which
    /// one fetches it, and where in that it starts.
    fn fetch(&mut self, spot: Spot, length: u64) -> (usize, u64) {
        let start = spot.offset - spot.offset % SECTOR;
        let end = spot.offset.saturating_add(length).next_multiple_of(SECTOR);
        if let Some(last) = self.fetches.last_mut() {
            let last_end = last.spot.offset + last.length;
            let is_near = last.spot.slot == spot.slot
                && (last.spot.offset..=last_end + GAP).contains(&start)
                && end - last.spot.offset <= LONGEST_FETCH;
            if is_near {
                last.length = last_end.max(end) - last.spot.offset;
                let skip = spot.offset - last.spot.offset;
                return (self.fetches.len() - 1, skip);
            }
        }
        let spot_of_fetch = Spot { offset: start, ..spot };
        self.fetches.push(Fetch { spot: spot_of_fetch, length: end - start });
        (self.fetches.len() - 1, spot.offset - start)
    }
}
