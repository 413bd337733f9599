//! Block devices (virtio 1.2, section 5.2), many requests at a time.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::offset_of;
use core::ops::Range;

use thiserror::Error;

use super::queue::{ByHead, Queue, Returned, Rings, Segment};
use super::{Device, DeviceError, Features};
use crate::dma::DmaBuffer;

/// The device id of a block device.
pub const DEVICE_ID: u32 = 2;

/// What this driver can make use of.
pub const FEATURES: Features = Features::VERSION_1
    .union(Features::EVENT_INDEX)
    .union(Features::BLOCK_FLUSH)
    .union(Features::BLOCK_WRITE_ZEROES)
    .union(Features::BLOCK_HOLES);

/// The unit of the standard, in bytes: offsets and lengths are multiples of it.
pub const SECTOR: u64 = 512;

/// The queue that takes requests.
const REQUEST_QUEUE: u16 = 0;

/// The type of a request (section 5.2.6).
const TYPE_IN: u32 = 0;
const TYPE_OUT: u32 = 1;
const TYPE_FLUSH: u32 = 4;
const TYPE_WRITE_ZEROES: u32 = 13;
/// Not of the standard: which parts are data.
const TYPE_HOLES: u32 = 0x8000_0001;
/// Not of the standard: how much of a file is there that arrives over time.
const TYPE_ARRIVAL: u32 = 0x8000_0002;

/// "Give the room back", of a request to write zeros (section 5.2.6).
const UNMAP: u32 = 1;

/// What the device writes when a request is done (section 5.2.6).
const STATUS_OK: u8 = 0;
const STATUS_UNSUPPORTED: u8 = 2;
/// What no device writes: it left the status alone.
const STATUS_PENDING: u8 = 0xff;

/// What the device finds in front of a request (section 5.2.6).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Header {
    kind: u32,
    reserved: u32,
    sector: u64,
}

/// Which sectors are to be zeros (section 5.2.6).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Zeroes {
    sector: u64,
    sectors: u32,
    flags: u32,
}

/// What a request needs besides its data.
#[derive(Debug, Default)]
#[repr(C)]
struct Frame {
    header: Header,
    zeroes: Zeroes,
    status: u8,
}

const HEADER_SIZE: u32 = 16;
const ZEROES_SIZE: u32 = 16;

const _: () = {
    assert!(offset_of!(Frame, header) == 0);
    assert!(offset_of!(Frame, zeroes) == HEADER_SIZE as usize);
    assert!(offset_of!(Frame, status) == (HEADER_SIZE + ZEROES_SIZE) as usize);
};

/// Something for the device to do. Offsets and lengths are in bytes and multiples of
/// [`SECTOR`].
#[derive(Debug)]
pub enum Request {
    /// Fill the first bytes of a buffer.
    Read {
        /// Where from.
        offset: u64,
        /// How many bytes.
        length: usize,
        /// Where to.
        buffer: DmaBuffer,
    },
    /// Store a part of a buffer.
    Write {
        /// Where to.
        offset: u64,
        /// Which bytes of the buffer.
        range: Range<usize>,
        /// Where from. Others may read it meanwhile, or have it written as well.
        buffer: Arc<DmaBuffer>,
    },
    /// Make a range zeros.
    WriteZeroes {
        /// Where it starts.
        offset: u64,
        /// How long it is.
        length: u64,
        /// The room that it takes may be given back.
        unmap: bool,
    },
    /// Fill a buffer with what is known of the holes behind an offset, in the words
    /// that driver and device agree on.
    Holes {
        /// Where to look.
        offset: u64,
        /// Where to.
        buffer: DmaBuffer,
    },
    /// Fill a buffer with how much is there of a file that arrives over time, once it reaches
    /// an offset or has ended, in the words that driver and device agree on.
    Arrival {
        /// How much is wanted.
        offset: u64,
        /// Where to.
        buffer: DmaBuffer,
    },
    /// Make everything written so far durable.
    Flush,
}

/// A buffer that a request came with.
#[derive(Debug)]
pub enum Buffer {
    /// The device filled it.
    Filled(DmaBuffer),
    /// The device read it.
    Stored(Arc<DmaBuffer>),
}

/// Which request a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u16);

/// A request that is done.
#[derive(Debug)]
pub struct Completion {
    /// What [`BlockDevice::submit`] returned for it.
    pub tag: Tag,
    /// The buffer that came with it.
    pub buffer: Option<Buffer>,
    /// How it went. The buffer of a read that failed holds anything.
    pub result: Result<(), RequestError>,
}

/// A request that the device could not carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Reading or writing failed.
    #[error("input/output error")]
    InputOutput,
    /// The device does not know this kind of request.
    #[error("the device does not support the request")]
    Unsupported,
}

/// A request that was not handed to the device.
#[derive(Debug)]
pub struct Rejected {
    /// The request, with its buffer.
    pub request: Request,
    /// Why.
    pub reason: RejectReason,
}

