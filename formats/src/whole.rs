//! Whole disks in memory, read and made through extents: for tests.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

use crate::codec::{Decoder, Encoder};
use crate::error::Error;
use crate::extent::{Compressed, Content, File, Place};
use crate::image::Image;
use crate::storage::{Storage, StorageError, read_at_padded};
use crate::writer::{Encoding, Output, Writer};

/// A disk: an image, its files, and what is underneath.
pub struct Disk {
    /// The image.
    pub image: Box<dyn Image>,
    /// Its own file, and those that it refers to.
    pub files: Vec<Rc<dyn Storage>>,
    /// The disk underneath.
    pub backing: Option<Box<Disk>>,
}

impl Disk {
    /// A disk that is an image in one file, with nothing underneath.
    #[must_use]
    pub fn new(image: Box<dyn Image>, file: Rc<dyn Storage>) -> Self {
        Self { image, files: Vec::from([file]), backing: None }
    }

    /// Fills a buffer with what is on the disk from an offset on, and with zeros
    /// behind its end.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        let size = self.image.description().virtual_size;
        let (mut offset, mut rest) = (offset, buffer);
        while !rest.is_empty() && offset < size {
            let limit = (rest.len() as u64).min(size.saturating_sub(offset));
            let extent = self.image.extent(offset, limit)?;
            // A reader that says nothing or too much would be wrong on every machine.
            let length = usize::try_from(extent.length).unwrap_or(0);
            let length = if length == 0 || extent.length > limit { usize::MAX } else { length };
            let (part, behind) =
                rest.split_at_mut_checked(length).ok_or(StorageError::InputOutput)?;
            match extent.content {
                Content::Unallocated | Content::Reserved(_) => match &self.backing {
                    Some(backing) => backing.read(offset, part)?,
                    None => part.fill(0),
                },
                Content::Zero(_) => part.fill(0),
                Content::Data(place) => self.fetch(place, part)?,
                Content::Compressed(unit) => self.decompress(&unit, part)?,
            }
            offset = offset.saturating_add(extent.length);
            rest = behind;
        }
        rest.fill(0);
        Ok(())
    }

    fn fetch(&self, place: Place, buffer: &mut [u8]) -> Result<(), StorageError> {
        let number = match place.file {
            File::Own => 0,
            File::Other(number) => number.saturating_add(1),
            File::Replayed => {
                let file = self.image.replayed().ok_or(StorageError::InputOutput)?;
                return read_at_padded(file.as_ref(), place.offset, buffer);
            }
        };
        let file = self.files.get(number).ok_or(StorageError::InputOutput)?;
        read_at_padded(file.as_ref(), place.offset, buffer)
    }

    fn decompress(&self, unit: &Compressed, buffer: &mut [u8]) -> Result<(), StorageError> {
        let bytes = |length| usize::try_from(length).map_err(|_| StorageError::InputOutput);
        let mut compressed = vec![0; bytes(unit.length)?];
        self.fetch(unit.place, &mut compressed)?;
        let mut whole = vec![0; bytes(unit.size)?];
        let decoded = Decoder::default().decode(unit.codec, &compressed, &mut whole);
        decoded.map_err(|_| StorageError::InputOutput)?;
        let part = whole.get(bytes(unit.skip)?..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(part.ok_or(StorageError::InputOutput)?);
        Ok(())
    }
}

impl core::fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "Disk({:?})", self.image.description())
    }
}

/// The files of an image that gets made.
#[derive(Clone, Debug, Default)]
pub struct Files {
    files: BTreeMap<File, Vec<u8>>,
    /// Where the last write ended.
    end: Option<(File, u64)>,
}

impl Files {
    /// The bytes of a file.
    #[must_use]
    pub fn file(&self, file: File) -> &[u8] {
        self.files.get(&file).map(Vec::as_slice).unwrap_or_default()
    }

