//! Raw images: the bytes of the disk, and nothing else.
//!
//! Everything is a raw image of something, so probing falls back to this. An
//! ISO image is one too.

pub mod writer;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;

pub use writer::RawWriter;

use crate::creation::{Creation, Options};
use crate::error::{Error, ErrorKind, FormatError};
use crate::extent::{Content, Extent, File, Place};
use crate::image::{Description, Holes, Image};
use crate::measure::{Measure, Ruler, Source};
use crate::storage::{Part, Storage};
use crate::writer::Writer;
use crate::{Confidence, Format, Probe};

/// The raw format.
#[derive(Debug)]
pub struct Raw;

/// The unit in which the size of a raw disk is counted, in bytes. A file that
/// ends inside a sector makes a disk that ends behind it.
const SECTOR: u64 = 512;

impl Format for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn probe(&self, _probe: &Probe<'_>) -> Confidence {
        Confidence::ANYTHING
    }

    fn open(&self, storage: Rc<dyn Storage>) -> Result<Box<dyn Image>, Error> {
        Ok(Box::new(RawImage::new(storage, 0, None)?))
    }

    fn create(&self, creation: &Creation<'_>) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(RawWriter::begin(creation)?))
    }

    fn ruler(&self, _options: &Options) -> Result<Option<Box<dyn Ruler>>, Error> {
        Ok(Some(Box::new(RawRuler)))
    }
}

/// Says how large raw images get: all of the disk counts, holes or not.
#[derive(Clone, Copy, Debug)]
struct RawRuler;

impl Ruler for RawRuler {
    fn unit(&self) -> Option<u64> {
        None
    }

    fn measure(&self, source: &Source) -> Result<Measure, Error> {
        let (Source::Empty(size) | Source::Image { size, .. }) = *source;
        let size = size.checked_next_multiple_of(SECTOR).ok_or(RawError::TooLarge)?;
        Ok(Measure { required: size, fully_allocated: size, bitmaps: None })
    }
}

/// A raw image, or a window into a file.
#[derive(Debug)]
pub struct RawImage {
    size: u64,
    /// Where the disk starts in the file, in bytes.
    start: u64,
    disk: Part,
}

/// A raw image that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    /// There is no metadata that could be made in front of the data.
    #[error("Unsupported preallocation mode: metadata")]
    NoMetadata,
    /// A way of preallocation that does not exist.
    #[error("invalid parameter value: {word}")]
    Preallocation {
        /// What it is called.
        word: String,
    },
    /// The window starts behind the end.
    #[error("Offset ({offset}) cannot be greater than size of the containing file ({length})")]
    OffsetPastEnd {
        /// Where it starts, in bytes.
        offset: u64,
        /// The length of the file in bytes.
        length: u64,
    },
    /// The window ends behind the end. Two blanks are what qemu-img prints.
    #[error(
        "The sum of offset ({offset}) and size ({size}) has to be smaller or equal to the  actual \
         size of the containing file ({length})"
    )]
    SizePastEnd {
        /// Where it starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        size: u64,
        /// The length of the file in bytes.
        length: u64,
    },
    /// The window's size is not a multiple of a sector.
    #[error("Specified size is not multiple of {SECTOR}")]
    SizeNotSectors,
    /// The file is longer than a disk can be.
    #[error("File too large")]
    TooLarge,
}

impl FormatError for RawError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unsupported
    }
}

impl RawImage {
    /// The image in a part of a file: `size` bytes from `offset` on, or all that
    /// follow.
    ///
    /// # Errors
    ///
    /// If the file is not that long.
    pub fn new(file: Rc<dyn Storage>, offset: u64, size: Option<u64>) -> Result<Self, Error> {
        let round_up = |bytes: u64| bytes.checked_next_multiple_of(SECTOR);
        let length = round_up(file.length()).ok_or(RawError::TooLarge)?;
        let rest = length.checked_sub(offset).ok_or(RawError::OffsetPastEnd { offset, length })?;
        let size = match size {
            Some(size) if size > rest => {
                return Err(RawError::SizePastEnd { offset, size, length }.into());
            }
            Some(size) if !size.is_multiple_of(SECTOR) => {
                return Err(RawError::SizeNotSectors.into());
            }
            Some(size) => size,
            None => round_up(rest).ok_or(RawError::TooLarge)?,
        };
        // What is missing of the last sector is not in the file.
        let start = offset.min(file.length());
        let available = file.length().saturating_sub(start).min(size);
        Ok(Self { size, start: offset, disk: Part::new(file, start, available)? })
    }
}

