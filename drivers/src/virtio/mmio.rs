//! The virtio-mmio register window, version 2 (virtio 1.2, section 4.2).

use core::fmt;

use super::queue::Rings;
use super::{Device, DeviceError, Features};

/// The registers that the handshake uses (section 4.2.2), by offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Register {
    /// "virt".
    Magic = 0x000,
    /// 2 for devices that follow the standard.
    Version = 0x004,
    /// The kind of device; 0 for an empty slot.
    DeviceId = 0x008,
    /// 32 of the bits that the device offers.
    DeviceFeatures = 0x010,
    /// Which 32.
    DeviceFeaturesSelect = 0x014,
    /// 32 of the bits that the driver accepts.
    DriverFeatures = 0x020,
    /// Which 32.
    DriverFeaturesSelect = 0x024,
    /// Which queue the registers below are about.
    QueueSelect = 0x030,
    /// The most entries it takes.
    QueueMaximum = 0x034,
    /// How many it gets.
    QueueSize = 0x038,
    /// It is in use.
    QueueReady = 0x044,
    /// The doorbell.
    QueueNotify = 0x050,
    /// How far the handshake has come.
    Status = 0x070,
    /// Where the descriptors are.
    QueueDescriptorsLow = 0x080,
    /// The upper half of that.
    QueueDescriptorsHigh = 0x084,
    /// Where the available ring is.
    QueueAvailableLow = 0x090,
    /// The upper half of that.
    QueueAvailableHigh = 0x094,
    /// Where the used ring is.
    QueueUsedLow = 0x0a0,
    /// The upper half of that.
    QueueUsedHigh = 0x0a4,
}

/// [`Register::Magic`] reads as this.
const MAGIC: u32 = u32::from_le_bytes(*b"virt");

/// [`Register::Version`] of a device that follows the standard.
const VERSION: u32 = 2;

/// Bits of [`Register::Status`] (section 2.1).
pub(super) mod status {
    pub(in super::super) const ACKNOWLEDGE: u32 = 1;
    pub(in super::super) const DRIVER: u32 = 2;
    pub(in super::super) const DRIVER_OK: u32 = 4;
    pub(in super::super) const FEATURES_OK: u32 = 8;
    pub(in super::super) const FAILED: u32 = 128;
}

/// Access to a device's registers.
pub trait Registers {
    /// Reads a register.
    fn read(&mut self, register: Register) -> u32;
    /// Writes a register.
    fn write(&mut self, register: Register, value: u32);
}

/// The registers of a device, in memory.
#[derive(Debug)]
pub struct Window {
    start: usize,
}

impl Window {
    /// The window at an address.
    ///
    /// # Safety
    ///
    /// 512 bytes at `address` must be mapped without caching and belong to a
    /// virtio-mmio device, and nothing but this window and the doorbell that
    /// comes from it may use them.
    #[expect(unsafe_code, reason = "asks for a promise")]
    #[must_use]
    pub unsafe fn at(address: usize) -> Self {
        Self { start: address }
    }

    /// The doorbell of the device.
    #[must_use]
    pub fn doorbell(&self) -> Doorbell {
        Doorbell { register: self.start + Register::QueueNotify as usize }
    }

    fn place(&self, register: Register) -> *mut u32 {
        core::ptr::with_exposed_provenance_mut(self.start + register as usize)
    }
}

#[expect(unsafe_code, reason = "reads and writes device registers")]
impl Registers for Window {
    fn read(&mut self, register: Register) -> u32 {
        // SAFETY: the register lies in the window that `at` was promised.
        unsafe { self.place(register).read_volatile() }
    }

    fn write(&mut self, register: Register, value: u32) {
        // SAFETY: the register lies in the window that `at` was promised.
        unsafe { self.place(register).write_volatile(value) }
    }
}

/// The register by which a device is told that a queue has something for it.
pub struct Doorbell {
    register: usize,
}

impl Doorbell {
    /// Rings for a queue (section 4.2.3.3).
    #[expect(unsafe_code, reason = "writes a device register")]
    pub fn ring(&self, queue: u16) {
        let register: *mut u32 = core::ptr::with_exposed_provenance_mut(self.register);
        // SAFETY: the register lies in the window that `Window::at` was
        // promised, and writing it has no effect but the notification.
        unsafe { register.write_volatile(u32::from(queue)) }
    }

