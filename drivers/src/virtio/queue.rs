//! The split virtqueue, seen from the driver (virtio 1.2, section 2.7).
//!
//! The rings are shared with a device that is not trusted. The driver writes
//! them but never reads back what it wrote: which descriptors are free and how
//! long each chain is, it keeps in memory of its own. From the device it takes
//! two numbers per completion, and checks both.
#![expect(unsafe_code, reason = "shares memory with a device")]

use alloc::boxed::Box;
use alloc::vec;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering, fence};

use volatile::VolatilePtr;

use super::{DeviceError, Features};

/// A descriptor (section 2.7.5).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Descriptor {
    pub(super) address: u64,
    pub(super) length: u32,
    pub(super) flags: u16,
    pub(super) next: u16,
}

/// The chain goes on at `next`.
pub(super) const DESCRIPTOR_NEXT: u16 = 1;
/// The device writes to the buffer, rather than reading it.
pub(super) const DESCRIPTOR_WRITE: u16 = 2;

/// The head of the available ring (section 2.7.6); `size` entries of 16 bits
/// follow, and behind them the used event.
#[repr(C)]
pub(super) struct AvailableHeader {
    pub(super) flags: u16,
    pub(super) index: u16,
}

/// "Do not interrupt me", in [`AvailableHeader::flags`].
const AVAILABLE_NO_INTERRUPT: u16 = 1;

/// The head of the used ring (section 2.7.8); `size` [`UsedElement`]s follow,
/// and behind them the available event.
#[repr(C)]
pub(super) struct UsedHeader {
    pub(super) flags: u16,
    pub(super) index: u16,
}

/// "Do not notify me", in [`UsedHeader::flags`].
pub(super) const USED_NO_NOTIFY: u16 = 1;

/// A chain that the device is done with.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct UsedElement {
    pub(super) head: u32,
    pub(super) written: u32,
}

/// Where the three parts of a queue lie, as the device addresses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rings {
    /// How many entries each part has: a power of two.
    pub size: u16,
    /// The descriptor table, aligned to 16 bytes.
    pub descriptors: u64,
    /// The available ring, aligned to 2 bytes.
    pub available: u64,
    /// The used ring, aligned to 4 bytes.
    pub used: u64,
}

/// A buffer in a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Its address.
    pub(super) address: u64,
    /// Its length in bytes.
    pub(super) length: u32,
    /// Whether the device writes to it.
    pub(super) writable: bool,
}

/// A chain that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Returned {
    /// Its first descriptor: what [`Queue::add`] returned.
    pub(super) head: u16,
    /// How many bytes the device says it wrote: never more than it had room for.
    pub(super) written: u32,
}

/// What the driver remembers of a descriptor.
#[derive(Clone, Copy, Default)]
struct Shadow {
    /// The next descriptor of the chain, or of the free list.
    next: u16,
    /// For the head of a chain in flight: how many descriptors it has.
    chain: u16,
    /// For the head of a chain in flight: how many bytes the device may write.
    room: u32,
}

/// One virtqueue.
pub(super) struct Queue {
    size: u16,
    event_index: bool,
    descriptors: NonNull<Descriptor>,
    available: NonNull<u8>,
    used: NonNull<u8>,
    shadow: Box<[Shadow]>,
    free_head: u16,
    free_count: u16,
    /// What the driver last put in the available ring's index.
    next_available: u16,
    /// The available index when the device was last told.
    announced: u16,
    /// How far the used ring has been read.
    next_used: u16,
}

impl Queue {
    /// A queue over rings that are zeroed.
    ///
    /// # Safety
    ///
    /// The three parts must be mapped, aligned as [`Rings`] says, long enough
    /// for `size` entries, zeroed, and used by nobody but this queue and its
    /// device for as long as the queue lives.
    pub(super) unsafe fn new(rings: Rings, features: Features) -> Option<Self> {
        let size = rings.size;
        if !size.is_power_of_two() {
            return None;
        }
        let shadow = (0..size).map(|index| Shadow { next: index + 1, ..Shadow::default() });
        let mut queue = Self {
            size,
            event_index: features.contains(Features::EVENT_INDEX),
            descriptors: pointer(rings.descriptors)?,
            available: pointer(rings.available)?,
            used: pointer(rings.used)?,
            shadow: shadow.collect(),
            free_head: 0,
            free_count: size,
            next_available: 0,
            announced: 0,
            next_used: 0,
        };
        queue.suppress_interrupts();
        Some(queue)
    }

    /// How many descriptors there are.
    pub(super) fn size(&self) -> u16 {
        self.size
    }

