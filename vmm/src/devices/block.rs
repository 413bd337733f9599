//! A virtio block device over a file (virtio 1.2, section 5.2).
//!
//! Requests are parsed first and carried out then. What the guest may do is
//! decided here, whatever it asks: an input is never written to, and nothing
//! beyond the capacity exists.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use abi::{arrival, holes, layout};
use vm_memory::{Bytes, GuestMemoryBackend, GuestMemoryMmap, VolatileSlice};

use super::DeviceError;
use super::queue::{Chain, DeviceQueue};
use super::volatile_io;
use crate::host_file::HostFile;
use crate::host_file::output::Output;

/// The unit of offsets in a request, in bytes.
const SECTOR: u64 = 512;

/// The most bytes that one request may move. The guest's engine asks for 2 MiB
/// at most; the limit bounds the time that one request can take.
const MAX_TRANSFER: u64 = 16 << 20;

/// The types of a request (section 5.2.6).
const TYPE_IN: u32 = 0;
const TYPE_OUT: u32 = 1;
const TYPE_FLUSH: u32 = 4;
const TYPE_WRITE_ZEROES: u32 = 13;
/// Not of the standard: which parts are data (`abi::holes`).
const TYPE_HOLES: u32 = 0x8000_0001;
/// Not of the standard: how much is there of a file that a pipe brings (`abi::arrival`).
const TYPE_ARRIVAL: u32 = 0x8000_0002;

/// The length of what a request to write zeros says: the first sector, how many, flags.
const ZEROES: usize = 16;

/// The features of a block device besides those of every device (section 5.2.3): it
/// flushes, writes zeros, and tells its holes.
pub const FEATURES: u64 = super::queue::FEATURES | 1 << 9 | 1 << 14 | 1 << 50;

/// What the guest reads when a request is done (section 5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    Ok = 0,
    InputOutput = 1,
    Unsupported = 2,
}

/// A block device.
#[derive(Debug)]
pub struct Block<'memory> {
    queue: DeviceQueue,
    file: HostFile,
    memory: &'memory GuestMemoryMmap,
    /// A request that wants what a pipe has not brought yet.
    waiting: Option<Chain<'memory>>,
}

/// A request, taken out of a descriptor chain.
struct Request<'memory> {
    head: u16,
    kind: u32,
    sector: u64,
    /// The data, in order.
    data: Vec<VolatileSlice<'memory>>,
    /// Whether the device writes the data.
    into_guest: bool,
    status: VolatileSlice<'memory>,
}