    /// Puts bytes where they belong.
    fn put(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let start = usize::try_from(offset).map_err(|_| StorageError::InputOutput)?;
        let end = start.checked_add(bytes.len()).ok_or(StorageError::InputOutput)?;
        let file = self.files.entry(file).or_default();
        if file.len() < end {
            file.resize(end.next_multiple_of(SECTOR), 0);
        }
        let target = file.get_mut(start..end).ok_or(StorageError::InputOutput)?;
        target.copy_from_slice(bytes);
        Ok(())
    }

    /// Has an image made with a disk of these bytes: parts of them that are not zeros
    /// are written, `granularity` bytes at a time, or by units if they are compressed.
    ///
    /// # Errors
    ///
    /// If the writer fails.
    pub fn make(
        &mut self,
        writer: &mut dyn Writer,
        disk: &[u8],
        granularity: usize,
    ) -> Result<(), Error> {
        let encoding = writer.encoding();
        let unit = usize::try_from(writer.unit()).map_err(|_| StorageError::InputOutput)?;
        let granularity = if encoding.is_some() { unit } else { granularity };
        let zeros = vec![0; granularity];
        let mut offset = 0_u64;
        for piece in disk.chunks(granularity) {
            // Quick also where nothing is optimised.
            if !zeros.starts_with(piece) {
                match encoding {
                    None => self.write_data(writer, offset, piece)?,
                    Some(encoding) => self.store_unit(writer, offset, piece, encoding)?,
                }
            }
            offset = offset.saturating_add(piece.len() as u64);
        }
        writer.finish(self)
    }

    /// Compresses a unit and has it stored. The last one of a disk is filled up with
    /// zeros.
    fn store_unit(
        &mut self,
        writer: &mut dyn Writer,
        offset: u64,
        piece: &[u8],
        encoding: Encoding,
    ) -> Result<(), Error> {
        let mut unit = piece.to_vec();
        unit.resize(usize::try_from(writer.unit()).unwrap_or(piece.len()), 0);
        let bytes = compress(encoding, &unit);
        if encoding == Encoding::Zlib || bytes.len() < unit.len() {
            writer.store(offset, &bytes, self)
        } else {
            self.write_data(writer, offset, piece)
        }
    }

    /// Has room made for data, and puts it there.
    ///
    /// # Errors
    ///
    /// If the writer fails.
    pub fn write_data(
        &mut self,
        writer: &mut dyn Writer,
        offset: u64,
        piece: &[u8],
    ) -> Result<(), Error> {
        let (mut offset, mut rest) = (offset, piece);
        while !rest.is_empty() {
            let run = writer.place(offset, rest.len() as u64, self)?;
            let length = usize::try_from(run.length).unwrap_or(0).min(rest.len());
            let (part, behind) = rest.split_at_checked(length).unwrap_or_default();
            if part.is_empty() {
                return Err(StorageError::InputOutput.into());
            }
            self.put(run.place.file, run.place.offset, part)?;
            offset = offset.saturating_add(run.length);
            rest = behind;
        }
        Ok(())
    }
}

/// Compresses a unit. What does not get shorter may be as it was.
fn compress(encoding: Encoding, unit: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Deflate => miniz_oxide::deflate::compress_to_vec(unit, LEVEL),
        Encoding::Zlib => miniz_oxide::deflate::compress_to_vec_zlib(unit, LEVEL),
        Encoding::Zstandard => {
            let mut bytes = Vec::new();
            let is_shorter = Encoder::default().encode(encoding, unit, &mut bytes);
            if is_shorter { bytes } else { unit.to_vec() }
        }
    }
}

/// How hard the tests try to compress: as zlib does.
const LEVEL: u8 = 6;

/// The unit of writes in bytes.
const SECTOR: usize = 512;

impl Output for Files {
    fn write(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let goes_on = self.end == Some((file, offset));
        if !offset.is_multiple_of(SECTOR as u64) && !goes_on {
            return Err(StorageError::InputOutput);
        }
        self.put(file, offset, bytes)?;
        self.end = Some((file, offset.saturating_add(bytes.len() as u64)));
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    fn set_length(&mut self, file: File, length: u64) -> Result<(), StorageError> {
        let length = usize::try_from(length).map_err(|_| StorageError::InputOutput)?;
        self.files.entry(file).or_default().resize(length, 0);
        Ok(())
    }
}
