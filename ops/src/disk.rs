//! A disk: an image, and what is underneath.
//!
//! What one image does not have, the next one has, or it is zeros. All that is asked
//! of a disk is how a range of it is stored; the bytes are fetched by the
//! [engine](crate::engine).

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use abi::reply::FailureKind;
use abi::source::{Snapshot, Source};
use formats::extent::{Compressed, Content, File, Place};
use formats::image::{self, Backing, Holes, SnapshotChoice};
use formats::{Image, Storage};

use crate::engine::PIECE;
use crate::open::{self, Link, Opened};
use crate::session::{Error, Session};

/// A disk that is open.
pub struct Disk<'a> {
    session: &'a dyn Session,
    layers: Vec<Layer>,
    /// Where on the disk of the image it starts, in bytes.
    start: u64,
    /// Its size in bytes.
    size: u64,
}

/// An image of the chain.
struct Layer {
    slot: u8,
    format: &'static str,
    image: Box<dyn Image>,
    /// The size of its disk in bytes.
    size: u64,
    /// Its own file, and those that it refers to.
    files: Vec<LayerFile>,
}

/// A file of an image.
struct LayerFile {
    slot: u8,
    storage: Rc<dyn Storage>,
    /// What its holes say about the disk, once that was asked.
    holes: Cell<Option<Holes>>,
}

/// A range of a disk that is stored in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its length in bytes, never zero.
    pub length: u64,
    /// How many images lie over the one that it is in.
    pub depth: u32,
    /// How it is stored.
    pub stored: Stored,
}

/// How a range of a disk is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// No image has it, so it reads as zeros. A place may be set aside all the same.
    Nowhere(Option<Spot>),
    /// It is zeros, and may have a place set aside.
    Zero(Option<Spot>),
    /// It is in a file as it is.
    Data(Spot),
    /// It is in a hole of a file, or behind its end, so it reads as zeros. What that says
    /// about the disk is another matter.
    Hole(Spot, Holes),
    /// It is in a unit that is compressed.
    Compressed(u8, Compressed),
}

/// Added to a slot, this means the slot's file as its log has changed it. The guest has
/// it in its memory, so it is not read from the device.
pub const REPLAYED: u8 = 0x80;

/// A place in the file of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The slot, possibly with [`REPLAYED`].
    pub slot: u8,
    /// Where in its file, in bytes.
    pub offset: u64,
}

impl<'a> Disk<'a> {
    /// Opens an image and all that it refers to, with `max_depth` images at the most.
    ///
    /// # Errors
    ///
    /// If one cannot be opened, or has content that cannot be read.
    pub fn open(session: &'a dyn Session, source: &Source, max_depth: u32) -> Result<Self, Error> {
        let mut disk = Self::of_chain(session, Link::from(source), max_depth)?;
        if let Some(snapshot) = &source.snapshot {
            disk.go_back(snapshot)?;
        }
        Ok(disk)
    }

    /// The same, of the image underneath the one in a slot, which says so.
    ///
    /// # Errors
    ///
    /// If one cannot be opened, or has content that cannot be read.
    pub fn underneath(
        session: &'a dyn Session,
        slot: u8,
        backing: &Backing,
        max_depth: u32,
    ) -> Result<Self, Error> {
        let link = Link::underneath(session, slot, backing);
        let link = link.map_err(|error| not_opened(slot, error))?;
        Self::of_chain(session, link, max_depth)
    }

    fn of_chain(session: &'a dyn Session, link: Link, max_depth: u32) -> Result<Self, Error> {
        let mut layers = Vec::new();
        let top = link.slot;
        let mut next = Some(link);
        while let Some(link) = next {
            if layers.len() >= max_depth as usize {
                return Err(open::too_deep(top, max_depth));
            }
            let mut opened = link.open(session)?;
            let attached = opened.attach(session, |_| true)?;
            let failed = |error| open::failure(opened.slot, &error);
            opened.image.check_content().map_err(failed)?;
            if let Some(above) = layers.last() {
                check_backing(above, &opened)?;
            }
            next = opened.underneath(session).map_err(|error| not_opened(opened.slot, error))?;
            let slots = core::iter::once(opened.slot).chain(attached.iter().map(|it| it.slot));
            let files: Result<Vec<_>, Error> =
                slots.map(|slot| layer_file(session, slot)).collect();
            layers.push(Layer::new(opened, files?));
        }
        let size = layers.first().map_or(0, |layer: &Layer| layer.size);
        Ok(Self { session, layers, start: 0, size })
    }

