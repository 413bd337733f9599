//! `measure`: how large an image gets.
//!
//! Some formats say so themselves, with qemu-img's figures. Of others an image is made,
//! without its data, and nobody keeps what is written.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use abi::convert::{State, Target};
use abi::measure::{Content, Reply as Figures, Request};
use abi::reply::Reply;
use abi::text::Text;
use formats::extent::File;
use formats::image::Part;
use formats::measure::Source;
use formats::storage::StorageError;
use formats::writer::Output;
use formats::{Measure, Ruler, Writer};

use crate::convert::{self, SECTOR};
use crate::disk::{Disk, Stored};
use crate::open;
use crate::session::{Error, Session};

/// Measures an image that could be made.
///
/// # Errors
///
/// If the source cannot be read, or there is no such image.
pub fn run(request: &Request, session: &dyn Session) -> Result<(), Error> {
    let disk = match &request.content {
        Content::Nothing(_) => None,
        Content::Image(source) => Some(Disk::open(session, source, request.max_depth)?),
    };
    let options = convert::options(&request.options);
    let format = convert::format(request.format)?;
    let measure = match format.ruler(&options).map_err(failed)? {
        Some(ruler) => by_ruler(ruler, request, disk.as_ref())?,
        None => by_making(request, disk.as_ref())?,
    };
    let Measure { required, fully_allocated, bitmaps } = measure;
    session.reply(Reply::Measure(Figures { required, fully_allocated, bitmaps }))
}

/// Measures as a format does.
fn by_ruler(
    mut ruler: Box<dyn Ruler>,
    request: &Request,
    disk: Option<&Disk<'_>>,
) -> Result<Measure, Error> {
    let source = match (&request.content, disk) {
        (Content::Nothing(size), _) => Source::Empty(*size),
        (_, None) => Source::Empty(0),
        (_, Some(disk)) => {
            let top = disk.top();
            if let Some(image) = top {
                let mut note = |part| {
                    if let Part::Bitmap(bitmap) = part {
                        ruler.add_bitmap(&bitmap, disk.size());
                    }
                    Ok(())
                };
                let visited = image.visit_parts(&mut note);
                visited.map_err(|error| open::failure(disk.slot(), &error))?;
            }
            let units = ruler.unit().map(|unit| units_with_data(disk, unit)).transpose()?;
            Source::Image {
                size: disk.size(),
                units: units.unwrap_or(0),
                can_have_bitmaps: top.is_some_and(|image| image.can_have_bitmaps()),
            }
        }
    };
    ruler.measure(&source).map_err(failed)
}

/// How many units of a disk have data.
fn units_with_data(disk: &Disk<'_>, unit: u64) -> Result<u64, Error> {
    let mut units = 0;
    // What is in front of this has been seen to.
    let mut done = 0;
    visit_data(disk, |start, end| {
        let (first, behind) = ((start / unit).max(done), end.div_ceil(unit));
        units += behind.saturating_sub(first);
        done = done.max(behind);
        Ok(())
    })?;
    Ok(units)
}

