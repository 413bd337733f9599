//! A disk: an image, and what is underneath.
//!
//! What one image does not have, the next one has, or it is zeros. All that is asked
//! of a disk is how a range of it is stored; the bytes are fetched by the
//! [engine](crate::engine).

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use abi::source::{Snapshot, Source};
use formats::extent::{Compressed, Content, File, Place};
use formats::image::SnapshotChoice;
use formats::{Image, Storage};

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
    image: Box<dyn Image>,
    /// The size of its disk in bytes.
    size: u64,
    /// Its own file, and those that it refers to.
    files: Vec<LayerFile>,
    /// Whether holes of the file show through as zeros.
    shows_holes: bool,
}

/// A file of an image.
#[derive(Clone, Copy, Debug)]
struct LayerFile {
    slot: u8,
    /// Its length in bytes.
    length: u64,
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
    /// No image has it, so it reads as zeros.
    Nowhere,
    /// It is zeros, and may have a place set aside.
    Zero(Option<Spot>),
    /// It is in a file as it is.
    Data(Spot),
    /// It is in a hole of a file, so it reads as zeros.
    Hole(Spot),
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
        let mut layers = Vec::new();
        let mut next = Some(Link::from(source));
        while let Some(link) = next {
            if layers.len() >= max_depth as usize {
                return Err(open::too_deep(link.slot, max_depth));
            }
            let mut opened = link.open(session)?;
            let attached = opened.attach(session, |_| true)?;
            let failed = |error| open::failure(opened.slot, &error);
            opened.image.check_content().map_err(failed)?;
            if let Some(above) = layers.last() {
                check_backing(above, &opened)?;
            }
            next = opened.underneath(session)?;
            let slots = core::iter::once(opened.slot).chain(attached.iter().map(|it| it.slot));
            let files: Result<Vec<_>, Error> =
                slots.map(|slot| layer_file(session, slot)).collect();
            layers.push(Layer::new(opened, files?));
        }
        let mut disk = Self { session, layers, start: 0, size: 0 };
        if let Some(snapshot) = &source.snapshot {
            disk.go_back(snapshot)?;
        }
        disk.size = disk.layers.first().map_or(0, |layer| layer.size);
        Ok(disk)
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
    pub fn without_holes(mut self) -> Self {
        self.layers.iter_mut().for_each(|layer| layer.shows_holes = false);
        self
    }

    /// The size of the disk in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
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
        let mut depth = 0;
        for layer in &self.layers {
            let left = layer.size.saturating_sub(offset);
            if left == 0 {
                // What is behind the end of an image, those underneath do not show.
                let depth = u32::saturating_sub(depth, 1);
                return Ok(Span { length: limit, depth, stored: Stored::Nowhere });
            }
            limit = limit.min(left);
            let extent = layer.image.extent(offset, limit);
            let extent = extent.map_err(|error| open::failure(layer.slot, &error))?;
            if extent.length == 0 || extent.length > limit {
                return Err(Error::request("an extent does not fit its range"));
            }
            limit = extent.length;
            if extent.content != Content::Unallocated {
                let (length, stored) = self.stored(layer, limit, extent.content)?;
                return Ok(Span { length, depth, stored });
            }
            depth += 1;
        }
        Ok(Span { length: limit, depth: u32::saturating_sub(depth, 1), stored: Stored::Nowhere })
    }

    /// A content of a layer, in terms of slots, and how much of it is stored so.
    fn stored(&self, layer: &Layer, length: u64, content: Content) -> Result<(u64, Stored), Error> {
        match content {
            Content::Unallocated => Ok((length, Stored::Nowhere)),
            Content::Zero(None) => Ok((length, Stored::Zero(None))),
            Content::Zero(Some(place)) => {
                let (spot, _) = layer.spot(place)?;
                Ok((length, Stored::Zero(Some(spot))))
            }
            Content::Compressed(unit) => {
                let (spot, _) = layer.spot(unit.place)?;
                Ok((length, Stored::Compressed(spot.slot, unit)))
            }
            Content::Data(place) => {
                let (spot, file_length) = layer.spot(place)?;
                let left = file_length.saturating_sub(spot.offset);
                if left == 0 {
                    return Ok((length, Stored::Hole(spot)));
                }
                let length = length.min(left);
                if !layer.shows_holes {
                    return Ok((length, Stored::Data(spot)));
                }
                let allocation = self.session.allocation(spot.slot, spot.offset)?;
                let stored =
                    if allocation.is_hole { Stored::Hole(spot) } else { Stored::Data(spot) };
                Ok((length.min(allocation.length.max(1)), stored))
            }
        }
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
            size: opened.image.description().virtual_size,
            shows_holes: opened.image.shows_holes(),
            image: opened.image,
            files,
        }
    }

    /// A place in terms of slots, and the length of the file that it is in.
    fn spot(&self, place: Place) -> Result<(Spot, u64), Error> {
        let (number, add) = match place.file {
            File::Own => (0, 0),
            File::Replayed => (0, REPLAYED),
            File::Other(number) => (number.saturating_add(1), 0),
        };
        let file = self.files.get(number);
        let file =
            file.ok_or_else(|| Error::request("an extent is in a file that is not there"))?;
        Ok((Spot { slot: file.slot | add, offset: place.offset }, file.length))
    }
}

/// Whether an image is the one that the image above was made on top of.
fn check_backing(above: &Layer, opened: &Opened) -> Result<(), Error> {
    let checked = above.image.check_backing(&opened.image.description());
    checked.map_err(|error| open::failure(above.slot, &error))
}

fn layer_file(session: &dyn Session, slot: u8) -> Result<LayerFile, Error> {
    let storage = session.storage(slot).ok_or_else(|| Error::empty_slot(slot))?;
    Ok(LayerFile { slot, length: storage.length() })
}