/// Why a request was not handed to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RejectReason {
    /// As many requests as fit are in flight: poll, and try again.
    #[error("the queue is full")]
    Full,
    /// Its offset or length is not a multiple of a sector, or too large to say.
    #[error("the request is not made of whole sectors")]
    Misaligned,
    /// It goes beyond the end of the device.
    #[error("the request goes past the end of the device")]
    PastEnd,
    /// It writes to a device that is read-only.
    #[error("the device is read-only")]
    ReadOnly,
}

/// Data of a request, as the device sees it.
#[derive(Clone, Copy, Debug, Default)]
struct Data {
    address: u64,
    length: usize,
    /// Whether the device writes it.
    writable: bool,
}

impl Request {
    /// The data, if it lies in the buffer.
    fn data(&self) -> Option<Data> {
        match self {
            Self::Read { length, buffer, .. } => (*length <= buffer.len()).then_some(Data {
                address: buffer.address(),
                length: *length,
                writable: true,
            }),
            Self::Holes { buffer, .. } | Self::Arrival { buffer, .. } => {
                Some(Data { address: buffer.address(), length: buffer.len(), writable: true })
            }
            Self::Write { range, buffer, .. } => {
                let length = buffer.get(range.clone())?.len();
                Some(Data {
                    address: buffer.address() + range.start as u64,
                    length,
                    writable: false,
                })
            }
            Self::WriteZeroes { .. } | Self::Flush => Some(Data::default()),
        }
    }

    fn into_buffer(self) -> Option<Buffer> {
        match self {
            Self::Read { buffer, .. }
            | Self::Holes { buffer, .. }
            | Self::Arrival { buffer, .. } => Some(Buffer::Filled(buffer)),
            Self::Write { buffer, .. } => Some(Buffer::Stored(buffer)),
            Self::WriteZeroes { .. } | Self::Flush => None,
        }
    }
}

/// A virtio block device.
pub struct BlockDevice {
    queue: Queue,
    device: Device,
    sectors: u64,
    writable: bool,
    /// The frame of a chain has the index of its first descriptor.
    frames: Frames,
    /// The buffers in the hands of the device.
    in_flight: ByHead<Option<Buffer>>,
}

impl BlockDevice {
    /// A device of `length` bytes over its request queue, or nothing if the
    /// queue's size is not a power of two.
    ///
    /// # Safety
    ///
    /// The rings must be mapped, aligned and long enough as [`Rings`] says,
    /// zeroed, known to the device, and used by nobody else for as long as the
    /// device lives; and the device must take addresses as they are.
    #[expect(unsafe_code, reason = "passes a promise on")]
    #[must_use]
    pub unsafe fn new(device: Device, rings: Rings, length: u64, writable: bool) -> Option<Self> {
        // SAFETY: the caller's promise is the one that is asked for.
        let queue = unsafe { Queue::new(rings, device.features) }?;
        Some(Self {
            queue,
            sectors: length.div_ceil(SECTOR),
            writable: writable && !device.features.contains(Features::BLOCK_READ_ONLY),
            device,
            frames: Frames::new(rings.size),
            in_flight: ByHead::new(rings.size),
        })
    }

    /// Lets the device be longer, or shorter, from now on. The host has the last word.
    pub fn set_length(&mut self, length: u64) {
        self.sectors = length.div_ceil(SECTOR);
    }

    /// Whether the device can tell where it has holes.
    #[must_use]
    pub fn knows_holes(&self) -> bool {
        self.device.features.contains(Features::BLOCK_HOLES)
    }