/// Hands out the ranges of a disk that have data, in order, by their start and their end.
fn visit_data(
    disk: &Disk<'_>,
    mut visit: impl FnMut(u64, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut offset = 0;
    while offset < disk.size() {
        let span = disk.span(offset, disk.size() - offset)?;
        let end = offset + span.length;
        if matches!(span.stored, Stored::Data(_) | Stored::Compressed(..)) {
            visit(offset, end)?;
        }
        offset = end;
    }
    Ok(())
}

/// Measures by making an image that nobody keeps.
fn by_making(request: &Request, disk: Option<&Disk<'_>>) -> Result<Measure, Error> {
    let size = match &request.content {
        Content::Nothing(size) => *size,
        Content::Image(_) => disk.map_or(0, Disk::size),
    };
    let size = size.checked_next_multiple_of(SECTOR);
    let size = size.ok_or_else(|| Error::request("the disk is too large"))?;
    let target = Target {
        slot: 0,
        others: Vec::new(),
        format: request.format,
        options: request.options.clone(),
        compress: false,
        file_name: Text::truncated(b"image"),
        backing: None,
        before: None,
        state: State::New,
        seed: [0; 16],
        time: 0,
    };
    let writer = convert::begin(&target, size, None).map_err(Error::without_device)?;
    let mut maker = Maker { writer, files: Files::default(), unit: Vec::new(), done: 0 };
    let files = maker.writer.other_files().len();
    let files = core::iter::once(File::Own).chain((0..files).map(File::Other));
    let longest = files.map(|file| maker.writer.longest(file)).fold(0, u64::saturating_add);
    if let Some(disk) = disk {
        if request.options.iter().any(|it| it.name.as_bytes() == b"backing_file") {
            // Nobody knows what the images have in common: nothing, it may be.
            maker.add(0, size)?;
        } else {
            visit_data(disk, |start, end| maker.add(start, end))?;
        }
    }
    let required = maker.finish()?;
    Ok(Measure { required, fully_allocated: longest, bitmaps: None })
}

/// Makes an image without its data.
struct Maker {
    writer: Box<dyn Writer>,
    files: Files,
    /// What stands for a unit that is compressed: as if it got no shorter.
    unit: Vec<u8>,
    /// What is in front of this has been seen to, in bytes.
    done: u64,
}

impl Maker {
    /// Adds a range that has data, by its start and its end.
    fn add(&mut self, start: u64, end: u64) -> Result<(), Error> {
        match self.writer.encoding() {
            Some(_) => self.store(start, end),
            None => self.place(start, end),
        }
    }

    fn place(&mut self, start: u64, end: u64) -> Result<(), Error> {
        let mut offset = (start - start % SECTOR).max(self.done);
        let end = end.next_multiple_of(SECTOR);
        while offset < end {
            let run = self.writer.place(offset, end - offset, &mut self.files).map_err(failed)?;
            let length = run.length.clamp(1, end - offset);
            self.files.note(run.place.file, run.place.offset.saturating_add(length));
            offset += length;
        }
        self.done = offset;
        Ok(())
    }

    fn store(&mut self, start: u64, end: u64) -> Result<(), Error> {
        let unit = self.writer.unit().max(1);
        if self.unit.is_empty() {
            self.unit = vec![0; usize::try_from(unit).unwrap_or(0)];
        }
        let mut offset = (start - start % unit).max(self.done);
        while offset < end {
            self.writer.store(offset, &self.unit, &mut self.files).map_err(failed)?;
            offset += unit;
        }
        self.done = offset;
        Ok(())
    }

    /// How many bytes the image takes.
    fn finish(mut self) -> Result<u64, Error> {
        self.writer.finish(&mut self.files).map_err(failed)?;
        Ok(self.files.0.iter().fold(0, |sum, length| sum.saturating_add(*length)))
    }
}

/// The lengths of the files of an image, its own first, in bytes.
#[derive(Debug, Default)]
struct Files(Vec<u64>);

impl Files {
    fn length(&mut self, file: File) -> Option<&mut u64> {
        let index = match file {
            File::Own | File::Replayed => 0,
            File::Other(number) => number.saturating_add(1),
        };
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0.get_mut(index)
    }

    /// Takes note that a file goes up to an offset.
    fn note(&mut self, file: File, end: u64) {
        if let Some(length) = self.length(file) {
            *length = end.max(*length);
        }
    }
}

impl Output for Files {
    fn write(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.note(file, offset.saturating_add(bytes.len() as u64));
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn set_length(&mut self, file: File, length: u64) -> Result<(), StorageError> {
        if let Some(old) = self.length(file) {
            *old = length;
        }
        Ok(())
    }
}

/// A failure of the image that could be made, which has no file to blame.
fn failed(error: formats::Error) -> Error {
    open::failure(0, &error).without_device()
}
