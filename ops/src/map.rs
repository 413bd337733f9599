//! `map`: how a disk is stored.

use alloc::vec::Vec;

use abi::map::{Extent, Flags, MAX_EXTENTS, Request};
use abi::reply::Reply;
use formats::image::Holes;

use crate::disk::{Disk, REPLAYED, Span, Spot, Stored};
use crate::session::{Error, Session};

/// Maps a disk.
///
/// # Errors
///
/// If an image cannot be opened or is damaged.
pub fn run(request: &Request, session: &dyn Session) -> Result<(), Error> {
    let disk = Disk::open(session, &request.source, request.max_depth)?;
    let end = match request.length {
        Some(length) => request.start.saturating_add(length).min(disk.size()),
        None => disk.size(),
    };
    let mut extents: Vec<Extent> = Vec::new();
    let mut start = request.start;
    while start < end {
        let span = disk.span(start, end - start)?;
        let next = extent(start, &span);
        match extents.last_mut() {
            Some(last) if goes_on(last, &next) => last.length += next.length,
            _ => {
                if extents.len() == MAX_EXTENTS {
                    // The last one may go on.
                    let last = extents.pop();
                    session.reply(Reply::Map(core::mem::take(&mut extents)))?;
                    extents.extend(last);
                }
                extents.push(next);
            }
        }
        start += span.length;
    }
    if extents.is_empty() { Ok(()) } else { session.reply(Reply::Map(extents)) }
}

/// A span in the words of the reply.
fn extent(start: u64, span: &Span) -> Extent {
    let (flags, spot) = status(&span.stored);
    // What a log has changed has no place of its own yet.
    let spot = spot.filter(|spot| spot.slot & REPLAYED == 0);
    let place = spot.map(|spot| (spot.slot, spot.offset));
    Extent { start, length: span.length, depth: span.depth, flags, place }
}

/// How a range is stored, in qemu's words, and where.
pub(crate) fn status(stored: &Stored) -> (Flags, Option<Spot>) {
    let none = Flags::default();
    let present = Flags { present: true, ..none };
    match *stored {
        Stored::Nowhere(spot) => (Flags { zero: true, ..none }, spot),
        Stored::Zero(spot) => (Flags { zero: true, ..present }, spot),
        Stored::Data(spot) | Stored::Hole(spot, Holes::Hidden) => {
            (Flags { data: true, ..present }, Some(spot))
        }
        Stored::Hole(spot, Holes::Zeros) => {
            (Flags { data: true, zero: true, ..present }, Some(spot))
        }
        Stored::Hole(spot, Holes::Same) => (Flags { zero: true, ..present }, Some(spot)),
        Stored::Compressed(..) => (Flags { data: true, compressed: true, ..present }, None),
    }
}

/// Whether an extent is the continuation of another.
fn goes_on(last: &Extent, next: &Extent) -> bool {
    let place = last.place.map(|(slot, offset)| (slot, offset.saturating_add(last.length)));
    last.flags == next.flags && last.depth == next.depth && place == next.place
}