    /// A disk of zeros that is stored nowhere, of a size in bytes.
    #[must_use]
    pub fn zeros(session: &'a dyn Session, size: u64) -> Self {
        Self { session, layers: Vec::new(), start: 0, size }
    }

    /// A part of the disk, in bytes. What goes beyond the disk is left out.
    #[must_use]
    pub fn part(self, start: u64, length: u64) -> Self {
        let start = start.min(self.size);
        let size = length.min(self.size - start);
        Self { start: self.start + start, size, ..self }
    }

    /// The same disk, with holes of its files taken for data: they are read.
    #[must_use]
    pub fn without_holes(self) -> Self {
        let files = self.layers.iter().flat_map(|layer| &layer.files);
        files.for_each(|file| file.holes.set(Some(Holes::Hidden)));
        self
    }

    /// The size of the disk in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How much of the disk the images underneath that on top reach, in bytes.
    #[must_use]
    pub fn size_underneath(&self) -> u64 {
        self.layers.get(1).map_or(0, |layer| layer.size.min(self.size))
    }

    /// The slot of the image on top.
    #[must_use]
    pub fn slot(&self) -> u8 {
        self.layers.first().map_or(0, |layer| layer.slot)
    }

    /// The image on top.
    #[must_use]
    pub fn top(&self) -> Option<&dyn Image> {
        self.layers.first().map(|layer| layer.image.as_ref())
    }

    /// The name of the format of the image on top.
    #[must_use]
    pub fn format(&self) -> Option<&'static str> {
        self.layers.first().map(|layer| layer.format)
    }

    /// How many images the chain has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The file in a slot as its log has changed it, if the chain has such a one.
    #[must_use]
    pub fn replayed(&self, slot: u8) -> Option<Rc<dyn Storage>> {
        let layer = self.layers.iter().find(|layer| layer.slot | REPLAYED == slot)?;
        layer.image.replayed()
    }

    /// Takes the disk as it was when a snapshot was taken.
    fn go_back(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let bytes = |name: &abi::source::SnapshotName| name.as_bytes().to_vec();
        let choice = match snapshot {
            Snapshot::Either(name) => SnapshotChoice::Either(bytes(name)),
            Snapshot::Exactly { id, name } => SnapshotChoice::Exactly {
                id: id.as_ref().map(bytes),
                name: name.as_ref().map(bytes),
            },
        };
        if let Some(layer) = self.layers.first_mut() {
            let image = layer.image.snapshot(&choice);
            // qemu-img does not say which image it is about.
            let image =
                image.map_err(|error| open::failure(layer.slot, &error).without_device())?;
            layer.size = image.description().virtual_size;
            self.size = layer.size;
            layer.image = image;
        }
        Ok(())
    }

    /// How the disk is stored at an offset, for `limit` bytes at the most. The offset is
    /// below the size of the disk.
    ///
    /// # Errors
    ///
    /// If an image is damaged there or cannot be read.
    pub fn span(&self, offset: u64, limit: u64) -> Result<Span, Error> {
        let offset = self.start + offset;
        let mut limit = limit;
        // What lies over a layer, and the place that is set aside there.
        let (mut depth, mut reserved) = (0, None);
        for layer in &self.layers {
            let left = layer.size.saturating_sub(offset);
            if left == 0 {
                // What is behind the end of an image, those underneath do not show.
                break;
            }
            limit = limit.min(left);
            let extent = layer.image.extent(offset, limit);
            let extent = extent.map_err(|error| open::failure(layer.slot, &error))?;
            if extent.length == 0 || extent.length > limit {
                return Err(Error::request("an extent does not fit its range"));
            }
            limit = extent.length;
            let (length, stored) = self.stored(layer, limit, extent.content)?;
            match stored {
                Stored::Nowhere(spot) => reserved = spot,
                stored => return Ok(Span { length, depth, stored }),
            }
            depth += 1;
        }
        let depth = u32::saturating_sub(depth, 1);
        Ok(Span { length: limit, depth, stored: Stored::Nowhere(reserved) })
    }

    /// A content of a layer, in terms of slots, and how much of it is stored so.
    fn stored(&self, layer: &Layer, length: u64, content: Content) -> Result<(u64, Stored), Error> {
        match content {
            Content::Unallocated => Ok((length, Stored::Nowhere(None))),
            Content::Reserved(place) => {
                let (_, spot) = layer.spot(place)?;
                Ok((length, Stored::Nowhere(Some(spot))))
            }
            Content::Zero(None) => Ok((length, Stored::Zero(None))),
            Content::Zero(Some(place)) => {
                let (_, spot) = layer.spot(place)?;
                Ok((length, Stored::Zero(Some(spot))))
            }
            Content::Compressed(mut unit) => {
                let (file, spot) = layer.spot(unit.place)?;
                // Its length may be a guess.
                unit.length = file.available(spot.offset, unit.length);
                Ok((length, Stored::Compressed(spot.slot, unit)))
            }
            // A log may make a file longer than it is.
            Content::Data(place) if place.file == File::Replayed => {
                let (_, spot) = layer.spot(place)?;
                Ok((length, Stored::Data(spot)))
            }
            Content::Data(place) => {
                let (file, spot) = layer.spot(place)?;
                let holes = self.holes(layer, file, place.file)?;
                let there = file.available(spot.offset, length);
                if there == 0 {
                    return Ok((length, Stored::Hole(spot, holes)));
                }
                let length = there;
                if holes == Holes::Hidden {
                    return Ok((length, Stored::Data(spot)));
                }
                let allocation = self.session.allocation(spot.slot, spot.offset)?;
                let stored =
                    if allocation.is_hole { Stored::Hole(spot, holes) } else { Stored::Data(spot) };
                Ok((length.min(allocation.length.max(1)), stored))
            }
        }
    }

    /// What the holes of a file of an image say about the disk.
    fn holes(&self, layer: &Layer, file: &LayerFile, name: File) -> Result<Holes, Error> {
        if let Some(holes) = file.holes.get() {
            return Ok(holes);
        }
        let room = self.session.room(layer.slot);
        // One that has none has not to be asked how it was made.
        let found =
            if room == u64::MAX { Ok(Holes::Hidden) } else { layer.image.holes(name, room) };
        let found = found.map_err(|error| open::failure(layer.slot, &error))?;
        file.holes.set(Some(found));
        Ok(found)
    }
}

