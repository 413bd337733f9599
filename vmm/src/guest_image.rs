//! The guest image: which parts of it go where.
//!
//! This is the one ELF file that the host parses, and it is our own: it is
//! embedded at build time, or named by the user. The read-only segments of the
//! embedded image lie on page boundaries of this program, so that the guest can
//! be given those very pages.

use std::borrow::Cow;
use std::path::Path;

use abi::layout::{self, Region};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Gives the embedded image the alignment of a page.
#[repr(C, align(4096))]
struct PageAligned<Bytes: ?Sized>(Bytes);

static EMBEDDED: &PageAligned<[u8]> = &PageAligned(*include_bytes!(env!("EXUVIA_GUEST_IMAGE")));

/// The size of the largest image: one that does not fit makes no sense.
const MAX_SIZE: u64 = 16 << 20;

/// A guest image.
#[derive(Debug)]
pub struct GuestImage {
    bytes: Cow<'static, [u8]>,
    entry: u64,
    segments: Vec<Segment>,
}

/// A part of the image that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The region that it fills, from its start.
    pub region: Region,
    /// Where it lies in the file, in bytes.
    offset: usize,
    /// How much of it is in the file, in bytes. The rest is zero.
    file_size: usize,
}

/// A file that is no guest image.
#[derive(Debug, Error)]
pub enum ImageError {
    /// It cannot be read.
    #[error("cannot read the guest image '{path}'")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no program for this machine.
    #[error("the guest image is not a 64-bit x86 ELF program")]
    NotElf,
    /// Its headers lead out of the file.
    #[error("the guest image is truncated")]
    Truncated,
    /// A part of it lies where no part should.
    #[error("the guest image has a segment at {0:#x}, which the layout does not know")]
    Misplaced(u64),
}

/// The head of an ELF file (`Elf64_Ehdr`).
#[derive(Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct FileHeader {
    magic: [u8; 4],
    class: u8,
    encoding: u8,
    identification: [u8; 10],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    program_headers: u64,
    section_headers: u64,
    flags: u32,
    header_size: u16,
    program_header_size: u16,
    program_header_count: u16,
    section_header_size: u16,
    section_header_count: u16,
    section_names: u16,
}

/// An entry of the program header table (`Elf64_Phdr`).
#[derive(Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    virtual_address: u64,
    physical_address: u64,
    file_size: u64,
    memory_size: u64,
    alignment: u64,
}

const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
const CLASS_64: u8 = 2;
const MACHINE_X86_64: u16 = 62;
const SEGMENT_LOAD: u32 = 1;

impl GuestImage {
    /// The image that was built with this program.
    ///
    /// # Errors
    ///
    /// If the build went wrong.
    pub fn embedded() -> Result<Self, ImageError> {
        Self::parse(Cow::Borrowed(&EMBEDDED.0))
    }

    /// The image in a file: another build of the kernel.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is none.
    pub fn from_file(path: &Path) -> Result<Self, ImageError> {
        let read = || {
            let length = std::fs::metadata(path)?.len();
            if length > MAX_SIZE {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            std::fs::read(path)
        };
        let bytes = read()
            .map_err(|source| ImageError::Read { path: path.display().to_string(), source })?;
        Self::parse(Cow::Owned(bytes))
    }

    fn parse(bytes: Cow<'static, [u8]>) -> Result<Self, ImageError> {
        let (header, _) = FileHeader::ref_from_prefix(&bytes).map_err(|_| ImageError::NotElf)?;
        let wanted = (ELF_MAGIC, CLASS_64, MACHINE_X86_64);
        if (header.magic, header.class, header.machine) != wanted {
            return Err(ImageError::NotElf);
        }
        let entry = header.entry;
        let table = usize::try_from(header.program_headers)
            .ok()
            .and_then(|start| bytes.get(start..))
            .ok_or(ImageError::Truncated)?;
        let count = usize::from(header.program_header_count);
        let (headers, _) = <[ProgramHeader]>::ref_from_prefix_with_elems(table, count)
            .map_err(|_| ImageError::Truncated)?;
        let segments = headers
            .iter()
            .filter(|header| header.kind == SEGMENT_LOAD)
            .map(|header| Segment::new(header, bytes.len()))
            .collect::<Result<_, _>>()?;
        Ok(Self { bytes, entry, segments })
    }

    /// Where our VMM enters it.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Its segments.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What the file has of a segment.
    #[must_use]
    pub fn content(&self, segment: &Segment) -> &[u8] {
        let content =
            self.bytes.get(segment.offset..).and_then(|rest| rest.get(..segment.file_size));
        content.unwrap_or_default()
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Segment {
    fn new(header: &ProgramHeader, length: usize) -> Result<Self, ImageError> {
        let address = header.virtual_address;
        let region = layout::REGIONS
            .into_iter()
            .find(|region| region.start == address && header.memory_size <= region.size())
            .ok_or(ImageError::Misplaced(address))?;
        let offset = usize::try_from(header.offset).map_err(|_| ImageError::Truncated)?;
        let file_size = usize::try_from(header.file_size).map_err(|_| ImageError::Truncated)?;
        match offset.checked_add(file_size) {
            Some(end) if end <= length => {}
            _ => return Err(ImageError::Truncated),
        }
        Ok(Self { offset, file_size, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_image_fills_its_regions() {
        let image = GuestImage::embedded().unwrap();
        assert!(layout::SUPERVISOR_TEXT.contains(image.entry()));
        let regions: Vec<Region> = image.segments().iter().map(|segment| segment.region).collect();
        assert_eq!(
            regions,
            [
                layout::SUPERVISOR_TEXT,
                layout::SUPERVISOR_RODATA,
                layout::SUPERVISOR_DATA,
                layout::TEXT,
                layout::RODATA,
                layout::DATA,
            ]
        );
    }

    #[test]
    fn read_only_segments_of_the_embedded_image_are_whole_pages() {
        let image = GuestImage::embedded().unwrap();
        for segment in image.segments().iter().filter(|segment| !segment.region.access.write) {
            let content = image.content(segment);
            assert!(content.as_ptr().addr().is_multiple_of(4096), "{segment:?}");
            assert!(content.len().is_multiple_of(4096), "{segment:?}");
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let parse = |bytes: &[u8]| GuestImage::parse(Cow::Owned(bytes.to_vec()));
        let good = &EMBEDDED.0;
        assert!(parse(good).is_ok());
        assert!(matches!(parse(b""), Err(ImageError::NotElf)));
        assert!(matches!(parse(&[0; 64]), Err(ImageError::NotElf)));
        assert!(matches!(parse(&good[..63]), Err(ImageError::NotElf)));
        assert!(matches!(parse(&good[..200]), Err(ImageError::Truncated)));
        assert!(matches!(parse(&good[..good.len() / 4]), Err(ImageError::Truncated)));
    }
}
