//! A cache for metadata.
//!
//! Formats read headers and tables in small pieces, and a request to the host
//! costs more than a page of data. So files are read by pages, and the pages
//! that were used last are kept.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use formats::storage::{Storage, StorageError, check_range};

/// The unit of the cache in bytes. Every page that is touched is paid for, so it
/// is the smallest that the machine has.
const PAGE: u64 = 4096;

/// How many pages are kept.
const PAGES: usize = 64;

/// Reads of this many bytes and more are not for the cache: who reads so much
/// does not read it twice.
const LARGE: usize = 32 << 10;

/// A file with its most recently used pages.
pub struct Cached {
    file: Rc<dyn Storage>,
    /// By page number, each page in the one place that it can have.
    places: RefCell<Vec<Option<Page>>>,
}

/// A page of a file: its number, and its bytes, fewer at the end of the file.
struct Page {
    number: u64,
    bytes: Box<[u8]>,
}

impl Cached {
    /// A file with no pages yet.
    #[must_use]
    pub fn new(file: Rc<dyn Storage>) -> Self {
        let places = core::iter::repeat_with(|| None).take(PAGES).collect();
        Self { file, places: RefCell::new(places) }
    }

    /// Copies from one page into a buffer; returns how many bytes.
    fn copy(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let number = offset / PAGE;
        let mut places = self.places.borrow_mut();
        // Both casts are of numbers below a small constant.
        let place = usize::try_from(number % PAGES as u64).unwrap_or(0);
        let skip = usize::try_from(offset % PAGE).unwrap_or(0);
        let slot = places.get_mut(place).ok_or(StorageError::InputOutput)?;
        let page = match slot {
            Some(page) if page.number == number => page,
            slot => slot.insert(self.load(number)?),
        };
        let available = page.bytes.get(skip..).unwrap_or_default();
        let count = available.len().min(buffer.len());
        let (target, source) = (buffer.get_mut(..count), available.get(..count));
        if let Some((target, source)) = target.zip(source) {
            target.copy_from_slice(source);
        }
        Ok(count)
    }

    fn load(&self, number: u64) -> Result<Page, StorageError> {
        let start = number * PAGE;
        let there = self.file.reach(start.saturating_add(PAGE));
        let length = PAGE.min(there.saturating_sub(start));
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)].into_boxed_slice();
        self.file.read_at(start, &mut bytes)?;
        Ok(Page { number, bytes })
    }
}

impl Storage for Cached {
    fn length(&self) -> u64 {
        self.file.length()
    }

    fn reach(&self, wanted: u64) -> u64 {
        self.file.reach(wanted)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        if buffer.len() >= LARGE {
            return self.file.read_at(offset, buffer);
        }
        check_range(self, offset, buffer.len() as u64)?;
        let (mut offset, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let count = self.copy(offset, rest)?;
            if count == 0 {
                return Err(StorageError::InputOutput);
            }
            offset += count as u64;
            rest = rest.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }
}

impl core::fmt::Debug for Cached {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let pages = self.places.borrow().iter().flatten().count();
        write!(formatter, "Cached({pages} pages)")
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use formats::storage::read_bytes;

    use super::*;

    /// A file whose every byte tells its offset, and which counts reads.
    struct Counting {
        length: u64,
        reads: Cell<u32>,
    }

    impl Storage for Counting {
        fn length(&self) -> u64 {
            self.length
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
            check_range(self, offset, buffer.len() as u64)?;
            self.reads.set(self.reads.get() + 1);
            for (offset, byte) in (offset..).zip(buffer) {
                *byte = value(offset);
            }
            Ok(())
        }
    }

    fn value(offset: u64) -> u8 {
        u8::try_from((offset ^ (offset >> 8)) & 0xff).unwrap()
    }

    fn cached(length: u64) -> (Cached, Rc<Counting>) {
        let file = Rc::new(Counting { length, reads: Cell::new(0) });
        (Cached::new(file.clone()), file)
    }

    #[test]
    fn reads_return_what_is_in_the_file() {
        let (cached, _) = cached(3 * PAGE + 100);
        for (offset, length) in
            [(0, 1), (PAGE - 1, 2), (1, 3 * PAGE), (3 * PAGE + 50, 50), (3 * PAGE + 100, 0)]
        {
            let bytes = read_bytes(&cached, offset, usize::try_from(length).unwrap()).unwrap();
            let expected: Vec<u8> = (offset..offset + length).map(value).collect();
            assert_eq!(bytes, expected, "{length} bytes at {offset}");
        }
    }

    #[test]
    fn a_page_is_read_once() {
        let (cached, file) = cached(10 * PAGE);
        for offset in 0..100 {
            read_bytes(&cached, offset * 8, 8).unwrap();
        }
        assert_eq!(file.reads.get(), 1);
    }

    #[test]
    fn a_page_gives_way_to_another_in_its_place() {
        let (cached, file) = cached(1000 * PAGE);
        for offset in [0, PAGES as u64 * PAGE, 0] {
            let bytes = read_bytes(&cached, offset + 7, 1).unwrap();
            assert_eq!(bytes, [value(offset + 7)]);
        }
        assert_eq!(file.reads.get(), 3);
    }

    #[test]
    fn large_reads_pass_by() {
        let (cached, file) = cached(100 * PAGE);
        for _ in 0..2 {
            read_bytes(&cached, 5, LARGE).unwrap();
        }
        assert_eq!(file.reads.get(), 2);
    }

    #[test]
    fn reads_past_the_end_fail() {
        let (cached, _) = cached(100);
        for (offset, length) in [(0, 101), (100, 1), (u64::MAX, 2)] {
            let read = read_bytes(&cached, offset, length);
            assert!(matches!(read, Err(StorageError::PastEnd { .. })));
        }
    }
}
