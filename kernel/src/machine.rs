//! The devices of the machine, and the clock.
//!
//! A device is either ready when the guest starts or gets negotiated through
//! its registers; `abi::device` says why there are both.
#![expect(unsafe_code, reason = "takes possession of devices")]

use alloc::collections::{BTreeMap, VecDeque};
use core::cell::{Cell, RefCell};

use abi::arrival::{self, Arrival};
use abi::device::{self, Block, Device, Kind, Wiring};
use abi::holes::{ANSWER, Ranges};
use abi::layout;
use drivers::dma::DmaBuffer;
use drivers::virtio::block::{
    self, BlockDevice, Buffer, Completion, RejectReason, Rejected, Request, Tag,
};
use drivers::virtio::console::{self, Console};
use drivers::virtio::mmio::{self, Window};
use drivers::virtio::queue::Rings;
use drivers::virtio::{self, DeviceError, Features};
use ops::session::Allocation;
use ops::storage::{Storage, StorageError};
use ops::transfer::{Finished, Returned};

use crate::exit;
use crate::workers::POOL;

/// The time-stamp counter.
#[must_use]
pub fn ticks() -> u64 {
    // SAFETY: every 64-bit processor has the instruction, and ring 3 may use it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// How often a ring is looked at before the processor is given away: a tenth of
/// a millisecond or so, which is longer than most requests take.
pub const SPINS: u32 = 2_000;

/// Calls `poll` until it returns something.
///
/// # Errors
///
/// Those of `poll`.
pub fn wait_for<T, E>(mut poll: impl FnMut() -> Result<Option<T>, E>) -> Result<T, E> {
    loop {
        for _ in 0..SPINS {
            if let Some(value) = poll()? {
                return Ok(value);
            }
            core::hint::spin_loop();
        }
        // A worker that is done from here on wakes us; one that was before is seen.
        POOL.set_first_idle(true);
        let last = poll();
        if matches!(last, Ok(None)) {
            exit::wait();
        }
        POOL.set_first_idle(false);
        if let Some(value) = last? {
            return Ok(value);
        }
    }
}

/// Takes possession of a console.
///
/// # Errors
///
/// If the device breaks the rules.
pub fn console(device: &Device) -> Result<Console, DeviceError> {
    let [receive, transmit] = layout::console_queues(device.slot).map(driver_rings);
    let virtio = bring_up(device, console::DEVICE_ID, console::FEATURES, &[receive, transmit])?;
    // SAFETY: the layout gives these rings to this slot alone, the host zeroed
    // them, and a slot is taken possession of once.
    let console = unsafe { Console::new(virtio, receive, transmit) };
    console.ok_or(DeviceError::Absent)
}

/// A file of the host.
///
/// Requests are made in two ways: formats wait for theirs, since they need what they
/// read to go on, and the transfer engine has many under way. Both go through one queue.
#[derive(Debug)]
pub struct Disk {
    device: RefCell<BlockDevice>,
    /// Its length in bytes, or how much of it has arrived.
    length: Cell<u64>,
    /// Whether more of it may arrive.
    arrives: Cell<bool>,
    /// What it took on its file system at the start, in bytes.
    room: u64,
    holes: RefCell<Holes>,
    /// Requests that the queue had no room for.
    waiting: RefCell<VecDeque<(u64, Request)>>,
    /// The engine's tags of requests that the device has.
    tags: RefCell<BTreeMap<Tag, u64>>,
    /// Requests of the engine that are done.
    finished: RefCell<VecDeque<Finished<DmaBuffer>>>,
}

/// What is known of the holes of a file.
#[derive(Debug)]
enum Holes {
    /// The device can be asked. This is what it said last, from an offset on.
    Asked(u64, Ranges),
    /// This is all that is known.
    Listed(Ranges),
}

impl Disk {
    /// Takes possession of a block device.
    ///
    /// # Errors
    ///
    /// If the device breaks the rules.
    pub fn new(device: &Device, block: &Block) -> Result<Self, DeviceError> {
        let rings = driver_rings(layout::block_queue(device.slot));
        let virtio = bring_up(device, block::DEVICE_ID, block::FEATURES, &[rings])?;
        // SAFETY: as for `console`.
        let device = unsafe { BlockDevice::new(virtio, rings, block.length, block.writable) };
        let device = device.ok_or(DeviceError::Absent)?;
        let holes = match &block.holes {
            device::Holes::Asked if device.knows_holes() => Holes::Asked(0, Ranges::default()),
            device::Holes::Asked | device::Holes::Unknown => Holes::Listed(Ranges::default()),
            device::Holes::Listed { end, data } => {
                Holes::Listed(Ranges { end: *end, data: data.clone() })
            }
        };
        Ok(Self {
            device: RefCell::new(device),
            length: Cell::new(block.length),
            arrives: Cell::new(block.arrives),
            room: block.room,
            holes: RefCell::new(holes),
            waiting: RefCell::default(),
            tags: RefCell::default(),
            finished: RefCell::default(),
        })
    }

    /// The device, for those who know what they do.
    pub fn device(&self) -> &RefCell<BlockDevice> {
        &self.device
    }

    /// The room that the file took on its file system at the start, in bytes.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.room
    }

    /// Lets the file be longer, or shorter, from now on.
    pub fn set_length(&self, length: u64) {
        self.length.set(length);
        self.device.borrow_mut().set_length(length);
    }

    /// Waits until so many bytes have arrived, or the file has ended.
    fn wait_for_bytes(&self, wanted: u64) {
        let wanted = wanted.min(arrival::ALL).next_multiple_of(block::SECTOR);
        let answer = DmaBuffer::zeroed(arrival::ANSWER).ok_or(StorageError::InputOutput);
        let answer =
            answer.and_then(|buffer| self.perform(Request::Arrival { offset: wanted, buffer }));
        match answer.ok().and_then(|answer| Arrival::from_bytes(&answer)) {
            Some(Arrival { length, is_all }) => {
                self.set_length(length);
                self.arrives.set(!is_all);
            }
            // What was there is all that there is; the host says why.
            None => self.arrives.set(false),
        }
    }

    /// Starts a request.
    ///
    /// # Errors
    ///
    /// If it makes no sense.
    pub fn start(&self, tag: u64, request: Request) -> Result<(), RejectReason> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            match self.device.borrow_mut().submit(request) {
                Ok(submitted) => {
                    self.tags.borrow_mut().insert(submitted, tag);
                }
                Err(Rejected { request, reason: RejectReason::Full }) => {
                    waiting.push_back((tag, request));
                }
                Err(Rejected { reason, .. }) => return Err(reason),
            }
        } else {
            waiting.push_back((tag, request));
        }
        self.device.borrow_mut().notify();
        Ok(())
    }

    /// The next request of the engine that is done, if there is one.
    ///
    /// # Errors
    ///
    /// If the device breaks the rules.
    pub fn next_finished(&self) -> Result<Option<Finished<DmaBuffer>>, DeviceError> {
        if self.finished.borrow().is_empty() && !self.is_idle() {
            self.advance()?;
        }
        Ok(self.finished.borrow_mut().pop_front())
    }

    /// Whether nothing of the engine is under way.
    fn is_idle(&self) -> bool {
        self.tags.borrow().is_empty() && self.waiting.borrow().is_empty()
    }

    /// Takes note of a request that is done, if there is one. Says whether it was not the
    /// engine's.
    fn advance(&self) -> Result<Option<Completion>, DeviceError> {
        let Some(completion) = self.device.borrow_mut().poll()? else {
            return Ok(None);
        };
        // In this order, as a request that was waiting may get the same tag.
        let tag = self.tags.borrow_mut().remove(&completion.tag);
        self.submit_waiting();
        let Some(tag) = tag else {
            return Ok(Some(completion));
        };
        self.finished.borrow_mut().push_back(Finished {
            tag,
            result: completion.result.map_err(|_| StorageError::InputOutput),
            buffer: completion.buffer.map(|buffer| match buffer {
                Buffer::Filled(buffer) => Returned::Filled(buffer),
                Buffer::Stored(buffer) => Returned::Stored(buffer),
            }),
        });
        Ok(None)
    }

    /// Hands over what there is room for now.
    fn submit_waiting(&self) {
        let mut waiting = self.waiting.borrow_mut();
        let mut device = self.device.borrow_mut();
        while let Some((tag, request)) = waiting.pop_front() {
            match device.submit(request) {
                Ok(submitted) => {
                    self.tags.borrow_mut().insert(submitted, tag);
                }
                Err(Rejected { request, reason: RejectReason::Full }) => {
                    waiting.push_front((tag, request));
                    break;
                }
                // It made sense when it was started, so it does now.
                Err(Rejected { .. }) => {}
            }
        }
        device.notify();
    }

    /// Carries out one request.
    fn perform(&self, request: Request) -> Result<DmaBuffer, StorageError> {
        let failed = |_| StorageError::InputOutput;
        let mut request = Some(request);
        let mut submitted = None;
        loop {
            if let Some(unsubmitted) = request.take() {
                let mut device = self.device.borrow_mut();
                match device.submit(unsubmitted) {
                    Ok(tag) => submitted = Some(tag),
                    Err(Rejected { request: back, reason: RejectReason::Full }) => {
                        request = Some(back);
                    }
                    Err(Rejected { .. }) => return Err(StorageError::InputOutput),
                }
                device.notify();
            }
            let done = wait_for(|| match self.advance()? {
                Some(completion) => Ok(Some(Some(completion))),
                // One of the engine's has made room.
                None if request.is_some() => Ok(Some(None)),
                None => Ok::<_, DeviceError>(None),
            });
            match done.map_err(failed)? {
                Some(Completion { tag, result: Ok(()), buffer: Some(Buffer::Filled(buffer)) })
                    if Some(tag) == submitted =>
                {
                    return Ok(buffer);
                }
                Some(_) => return Err(StorageError::InputOutput),
                None => {}
            }
        }
    }

    /// Whether the file has data at an offset.
    ///
    /// # Errors
    ///
    /// If the device does not say.
    pub fn allocation(&self, offset: u64) -> Result<Allocation, StorageError> {
        let mut holes = self.holes.borrow_mut();
        if let Holes::Asked(start, ranges) = &mut *holes
            && !(*start..ranges.end).contains(&offset)
        {
            let buffer = DmaBuffer::zeroed(ANSWER).ok_or(StorageError::InputOutput)?;
            // The question is about a sector.
            let sector = offset - offset % block::SECTOR;
            let answer = self.perform(Request::Holes { offset: sector, buffer })?;
            (*start, *ranges) = (sector, Ranges::from_bytes(&answer));
        }
        let (Holes::Asked(_, ranges) | Holes::Listed(ranges)) = &*holes;
        let (is_hole, length) = ranges.at(offset).unwrap_or((false, u64::MAX));
        Ok(Allocation { is_hole, length })
    }
}

