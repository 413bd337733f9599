//! The console (virtio 1.2, section 5.3): whole messages out, whole messages in.

use alloc::vec::Vec;
use core::fmt;

use super::queue::{ByHead, Queue, Returned, Rings, Segment};
use super::{Device, DeviceError, Features};
use crate::dma::DmaBuffer;

/// The device id of a console.
pub const DEVICE_ID: u32 = 3;

/// What this driver can make use of. Without `MULTIPORT` a console has one
/// port, and the two queues below are all there is.
pub const FEATURES: Features = Features::VERSION_1.union(Features::EVENT_INDEX);

/// Section 5.3.2.
const RECEIVE_QUEUE: u16 = 0;
const TRANSMIT_QUEUE: u16 = 1;

/// A virtio console.
pub struct Console {
    receive: Queue,
    transmit: Queue,
    device: Device,
    /// The messages in the hands of the device.
    outgoing: ByHead<Vec<u8>>,
    /// The buffer that waits for input.
    incoming: ByHead<DmaBuffer>,
}

impl Console {
    /// A console over its two queues, or nothing if a queue's size is not a
    /// power of two.
    ///
    /// # Safety
    ///
    /// The rings must be mapped, aligned and long enough as [`Rings`] says,
    /// zeroed, known to the device, and used by nobody else for as long as the
    /// console lives; and the device must take addresses as they are.
    #[expect(unsafe_code, reason = "passes a promise on")]
    #[must_use]
    pub unsafe fn new(device: Device, receive: Rings, transmit: Rings) -> Option<Self> {
        Some(Self {
            outgoing: ByHead::new(transmit.size),
            incoming: ByHead::new(receive.size),
            // SAFETY: the caller's promise is the one that is asked for.
            receive: unsafe { Queue::new(receive, device.features) }?,
            // SAFETY: as above.
            transmit: unsafe { Queue::new(transmit, device.features) }?,
            device,
        })
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// The message comes back if as many as fit are on their way already, or if
    /// it is empty or longer than 4 GiB.
    pub fn send(&mut self, message: Vec<u8>) -> Result<(), Vec<u8>> {
        let Ok(length @ 1..) = u32::try_from(message.len()) else {
            return Err(message);
        };
        let address = message.as_ptr().expose_provenance() as u64;
        let segment = Segment { address, length, writable: false };
        #[expect(unsafe_code, reason = "hands a buffer to the device")]
        // SAFETY: the message moves to `outgoing` until the chain comes back;
        // `drop` leaks it if it never does.
        let added = unsafe { self.transmit.add(&[segment]) };
        match added {
            Some(head) => self.outgoing.insert(head, message),
            None => return Err(message),
        }
        if self.transmit.publish() {
            self.device.doorbell.ring(TRANSMIT_QUEUE);
        }
        Ok(())
    }

    /// Takes back the messages that have been sent. Says whether all have.
    ///
    /// # Errors
    ///
    /// If the device breaks the rules.
    pub fn reclaim(&mut self) -> Result<bool, DeviceError> {
        while let Some(Returned { head, .. }) = self.transmit.take_used()? {
            drop(self.outgoing.remove(head)?);
        }
        Ok(self.transmit.free() == self.transmit.size())
    }

    /// Whether another message can be sent.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.transmit.free() > 0
    }

    /// Gives the device a buffer for input. The buffer comes back if as many as
    /// fit are waiting already.
    ///
    /// # Errors
    ///
    /// The buffer, if it cannot wait.
    pub fn expect_input(&mut self, buffer: DmaBuffer) -> Result<(), DmaBuffer> {
        let Ok(length) = u32::try_from(buffer.len()) else {
            return Err(buffer);
        };
        let segment = Segment { address: buffer.address(), length, writable: true };
        #[expect(unsafe_code, reason = "hands a buffer to the device")]
        // SAFETY: the buffer moves to `incoming` until the chain comes back;
        // `drop` leaks it if it never does.
        let added = unsafe { self.receive.add(&[segment]) };
        match added {
            Some(head) => self.incoming.insert(head, buffer),
            None => return Err(buffer),
        }
        if self.receive.publish() {
            self.device.doorbell.ring(RECEIVE_QUEUE);
        }
        Ok(())
    }

    /// Takes the next input, if there is one: a buffer, and how many bytes of
    /// it the device filled. Never more than it has.
    ///
    /// # Errors
    ///
    /// If the device breaks the rules.
    pub fn input(&mut self) -> Result<Option<(DmaBuffer, usize)>, DeviceError> {
        let Some(Returned { head, written }) = self.receive.take_used()? else {
            return Ok(None);
        };
        let buffer = self.incoming.remove(head)?;
        let length = usize::try_from(written).unwrap_or(usize::MAX).min(buffer.len());
        Ok(Some((buffer, length)))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // The device may still use what it was given.
        self.outgoing.leak();
        self.incoming.leak();
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Console(receive {:?}, transmit {:?})", self.receive, self.transmit)
    }
}

#[cfg(test)]
mod tests;
