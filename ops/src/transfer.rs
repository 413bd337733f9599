//! Moving bytes: many requests at a time, while the processor does something else.

use alloc::sync::Arc;
use core::ops::{DerefMut, Range};

use formats::storage::StorageError;

use crate::engine::job::{Done, Job};
use crate::session::{Error, Session};

/// A session that can have several requests under way.
pub trait Transfers: Session {
    /// Memory that files are read into and written from.
    type Buffer: DerefMut<Target = [u8]>;

    /// A buffer of so many bytes, a multiple of 512, with anything in it.
    ///
    /// # Errors
    ///
    /// If memory does not suffice.
    fn buffer(&self, length: usize) -> Result<Self::Buffer, Error>;

    /// Starts a request. `tag` is the caller's, to know it again.
    ///
    /// # Errors
    ///
    /// If it makes no sense.
    fn start(&self, tag: u64, transfer: Transfer<Self::Buffer>) -> Result<(), Error>;

    /// Starts a job. `tag` is the caller's, to know it again. It may be done at once.
    ///
    /// # Errors
    ///
    /// If there is nobody to do it.
    fn assign(&self, tag: u64, job: Job<Self::Buffer>) -> Result<(), Error>;

    /// Waits for the next thing that is done, in any order.
    ///
    /// # Errors
    ///
    /// If nothing is under way, or a device breaks down.
    fn finish(&self) -> Result<Event<Self::Buffer>, Error>;
}

/// Something that is done.
#[derive(Debug)]
pub enum Event<B> {
    /// A request.
    Transfer(Finished<B>),
    /// The job with a tag.
    Job(u64, Done<B>),
}

/// A request. Offsets and lengths are in bytes and multiples of 512.
#[derive(Debug)]
pub enum Transfer<B> {
    /// Fill the first bytes of a buffer from a file.
    Read {
        /// The file's slot.
        slot: u8,
        /// Where from.
        offset: u64,
        /// How many bytes.
        length: usize,
        /// Where to.
        buffer: B,
    },
    /// Store a part of a buffer in a file.
    Write {
        /// The file's slot.
        slot: u8,
        /// Where to.
        offset: u64,
        /// Which bytes of the buffer.
        range: Range<usize>,
        /// Where from.
        buffer: Arc<B>,
    },
    /// Make a range of a file zeros, and give its room back if that helps.
    Zero {
        /// The file's slot.
        slot: u8,
        /// Where it starts.
        offset: u64,
        /// How long it is.
        length: u64,
    },
    /// Make everything durable that was written to a file.
    Flush {
        /// The file's slot.
        slot: u8,
    },
}

/// A request that is done.
#[derive(Debug)]
pub struct Finished<B> {
    /// The caller's tag.
    pub tag: u64,
    /// How it went.
    pub result: Result<(), StorageError>,
    /// The buffer that it came with.
    pub buffer: Option<Returned<B>>,
}

/// A buffer that comes back.
#[derive(Debug)]
pub enum Returned<B> {
    /// It has what was read. After a failure it has anything.
    Filled(B),
    /// It was written from.
    Stored(Arc<B>),
}