impl Storage for Disk {
    fn length(&self) -> u64 {
        self.reach(u64::MAX)
    }

    fn reach(&self, wanted: u64) -> u64 {
        if self.arrives.get() && wanted > self.length.get() {
            self.wait_for_bytes(wanted);
        }
        self.length.get()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        let length = buffer.len() as u64;
        let past_end = StorageError::PastEnd { offset, length };
        let end =
            offset.checked_add(length).filter(|end| *end <= self.reach(*end)).ok_or(past_end)?;
        if buffer.is_empty() {
            return Ok(());
        }
        // Devices move whole sectors; the one behind the end is padded.
        let start = offset - offset % block::SECTOR;
        let span = end.next_multiple_of(block::SECTOR) - start;
        let span = usize::try_from(span).map_err(|_| past_end)?;
        let whole = DmaBuffer::zeroed(span).ok_or(StorageError::InputOutput)?;
        let whole = self.perform(Request::Read { offset: start, length: span, buffer: whole })?;
        let skip = usize::try_from(offset - start).map_err(|_| past_end)?;
        let wanted = whole.get(skip..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(wanted.ok_or(past_end)?);
        Ok(())
    }
}

/// Brings a device to the point where its queues work.
fn bring_up(
    device: &Device,
    device_id: u32,
    wanted: Features,
    queues: &[Rings],
) -> Result<virtio::Device, DeviceError> {
    let registers =
        usize::try_from(layout::device_registers(device.slot)).map_err(|_| DeviceError::Absent)?;
    // SAFETY: the layout maps the registers of every slot, and a slot is taken
    // possession of once.
    let mut window = unsafe { Window::at(registers) };
    let doorbell = window.doorbell();
    match device.wiring {
        Wiring::Ready { features } => {
            let features = Features::from_bits_truncate(features);
            Ok(virtio::Device { features, doorbell })
        }
        Wiring::Registers => mmio::negotiate(&mut window, doorbell, device_id, wanted, queues),
    }
}

/// The same rings in the driver's words.
fn driver_rings(rings: layout::Rings) -> Rings {
    let layout::Rings { size, descriptors, available, used } = rings;
    Rings { size, descriptors, available, used }
}

/// The file that a device stands for, if it stands for one.
#[must_use]
pub fn as_block(device: &Device) -> Option<&Block> {
    match &device.kind {
        Kind::Block(block) => Some(block),
        Kind::Console => None,
    }
}
