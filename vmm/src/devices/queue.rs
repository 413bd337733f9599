//! A split virtqueue whose rings the host has placed.

use abi::layout::Rings;
use virtio_queue::{DescriptorChain, Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::DeviceError;

/// The feature bits of every device: version 1 and event indices (virtio 1.2,
/// section 6).
pub const FEATURES: u64 = 1 << 32 | 1 << 29;

/// The device's end of a virtqueue.
#[derive(Debug)]
pub struct DeviceQueue(Queue);

/// A descriptor chain in guest memory.
pub type Chain<'memory> = DescriptorChain<&'memory GuestMemoryMmap>;

impl DeviceQueue {
    /// A queue over rings that are zero. It starts out silent: the guest need
    /// not ring for its first chains.
    ///
    /// # Errors
    ///
    /// If the rings are not where rings can be.
    pub fn new(rings: Rings, memory: &GuestMemoryMmap) -> Result<Self, DeviceError> {
        let mut queue = Queue::new(rings.size)?;
        queue.try_set_size(rings.size)?;
        queue.try_set_desc_table_address(GuestAddress(rings.descriptors))?;
        queue.try_set_avail_ring_address(GuestAddress(rings.available))?;
        queue.try_set_used_ring_address(GuestAddress(rings.used))?;
        queue.set_event_idx(true);
        queue.set_ready(true);
        // The available event: the chain at which the guest is to ring, here one
        // that is 65,535 chains away (section 2.7.10).
        let event = rings.used + 4 + 8 * u64::from(rings.size);
        memory.write_obj(u16::MAX, GuestAddress(event)).map_err(|_| DeviceError::OutsideMemory)?;
        Ok(Self(queue))
    }

    /// The next chain that the guest has made available, if there is one.
    ///
    /// # Errors
    ///
    /// If the available ring makes no sense.
    pub fn pop<'memory>(
        &mut self,
        memory: &'memory GuestMemoryMmap,
    ) -> Result<Option<Chain<'memory>>, DeviceError> {
        Ok(self.0.iter(memory)?.next())
    }

    /// Returns a chain, of which the device has written `written` bytes. The
    /// guest polls, so there is nobody to interrupt.
    ///
    /// # Errors
    ///
    /// If the head is no descriptor.
    pub fn give_back(
        &mut self,
        memory: &GuestMemoryMmap,
        head: u16,
        written: u32,
    ) -> Result<(), DeviceError> {
        Ok(self.0.add_used(memory, head, written)?)
    }

    /// Asks for a doorbell at the next chain, once. Says whether there is one
    /// already: the bell may not ring for it.
    ///
    /// # Errors
    ///
    /// If the available ring makes no sense.
    pub fn ask_for_doorbell(&mut self, memory: &GuestMemoryMmap) -> Result<bool, DeviceError> {
        Ok(self.0.enable_notification(memory)?)
    }
}