impl<'memory> Block<'memory> {
    /// The device in a slot, over a file.
    ///
    /// # Errors
    ///
    /// If the slot's rings are not in memory.
    pub fn new(
        slot: u8,
        file: HostFile,
        memory: &'memory GuestMemoryMmap,
    ) -> Result<Self, DeviceError> {
        let queue = DeviceQueue::new(layout::block_queue(slot), memory)?;
        Ok(Self { queue, file, memory, waiting: None })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &HostFile {
        &self.file
    }

    /// The file again.
    #[must_use]
    pub fn into_file(self) -> HostFile {
        self.file
    }

    /// Asks for a doorbell at the next request. Says whether there is one already that can
    /// be carried out.
    ///
    /// # Errors
    ///
    /// If the guest breaks the rules.
    pub fn ask_for_doorbell(&mut self) -> Result<bool, DeviceError> {
        // Where one waits for a pipe, those behind it do too, and the pipe says when.
        if self.is_waiting() {
            return Ok(false);
        }
        self.queue.ask_for_doorbell(self.memory)
    }

    /// Whether a request waits for a pipe.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Carries out the requests that are there, a queue's worth at most: a guest
    /// can add them as fast as they are carried out. Says whether there was one.
    ///
    /// # Errors
    ///
    /// If the guest breaks the rules.
    pub fn process(&mut self) -> Result<bool, DeviceError> {
        for count in 0..layout::BLOCK_QUEUE_SIZE {
            let waiting = self.waiting.take();
            let chain = if waiting.is_some() { waiting } else { self.queue.pop(self.memory)? };
            let Some(chain) = chain else {
                return Ok(count > 0);
            };
            let request = Request::parse(chain.clone(), self.memory)?;
            if self.file.pipe().is_some_and(|pipe| !pipe.has(request.end())) {
                self.waiting = Some(chain);
                return Ok(count > 0);
            }
            let (status, written) = match self.perform(&request) {
                Ok(written) => (Status::Ok, written),
                Err(status) => (status, 0),
            };
            request.status.copy_from(&[status as u8]);
            let written = u32::try_from(written).unwrap_or(u32::MAX).saturating_add(1);
            self.queue.give_back(self.memory, request.head, written)?;
        }
        Ok(true)
    }

    /// Carries out one request. Returns how many bytes of guest memory were
    /// written.
    fn perform(&self, request: &Request<'_>) -> Result<u64, Status> {
        match request.kind {
            TYPE_IN if request.into_guest => self.read(request),
            TYPE_HOLES if request.into_guest => self.tell_holes(request),
            TYPE_ARRIVAL if request.into_guest => self.tell_arrival(request),
            TYPE_OUT if !request.into_guest => self.write(request),
            TYPE_WRITE_ZEROES if !request.into_guest => self.write_zeroes(request),
            TYPE_FLUSH => self.flush(),
            TYPE_IN | TYPE_OUT | TYPE_HOLES | TYPE_ARRIVAL | TYPE_WRITE_ZEROES => {
                Err(Status::InputOutput)
            }
            _ => Err(Status::Unsupported),
        }
    }

    /// Where a request starts, in bytes, if all of it lies below the capacity.
    fn start(sector: u64, size: u64, capacity: u64) -> Result<u64, Status> {
        let start = sector.checked_mul(SECTOR).ok_or(Status::InputOutput)?;
        let end = start.checked_add(size).ok_or(Status::InputOutput)?;
        if end <= capacity { Ok(start) } else { Err(Status::InputOutput) }
    }

    fn read(&self, request: &Request<'_>) -> Result<u64, Status> {
        let size = request.size();
        let there = self.file.readable_length();
        // A file that is written to has room where nothing is yet.
        let room = self.file.output().map_or(0, |output| output.capacity());
        let capacity = there.max(room).next_multiple_of(SECTOR);
        let start = Self::start(request.sector, size, capacity)?;
        if self.file.pipe().is_some_and(|pipe| !pipe.still_has(start, start + size)) {
            return Err(Status::InputOutput);
        }
        let mut offset = start;
        for slice in &request.data {
            let length = slice.len() as u64;
            // What is beyond the file is padded: of others only the last sector can be.
            let in_file = length.min(there.saturating_sub(offset));
            let in_file = usize::try_from(in_file).map_err(|_| Status::InputOutput)?;
            let (from_file, padding) = (slice.subslice(0, in_file), slice.offset(in_file));
            let from_file = from_file.map_err(|_| Status::InputOutput)?;
            volatile_io::read_exact_at(self.file.as_fd(), &from_file, offset)
                .map_err(|_| Status::InputOutput)?;
            if let Ok(padding) = padding {
                padding.copy_from(&vec![0_u8; padding.len()]);
            }
            offset += length;
        }
        if let Some(pipe) = self.file.pipe() {
            pipe.was_read(start, start + size);
        }
        Ok(size)
    }

    /// The file as one that is written to, which inputs are not, whatever the guest asks.
    fn output(&self) -> Result<&Output, Status> {
        self.file.output().map(Arc::as_ref).ok_or(Status::InputOutput)
    }

    fn write(&self, request: &Request<'_>) -> Result<u64, Status> {
        let output = self.output()?;
        let mut offset = Self::start(request.sector, request.size(), output.end())?;
        if let Some(pace) = output.pace() {
            pace.wait_for(request.size());
        }
        if let Some(stream) = output.as_stream() {
            let end = offset + request.size();
            let write = |to: BorrowedFd<'_>| {
                request.data.iter().try_for_each(|slice| volatile_io::write_all(to, slice))
            };
            stream.write(offset, end, write).map_err(|error| failed(output, error))?;
            return Ok(0);
        }
        for slice in &request.data {
            let mut written = volatile_io::write_all_at(self.file.as_fd(), slice, offset);
            // A disk may have larger sectors than the guest knows.
            let is_unfit = |error: &std::io::Error| error.raw_os_error() == Some(libc::EINVAL);
            if written.as_ref().is_err_and(is_unfit) && self.file.use_cache() {
                written = volatile_io::write_all_at(self.file.as_fd(), slice, offset);
            }
            written.map_err(|error| failed(output, error))?;
            offset += slice.len() as u64;
        }
        Ok(0)
    }