    /// The descriptor that the next chain starts at, if one is free.
    pub(super) fn next_head(&self) -> Option<u16> {
        (self.free_count > 0).then_some(self.free_head)
    }

    /// How many descriptors are free.
    pub(super) fn free(&self) -> u16 {
        self.free_count
    }

    /// Hands a chain of buffers to the device, or nothing if there are not
    /// enough free descriptors. The device learns of it with
    /// [`publish`](Self::publish).
    ///
    /// # Safety
    ///
    /// The buffers must stay valid, and must not be touched if the device
    /// writes to them or changed if it reads them, until
    /// [`take_used`](Self::take_used) returns the chain or the queue is gone
    /// and the device reset.
    pub(super) unsafe fn add(&mut self, segments: &[Segment]) -> Option<u16> {
        let count = u16::try_from(segments.len()).ok()?;
        if count == 0 || count > self.free_count {
            return None;
        }
        let head = self.free_head;
        let mut index = head;
        let mut room = 0_u32;
        for (position, segment) in segments.iter().enumerate() {
            let next = self.shadow.get(usize::from(index))?.next;
            let mut flags = 0;
            if position + 1 < segments.len() {
                flags |= DESCRIPTOR_NEXT;
            }
            if segment.writable {
                flags |= DESCRIPTOR_WRITE;
                room = room.saturating_add(segment.length);
            }
            self.descriptor(index).write(Descriptor {
                address: segment.address,
                length: segment.length,
                flags,
                next,
            });
            index = next;
        }
        let first = self.shadow.get_mut(usize::from(head))?;
        first.chain = count;
        first.room = room;
        self.free_head = index;
        self.free_count -= count;
        self.available_entry(self.next_available).write(head);
        self.next_available = self.next_available.wrapping_add(1);
        Some(head)
    }

    /// Shows the device the chains that were added. Says whether it wants a
    /// doorbell for them (section 2.7.13).
    pub(super) fn publish(&mut self) -> bool {
        let (old, new) = (self.announced, self.next_available);
        if old == new {
            return false;
        }
        self.announced = new;
        // The descriptors must be visible before the index is, and the index
        // before we look whether the device sleeps (section 2.7.13.4.1).
        self.available_index().store(new, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.event_index {
            let event = self.available_event().load(Ordering::Relaxed);
            new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
        } else {
            self.used_flags().load(Ordering::Relaxed) & USED_NO_NOTIFY == 0
        }
    }

    /// Takes back the next chain that the device is done with, if there is one.
    ///
    /// # Errors
    ///
    /// If the device returns what it does not have, or says that it wrote more
    /// than it had room for.
    pub(super) fn take_used(&mut self) -> Result<Option<Returned>, DeviceError> {
        let index = self.used_index().load(Ordering::Acquire);
        let pending = index.wrapping_sub(self.next_used);
        if pending == 0 {
            return Ok(None);
        }
        if pending > self.size - self.free_count {
            return Err(DeviceError::TooManyReturned);
        }
        let element = self.used_entry(self.next_used).read();
        let unknown = DeviceError::UnknownDescriptor(element.head);
        let head = u16::try_from(element.head).map_err(|_| unknown)?;
        let first = self.shadow.get_mut(usize::from(head)).ok_or(unknown)?;
        // Only the head of a chain in flight has a length.
        let (count, room) = (core::mem::take(&mut first.chain), first.room);
        if count == 0 {
            return Err(unknown);
        }
        if element.written > room {
            return Err(DeviceError::Overrun { written: element.written, room });
        }
        self.release(head, count);
        self.next_used = self.next_used.wrapping_add(1);
        self.suppress_interrupts();
        Ok(Some(Returned { head, written: element.written }))
    }

    /// Puts the descriptors of a chain back on the free list.
    fn release(&mut self, head: u16, count: u16) {
        let mut last = usize::from(head);
        for _ in 1..count {
            last = self.shadow.get(last).map_or(last, |shadow| usize::from(shadow.next));
        }
        if let Some(shadow) = self.shadow.get_mut(last) {
            shadow.next = self.free_head;
        }
        self.free_head = head;
        self.free_count += count;
    }

    /// The driver polls, so the device shall not interrupt. With event indices
    /// there is no "never": the event is kept as far away as it goes.
    fn suppress_interrupts(&mut self) {
        if self.event_index {
            self.used_event().store(self.next_used.wrapping_sub(1), Ordering::Relaxed);
        } else {
            self.available_flags().store(AVAILABLE_NO_INTERRUPT, Ordering::Relaxed);
        }
    }

    // What follows turns the promise that `new` was given, three mapped areas
    // of `size` entries, into places. Indices run freely and wrap at the size.

    fn descriptor(&self, index: u16) -> VolatilePtr<'_, Descriptor> {
        let slot = usize::from(index & (self.size - 1));
        // SAFETY: `slot` is below `size`, so this stays in the table.
        let place = unsafe { self.descriptors.add(slot) };
        // SAFETY: the table is mapped and aligned, and only volatile accesses
        // are made to it.
        unsafe { VolatilePtr::new(place) }
    }