    /// The device's capacity in bytes: its length rounded up to whole sectors.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.sectors * SECTOR
    }

    /// Hands a request to the device. The device learns of it with
    /// [`notify`](Self::notify), so that several can go at once.
    ///
    /// # Errors
    ///
    /// The request comes back if it cannot be carried out, or not now.
    pub fn submit(&mut self, request: Request) -> Result<Tag, Rejected> {
        match self.enqueue(&request) {
            Ok(head) => {
                self.in_flight.insert(head, request.into_buffer());
                Ok(Tag(head))
            }
            Err(reason) => Err(Rejected { request, reason }),
        }
    }

    /// Tells the device of the requests submitted since the last time, if it
    /// needs telling.
    pub fn notify(&mut self) {
        if self.queue.publish() {
            self.device.doorbell.ring(REQUEST_QUEUE);
        }
    }

    /// Takes the next request that is done, if there is one.
    ///
    /// # Errors
    ///
    /// If the device breaks the rules; it is of no use from then on.
    pub fn poll(&mut self) -> Result<Option<Completion>, DeviceError> {
        let Some(Returned { head, .. }) = self.queue.take_used()? else {
            return Ok(None);
        };
        let buffer = self.in_flight.remove(head)?;
        let result = match self.frames.status(head) {
            Some(STATUS_OK) => Ok(()),
            Some(STATUS_UNSUPPORTED) => Err(RequestError::Unsupported),
            _ => Err(RequestError::InputOutput),
        };
        Ok(Some(Completion { tag: Tag(head), buffer, result }))
    }

    /// Puts a request into the queue. Its buffer stays where it is.
    fn enqueue(&mut self, request: &Request) -> Result<u16, RejectReason> {
        let (data, header, zeroes) = self.check(request)?;
        // The chain that is added next starts at this descriptor.
        let head = self.queue.next_head().ok_or(RejectReason::Full)?;
        let frame = self.frames.prepare(head, header, zeroes).ok_or(RejectReason::Full)?;
        let segment = |address, length, writable| Segment { address, length, writable };
        let header = segment(frame, HEADER_SIZE, false);
        let status = segment(frame + u64::from(HEADER_SIZE + ZEROES_SIZE), 1, true);
        let middle = match request {
            Request::WriteZeroes { .. } => {
                Some(segment(frame + u64::from(HEADER_SIZE), ZEROES_SIZE, false))
            }
            Request::Flush => None,
            _ => {
                let length = u32::try_from(data.length).map_err(|_| RejectReason::Misaligned)?;
                Some(segment(data.address, length, data.writable))
            }
        };
        let chain = [header, middle.unwrap_or(status), status];
        let chain = if middle.is_some() { &chain[..] } else { &chain[..2] };
        #[expect(unsafe_code, reason = "hands buffers to the device")]
        // SAFETY: frames live as long as the queue, and this one is not used
        // again before its chain comes back; the buffer moves to `in_flight`
        // until then, and `drop` leaks it if it never does. A buffer that is shared
        // is only read, by the device as by its other owners.
        let added = unsafe { self.queue.add(chain) };
        added.ok_or(RejectReason::Full)
    }

    /// What the device is told of a request that makes sense.
    fn check(&self, request: &Request) -> Result<(Data, Header, Zeroes), RejectReason> {
        let data = request.data().ok_or(RejectReason::Misaligned)?;
        let mut zeroes = Zeroes::default();
        let (kind, offset, length) = match request {
            Request::Read { offset, .. } => (TYPE_IN, *offset, data.length as u64),
            Request::Write { offset, .. } => (TYPE_OUT, *offset, data.length as u64),
            Request::WriteZeroes { offset, length, unmap } => {
                let sectors = u32::try_from(length / SECTOR).map_err(|_| RejectReason::PastEnd)?;
                let flags = if *unmap { UNMAP } else { 0 };
                zeroes = Zeroes { sector: offset / SECTOR, sectors, flags };
                (TYPE_WRITE_ZEROES, *offset, *length)
            }
            Request::Holes { offset, .. } => (TYPE_HOLES, *offset, 0),
            Request::Arrival { offset, .. } => (TYPE_ARRIVAL, *offset, 0),
            Request::Flush => (TYPE_FLUSH, 0, 0),
        };
        let writes = !matches!(kind, TYPE_IN | TYPE_HOLES | TYPE_ARRIVAL);
        if writes && !self.writable {
            return Err(RejectReason::ReadOnly);
        }
        if !offset.is_multiple_of(SECTOR) || !length.is_multiple_of(SECTOR) {
            return Err(RejectReason::Misaligned);
        }
        match offset.checked_add(length) {
            // It is asked because the capacity is not known.
            Some(_) if kind == TYPE_ARRIVAL => {}
            Some(end) if end <= self.capacity() => {}
            _ => return Err(RejectReason::PastEnd),
        }
        // Zeros have their place in the data (section 5.2.6).
        let sector = if kind == TYPE_WRITE_ZEROES { 0 } else { offset / SECTOR };
        Ok((data, Header { kind, reserved: 0, sector }, zeroes))
    }
}

impl Drop for BlockDevice {
    fn drop(&mut self) {
        // The device may still write to what it was given.
        if self.queue.free() != self.queue.size() {
            self.in_flight.leak();
            self.frames.leak();
        }
    }
}

impl fmt::Debug for BlockDevice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BlockDevice({} bytes, {:?})", self.capacity(), self.queue)
    }
}

/// The frames of all requests: memory that the device reads and writes while
/// we use other parts of it, so it is only ever reached through pointers.
struct Frames(Box<[UnsafeCell<Frame>]>);

impl Frames {
    fn new(count: u16) -> Self {
        Self((0..count).map(|_| UnsafeCell::default()).collect())
    }

    /// Fills in a frame that no device uses, and returns its address.
    fn prepare(&mut self, index: u16, header: Header, zeroes: Zeroes) -> Option<u64> {
        let frame = self.0.get_mut(usize::from(index))?;
        *frame.get_mut() = Frame { header, zeroes, status: STATUS_PENDING };
        Some(frame.get().expose_provenance() as u64)
    }

    /// The status of a frame whose request came back.
    #[expect(unsafe_code, reason = "reads what a device wrote")]
    fn status(&self, index: u16) -> Option<u8> {
        let frame = self.0.get(usize::from(index))?.get();
        // SAFETY: `frame` points to a live frame.
        let status = unsafe { &raw const (*frame).status };
        // SAFETY: the place is initialised; the device is done with it, and if
        // it is not, a volatile read returns one byte or another.
        Some(unsafe { status.read_volatile() })
    }

    fn leak(&mut self) {
        core::mem::forget(core::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests;