impl Image for RawImage {
    fn description(&self) -> Description {
        Description { virtual_size: self.size, dirty: Some(false), ..Description::default() }
    }

    fn extent(&self, offset: u64, limit: u64) -> Result<Extent, Error> {
        let place = self.start.checked_add(offset).ok_or(RawError::TooLarge)?;
        Ok(Extent { length: limit, content: Content::Data(Place::own(place)) })
    }

    fn holes(&self, _file: File, _room: u64) -> Result<Holes, Error> {
        Ok(Holes::Same)
    }

    fn disk(&self) -> Option<&dyn Storage> {
        Some(&self.disk)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec;

    use super::*;

    fn size(length: usize, offset: u64, size: Option<u64>) -> Result<u64, std::string::String> {
        let image = RawImage::new(Rc::new(vec![0; length]), offset, size);
        image.map(|image| image.description().virtual_size).map_err(|error| error.to_string())
    }

    #[test]
    fn the_size_is_that_of_the_file_in_whole_sectors() {
        for (length, expected) in [(0, 0), (1, 512), (512, 512), (513, 1024)] {
            assert_eq!(size(length, 0, None), Ok(expected));
        }
    }

    #[test]
    fn a_raw_image_is_as_long_as_its_disk() {
        let ruler = Raw.ruler(&Options::default()).unwrap().unwrap();
        let image = |size| Source::Image { size, units: 0, can_have_bitmaps: true };
        for (source, expected) in [
            (Source::Empty(0), Some(0)),
            (Source::Empty(513), Some(1024)),
            (image(4096), Some(4096)),
            (Source::Empty(u64::MAX), None),
        ] {
            let measure = ruler.measure(&source).ok();
            assert_eq!(measure.map(|it| it.required), expected, "{source:?}");
            assert_eq!(measure.map(|it| it.fully_allocated), expected, "{source:?}");
            assert_eq!(measure.and_then(|it| it.bitmaps), None);
        }
    }

    #[test]
    fn the_disk_is_the_file_or_a_part_of_it() {
        let file: Rc<dyn Storage> = Rc::new((0..200).collect::<std::vec::Vec<u8>>());
        for (offset, window, expected) in [
            (0, None, 0..200),
            (100, None, 100..200),
            (0, Some(512), 0..200),
            (512, None, 0..0),
            (0, Some(0), 0..0),
        ] {
            let image = RawImage::new(Rc::clone(&file), offset, window).unwrap();
            let disk = image.disk().unwrap();
            let length = usize::try_from(disk.length()).unwrap();
            let bytes = crate::storage::read_bytes(disk, 0, length).unwrap();
            assert_eq!(bytes, expected.collect::<std::vec::Vec<u8>>(), "{offset} {window:?}");
        }
    }

    #[test]
    fn the_disk_is_read_from_where_the_window_starts() {
        let file: Rc<dyn Storage> = Rc::new((0..200).collect::<std::vec::Vec<u8>>());
        for (offset, window, expected) in
            [(0, None, 0..200), (100, None, 100..200), (100, Some(0), 0..0), (512, None, 0..0)]
        {
            let image = RawImage::new(Rc::clone(&file), offset, window).unwrap();
            let size = usize::try_from(image.description().virtual_size).unwrap();
            let mut bytes = vec![7; size];
            let disk = crate::whole::Disk::new(Box::new(image), Rc::clone(&file));
            disk.read(0, &mut bytes).unwrap();
            let mut expected: std::vec::Vec<u8> = expected.collect();
            expected.resize(size, 0);
            assert_eq!(bytes, expected, "{offset} {window:?}");
        }
    }

    #[test]
    fn a_window_lies_inside_the_file() {
        for (offset, window, expected) in [
            (0, Some(1024), Ok(1024)),
            (512, Some(512), Ok(512)),
            (512, None, Ok(1536)),
            (2048, None, Ok(0)),
            (1, None, Ok(2048)),
            (
                2049,
                None,
                Err("Offset (2049) cannot be greater than size of the containing file (2048)"),
            ),
            (
                512,
                Some(2048),
                Err("The sum of offset (512) and size (2048) has to be smaller or equal to the  \
                     actual size of the containing file (2048)"),
            ),
            (0, Some(100), Err("Specified size is not multiple of 512")),
        ] {
            assert_eq!(size(2048, offset, window), expected.map_err(Into::into));
        }
    }
}