    fn available_entry(&self, index: u16) -> VolatilePtr<'_, u16> {
        let slot = usize::from(index & (self.size - 1));
        let offset = size_of::<AvailableHeader>() + slot * size_of::<u16>();
        // SAFETY: `slot` is below `size`, so this stays in the ring.
        let place = unsafe { self.available.add(offset) };
        // SAFETY: as for `descriptor`.
        unsafe { VolatilePtr::new(place.cast()) }
    }

    fn used_entry(&self, index: u16) -> VolatilePtr<'_, UsedElement> {
        let slot = usize::from(index & (self.size - 1));
        let offset = size_of::<UsedHeader>() + slot * size_of::<UsedElement>();
        // SAFETY: `slot` is below `size`, so this stays in the ring.
        let place = unsafe { self.used.add(offset) };
        // SAFETY: as for `descriptor`.
        unsafe { VolatilePtr::new(place.cast()) }
    }

    fn available_flags(&self) -> &AtomicU16 {
        Self::shared_word(self.available, offset_of!(AvailableHeader, flags))
    }

    fn available_index(&self) -> &AtomicU16 {
        Self::shared_word(self.available, offset_of!(AvailableHeader, index))
    }

    fn used_event(&self) -> &AtomicU16 {
        let entries = usize::from(self.size) * size_of::<u16>();
        Self::shared_word(self.available, size_of::<AvailableHeader>() + entries)
    }

    fn used_flags(&self) -> &AtomicU16 {
        Self::shared_word(self.used, offset_of!(UsedHeader, flags))
    }

    fn used_index(&self) -> &AtomicU16 {
        Self::shared_word(self.used, offset_of!(UsedHeader, index))
    }

    fn available_event(&self) -> &AtomicU16 {
        let entries = usize::from(self.size) * size_of::<UsedElement>();
        Self::shared_word(self.used, size_of::<UsedHeader>() + entries)
    }

    /// A 16-bit word at an even offset in one of the two rings, not beyond the
    /// event behind its entries.
    fn shared_word<'queue>(ring: NonNull<u8>, offset: usize) -> &'queue AtomicU16 {
        // SAFETY: the callers above stay in the ring.
        let place = unsafe { ring.add(offset) };
        // SAFETY: the ring is mapped for as long as the queue lives, the word is
        // aligned, and both sides only ever access it atomically.
        unsafe { AtomicU16::from_ptr(place.cast().as_ptr()) }
    }
}

impl core::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let in_use = self.size - self.free_count;
        write!(formatter, "Queue({in_use} of {} descriptors in use)", self.size)
    }
}

// SAFETY: the queue owns its rings; it refers to nothing of its thread.
unsafe impl Send for Queue {}

/// An address that a device understands, as a pointer.
fn pointer<T>(address: u64) -> Option<NonNull<T>> {
    let address = usize::try_from(address).ok()?;
    NonNull::new(core::ptr::with_exposed_provenance_mut(address))
}

/// Records by the head of the chain that they belong to.
#[derive(Debug)]
pub(super) struct ByHead<T>(Box<[Option<T>]>);

impl<T> ByHead<T> {
    /// Room for as many records as a queue has descriptors.
    pub(super) fn new(size: u16) -> Self {
        let mut records = vec![];
        records.resize_with(usize::from(size), || None);
        Self(records.into_boxed_slice())
    }

    /// Keeps a record until its chain comes back.
    pub(super) fn insert(&mut self, head: u16, record: T) {
        if let Some(place) = self.0.get_mut(usize::from(head)) {
            *place = Some(record);
        }
    }

    /// The record of a chain that came back.
    pub(super) fn remove(&mut self, head: u16) -> Result<T, DeviceError> {
        let record = self.0.get_mut(usize::from(head)).and_then(Option::take);
        record.ok_or(DeviceError::UnknownDescriptor(u32::from(head)))
    }

    /// Gives up on every record without dropping it: a device may still write
    /// to the memory that it owns.
    pub(super) fn leak(&mut self) {
        for record in &mut self.0 {
            core::mem::forget(record.take());
        }
    }
}

#[cfg(test)]
mod tests;