    fn write_zeroes(&self, request: &Request<'_>) -> Result<u64, Status> {
        let output = self.output()?;
        let [slice] = request.data.as_slice() else {
            return Err(Status::Unsupported);
        };
        let mut range = [0_u8; ZEROES];
        if slice.len() != ZEROES {
            return Err(Status::Unsupported);
        }
        slice.copy_to(&mut range);
        let [sector @ .., s0, s1, s2, s3, _, _, _, _] = range;
        let size = u64::from(u32::from_le_bytes([s0, s1, s2, s3])) * SECTOR;
        let sector = u64::from_le_bytes(sector);
        let start = Self::start(sector, size, output.end())?;
        // One that is new is zeros wherever nothing was written, but the guest may have
        // written there before.
        output.zero(self.file.as_fd(), start, size).map_err(|error| failed(output, error))?;
        Ok(0)
    }

    fn flush(&self) -> Result<u64, Status> {
        let output = self.output()?;
        output.flush(self.file.as_fd()).map_err(|error| failed(output, error))?;
        Ok(0)
    }

    fn tell_arrival(&self, request: &Request<'_>) -> Result<u64, Status> {
        let ([slice], Some(pipe)) = (request.data.as_slice(), self.file.pipe()) else {
            return Err(Status::Unsupported);
        };
        if slice.len() != arrival::ANSWER {
            return Err(Status::Unsupported);
        }
        slice.copy_from(&pipe.arrival().to_bytes());
        Ok(arrival::ANSWER as u64)
    }

    fn tell_holes(&self, request: &Request<'_>) -> Result<u64, Status> {
        let [slice] = request.data.as_slice() else {
            return Err(Status::Unsupported);
        };
        if slice.len() != holes::ANSWER {
            return Err(Status::Unsupported);
        }
        let start = request.sector.checked_mul(SECTOR).ok_or(Status::InputOutput)?;
        let ranges = self.file.data_ranges(start, holes::MAX_RANGES);
        slice.copy_from(&ranges.to_bytes());
        Ok(holes::ANSWER as u64)
    }
}

impl<'memory> Request<'memory> {
    /// The size of its data in bytes.
    fn size(&self) -> u64 {
        self.data.iter().map(|slice| slice.len() as u64).sum()
    }

    /// How much of a file it wants, from the start on, in bytes.
    fn end(&self) -> u64 {
        let size = if self.kind == TYPE_IN { self.size() } else { 0 };
        self.sector.saturating_mul(SECTOR).saturating_add(size)
    }

    /// Takes a request out of a chain: a header of 16 bytes, data, and a byte
    /// for the status, each in descriptors of its own.
    fn parse(chain: Chain<'memory>, memory: &'memory GuestMemoryMmap) -> Result<Self, DeviceError> {
        let head = chain.head_index();
        let mut descriptors = chain.collect::<Vec<_>>().into_iter();
        let (first, last) = (descriptors.next(), descriptors.next_back());
        let (first, last) = first.zip(last).ok_or(DeviceError::Framing)?;
        if first.is_write_only() || first.len() != 16 || !last.is_write_only() || last.len() != 1 {
            return Err(DeviceError::Framing);
        }
        let mut header = [0_u8; 16];
        memory.read_slice(&mut header, first.addr()).map_err(|_| DeviceError::OutsideMemory)?;
        let [k0, k1, k2, k3, _, _, _, _, sector @ ..] = header;
        let into_guest = descriptors.as_slice().iter().all(|data| data.is_write_only());
        let mut size = 0_u64;
        let mut data = Vec::with_capacity(descriptors.len());
        for descriptor in descriptors {
            size += u64::from(descriptor.len());
            if size > MAX_TRANSFER || descriptor.is_write_only() != into_guest {
                return Err(DeviceError::Framing);
            }
            data.push(slice(memory, &descriptor)?);
        }
        Ok(Self {
            head,
            kind: u32::from_le_bytes([k0, k1, k2, k3]),
            sector: u64::from_le_bytes(sector),
            data,
            into_guest,
            status: slice(memory, &last)?,
        })
    }
}

/// The status of a write that failed. The guest need not know why; the user does.
fn failed(output: &Output, error: std::io::Error) -> Status {
    output.note(error);
    Status::InputOutput
}

/// The guest memory of a descriptor.
fn slice<'memory>(
    memory: &'memory GuestMemoryMmap,
    descriptor: &virtio_queue::desc::split::Descriptor,
) -> Result<VolatileSlice<'memory>, DeviceError> {
    let length = usize::try_from(descriptor.len()).map_err(|_| DeviceError::OutsideMemory)?;
    memory.get_slice(descriptor.addr(), length).map_err(|_| DeviceError::OutsideMemory)
}