    #[cfg(test)]
    pub(super) fn of_test_register(register: &'static core::sync::atomic::AtomicU32) -> Self {
        Self { register: register.as_ptr().expose_provenance() }
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Doorbell({:#x})", self.register)
    }
}

/// Sets a device up through its registers (section 3.1.1), with the rings of
/// its queues placed by the caller.
///
/// # Errors
///
/// If there is no modern virtio device of type `device_id`, or it does not
/// accept what it is given. The device is then marked as failed.
pub fn negotiate(
    registers: &mut impl Registers,
    doorbell: Doorbell,
    device_id: u32,
    wanted: Features,
    queues: &[Rings],
) -> Result<Device, DeviceError> {
    if registers.read(Register::Magic) != MAGIC {
        return Err(DeviceError::Absent);
    }
    match registers.read(Register::Version) {
        VERSION => {}
        version => return Err(DeviceError::Legacy(version)),
    }
    match registers.read(Register::DeviceId) {
        0 => return Err(DeviceError::Absent),
        found if found != device_id => {
            return Err(DeviceError::WrongType { found, wanted: device_id });
        }
        _ => {}
    }
    set_up(registers, wanted, queues)
        .map(|features| Device { features, doorbell })
        .inspect_err(|_| registers.write(Register::Status, status::FAILED))
}

/// The handshake proper.
fn set_up(
    registers: &mut impl Registers,
    wanted: Features,
    queues: &[Rings],
) -> Result<Features, DeviceError> {
    let mut status = 0;
    registers.write(Register::Status, status);
    status |= status::ACKNOWLEDGE | status::DRIVER;
    registers.write(Register::Status, status);

    let features = offered(registers) & (wanted | Features::VERSION_1);
    if !features.contains(Features::VERSION_1) {
        return Err(DeviceError::NotVersion1);
    }
    accept(registers, features);
    status |= status::FEATURES_OK;
    registers.write(Register::Status, status);
    if registers.read(Register::Status) & status::FEATURES_OK == 0 {
        return Err(DeviceError::FeaturesRefused);
    }

    for (queue, rings) in (0_u16..).zip(queues) {
        place_queue(registers, queue, rings)?;
    }
    status |= status::DRIVER_OK;
    registers.write(Register::Status, status);
    Ok(features)
}

fn offered(registers: &mut impl Registers) -> Features {
    let mut half = |select| {
        registers.write(Register::DeviceFeaturesSelect, select);
        u64::from(registers.read(Register::DeviceFeatures))
    };
    Features::from_bits_truncate(half(0) | half(1) << 32)
}

fn accept(registers: &mut impl Registers, features: Features) {
    let (low, high) = halves(features.bits());
    for (select, half) in [(0, low), (1, high)] {
        registers.write(Register::DriverFeaturesSelect, select);
        registers.write(Register::DriverFeatures, half);
    }
}

fn place_queue(
    registers: &mut impl Registers,
    queue: u16,
    rings: &Rings,
) -> Result<(), DeviceError> {
    registers.write(Register::QueueSelect, u32::from(queue));
    let maximum = registers.read(Register::QueueMaximum);
    let wanted = rings.size;
    if maximum < u32::from(wanted) {
        return Err(DeviceError::QueueTooShort { queue, maximum, wanted });
    }
    registers.write(Register::QueueSize, u32::from(wanted));
    for (low, high, address) in [
        (Register::QueueDescriptorsLow, Register::QueueDescriptorsHigh, rings.descriptors),
        (Register::QueueAvailableLow, Register::QueueAvailableHigh, rings.available),
        (Register::QueueUsedLow, Register::QueueUsedHigh, rings.used),
    ] {
        let (low_half, high_half) = halves(address);
        registers.write(low, low_half);
        registers.write(high, high_half);
    }
    registers.write(Register::QueueReady, 1);
    Ok(())
}

/// The lower and the upper half of a 64-bit value.
fn halves(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

#[cfg(test)]
mod tests;
