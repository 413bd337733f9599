//! The devices of the machine, and the clock.
//!
//! A device is either ready when the guest starts or gets negotiated through
//! its registers; `abi::device` says why there are both.
#![expect(unsafe_code, reason = "takes possession of devices")]

use core::cell::RefCell;

use abi::device::{Block, Device, Kind, Wiring};
use abi::layout;
use drivers::dma::DmaBuffer;
use drivers::virtio::block::{self, BlockDevice, Completion, Request};
use drivers::virtio::console::{self, Console};
use drivers::virtio::mmio::{self, Window};
use drivers::virtio::queue::Rings;
use drivers::virtio::{self, DeviceError, Features};
use ops::storage::{Storage, StorageError};

use crate::exit;

/// The time-stamp counter.
#[must_use]
pub fn ticks() -> u64 {
    // SAFETY: every 64-bit processor has the instruction, and ring 3 may use it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// How often a ring is looked at before the processor is given away: a tenth of
/// a millisecond or so, which is longer than most requests take.
const SPINS: u32 = 2_000;

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
        exit::wait();
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
#[derive(Debug)]
pub struct Disk {
    device: RefCell<BlockDevice>,
    length: u64,
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
        let device = RefCell::new(device.ok_or(DeviceError::Absent)?);
        Ok(Self { device, length: block.length })
    }

    /// The device, for those who keep several requests in flight.
    pub fn device(&self) -> &RefCell<BlockDevice> {
        &self.device
    }

    /// Carries out one request.
    fn perform(&self, request: Request) -> Result<DmaBuffer, StorageError> {
        let mut device = self.device.borrow_mut();
        device.submit(request).map_err(|_| StorageError::InputOutput)?;
        device.notify();
        let completion = wait_for(|| device.poll()).map_err(|_| StorageError::InputOutput)?;
        match completion {
            Completion { result: Ok(()), buffer: Some(buffer), .. } => Ok(buffer),
            _ => Err(StorageError::InputOutput),
        }
    }
}

impl Storage for Disk {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        let length = buffer.len() as u64;
        let past_end = StorageError::PastEnd { offset, length };
        let end = offset.checked_add(length).filter(|end| *end <= self.length).ok_or(past_end)?;
        if buffer.is_empty() {
            return Ok(());
        }
        // Devices move whole sectors; the one behind the end is padded.
        let start = offset - offset % block::SECTOR;
        let span = end.next_multiple_of(block::SECTOR) - start;
        let span = usize::try_from(span).map_err(|_| past_end)?;
        let whole = DmaBuffer::zeroed(span).ok_or(StorageError::InputOutput)?;
        let whole = self.perform(Request::Read { offset: start, buffer: whole })?;
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
