//! The device's side of a queue, for tests: it follows the rules unless told
//! otherwise.
#![expect(unsafe_code, reason = "plays the device in shared memory")]

use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use super::queue::{
    DESCRIPTOR_NEXT, DESCRIPTOR_WRITE, Descriptor, Rings, USED_NO_NOTIFY, UsedElement,
};
use super::{Device, Features, mmio::Doorbell};
use crate::dma::DmaBuffer;

/// The rings of a queue, and the device behind them.
pub(super) struct FakeQueue {
    pub(super) rings: Rings,
    memory: DmaBuffer,
    seen: u16,
    returned: u16,
}

/// A buffer that the driver handed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handed {
    pub(super) address: u64,
    pub(super) length: u32,
    pub(super) writable: bool,
}

impl Handed {
    pub(super) fn bytes(self) -> &'static mut [u8] {
        let start = core::ptr::with_exposed_provenance_mut(usize::try_from(self.address).unwrap());
        // SAFETY: the driver under test owns the buffer and leaves it alone
        // until the chain is returned.
        unsafe { core::slice::from_raw_parts_mut(start, self.length as usize) }
    }
}

impl FakeQueue {
    pub(super) fn new(size: u16) -> Self {
        let entries = usize::from(size);
        let memory = DmaBuffer::zeroed(entries * 16 + (6 + entries * 2) + 8 + (6 + entries * 8));
        let memory = memory.unwrap();
        let descriptors = memory.address();
        let available = descriptors + u64::from(size) * 16;
        let used = (available + 6 + u64::from(size) * 2).next_multiple_of(4);
        Self { rings: Rings { size, descriptors, available, used }, memory, seen: 0, returned: 0 }
    }

    fn place<T>(&self, address: u64) -> *mut T {
        assert!(address >= self.memory.address());
        assert!(
            address + size_of::<T>() as u64 <= self.memory.address() + self.memory.len() as u64
        );
        core::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap())
    }

    fn word(&self, address: u64) -> &AtomicU16 {
        // SAFETY: `place` has checked that the word lies in the rings.
        unsafe { AtomicU16::from_ptr(self.place(address)) }
    }

    /// The flags by which the driver asks not to be interrupted.
    pub(super) fn available_flags(&self) -> u16 {
        self.word(self.rings.available).load(Ordering::Acquire)
    }

    /// The index at which the driver wants an interrupt.
    pub(super) fn used_event(&self) -> u16 {
        let entries = u64::from(self.rings.size) * 2;
        self.word(self.rings.available + 4 + entries).load(Ordering::Acquire)
    }

    /// Asks for a doorbell from this chain on, where event indices are used.
    pub(super) fn want_doorbell_at(&self, index: u16) {
        let entries = u64::from(self.rings.size) * 8;
        self.word(self.rings.used + 4 + entries).store(index, Ordering::Release);
    }

    /// Asks for no doorbells, where flags are used.
    pub(super) fn want_no_doorbells(&self) {
        self.word(self.rings.used).store(USED_NO_NOTIFY, Ordering::Release);
    }

    /// The next chain that the driver has made visible: its head and its buffers.
    pub(super) fn take(&mut self) -> Option<(u16, Vec<Handed>)> {
        let index = self.word(self.rings.available + 2).load(Ordering::Acquire);
        if index == self.seen {
            return None;
        }
        let slot = u64::from(self.seen % self.rings.size);
        let head = self.word(self.rings.available + 4 + slot * 2).load(Ordering::Relaxed);
        self.seen = self.seen.wrapping_add(1);
        let mut chain = Vec::new();
        let mut next = Some(head);
        while let Some(index) = next {
            let place: *mut Descriptor = self.place(self.rings.descriptors + u64::from(index) * 16);
            // SAFETY: `place` has checked that the descriptor lies in the table.
            let descriptor = unsafe { place.read_volatile() };
            chain.push(Handed {
                address: descriptor.address,
                length: descriptor.length,
                writable: descriptor.flags & DESCRIPTOR_WRITE != 0,
            });
            next = (descriptor.flags & DESCRIPTOR_NEXT != 0).then_some(descriptor.next);
            assert!(chain.len() <= usize::from(self.rings.size), "the chain is a loop");
        }
        Some((head, chain))
    }

    /// Returns a chain, or what the test says is one.
    pub(super) fn give_back(&mut self, head: u32, written: u32) {
        let slot = u64::from(self.returned % self.rings.size);
        let place: *mut UsedElement = self.place(self.rings.used + 4 + slot * 8);
        // SAFETY: `place` has checked that the element lies in the ring.
        unsafe { place.write_volatile(UsedElement { head, written }) };
        self.returned = self.returned.wrapping_add(1);
        self.word(self.rings.used + 2).store(self.returned, Ordering::Release);
    }

    /// Claims to have returned this many chains more.
    pub(super) fn claim(&mut self, count: u16) {
        self.returned = self.returned.wrapping_add(count);
        self.word(self.rings.used + 2).store(self.returned, Ordering::Release);
    }
}

/// A device whose doorbell counts: it leaves the number of the queue, and the
/// test puts the register back to [`SILENT`].
pub(super) fn device(features: Features) -> (Device, &'static AtomicU32) {
    let register: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(SILENT)));
    (Device { features, doorbell: Doorbell::of_test_register(register) }, register)
}

/// The doorbell of [`device`] when nobody has rung it.
pub(super) const SILENT: u32 = u32::MAX;