impl core::fmt::Debug for Disk<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Disk({} bytes, {} images)", self.size(), self.depth())
    }
}

impl Layer {
    fn new(opened: Opened, files: Vec<LayerFile>) -> Self {
        Self {
            slot: opened.slot,
            format: opened.format.name(),
            size: opened.image.description().virtual_size,
            image: opened.image,
            files,
        }
    }

    /// The file that a place is in, and the place in terms of slots.
    fn spot(&self, place: Place) -> Result<(&LayerFile, Spot), Error> {
        let (number, add) = match place.file {
            File::Own => (0, 0),
            File::Replayed => (0, REPLAYED),
            File::Other(number) => (number.saturating_add(1), 0),
        };
        let file = self.files.get(number);
        let file =
            file.ok_or_else(|| Error::request("an extent is in a file that is not there"))?;
        Ok((file, Spot { slot: file.slot | add, offset: place.offset }))
    }
}

/// Whether an image is the one that the image above was made on top of.
fn check_backing(above: &Layer, opened: &Opened) -> Result<(), Error> {
    let checked = image::check_chain(above.image.as_ref(), opened.image.as_ref());
    checked.map_err(|error| open::failure(above.slot, &error))
}

/// That the image underneath may not be opened keeps the image over it from being opened.
fn not_opened(slot: u8, error: Error) -> Error {
    match error {
        Error::Failed { device: None, kind: FailureKind::Refused, message, .. } => {
            let message = format!("Could not open backing file: {message}");
            Error::about(slot, FailureKind::Refused, message)
        }
        error => error,
    }
}

fn layer_file(session: &dyn Session, slot: u8) -> Result<LayerFile, Error> {
    let storage = session.storage(slot).ok_or_else(|| Error::empty_slot(slot))?;
    Ok(LayerFile { slot, storage, holes: Cell::new(None) })
}

impl LayerFile {
    /// How many of these bytes are there. Of a file whose bytes arrive over time it may be
    /// fewer than there will be, but not none.
    fn available(&self, offset: u64, length: u64) -> u64 {
        let wanted = offset.saturating_add(length.min(PIECE));
        self.storage.reach(wanted).saturating_sub(offset).min(length)
    }
}
