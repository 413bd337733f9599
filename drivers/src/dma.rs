//! Memory that devices read and write.
#![expect(unsafe_code, reason = "allocates aligned memory by hand")]

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// A heap buffer with an address that a device can be given.
///
/// The guest's memory is identity-mapped and contiguous, so one address and a
/// length describe the whole buffer, however long it is: there are no
/// scatter-gather lists in these drivers.
pub struct DmaBuffer {
    start: NonNull<u8>,
    layout: Layout,
}

impl DmaBuffer {
    /// The alignment of every buffer in bytes: enough for the host to read
    /// straight into it from a file opened with `O_DIRECT` on a disk with
    /// 4 KiB sectors.
    pub const ALIGNMENT: usize = 4096;

    /// A buffer of `length` zero bytes, or nothing if memory does not suffice
    /// or `length` is zero.
    #[must_use]
    pub fn zeroed(length: usize) -> Option<Self> {
        let layout = Layout::from_size_align(length, Self::ALIGNMENT).ok()?;
        if length == 0 {
            return None;
        }
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        NonNull::new(start).map(|start| Self { start, layout })
    }

    /// The address by which a device reaches the buffer.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.start.as_ptr().expose_provenance() as u64
    }
}

impl Deref for DmaBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is the start of an initialised allocation of this
        // size, which we own; a device only has its address while a driver
        // holds the buffer by value and lends it to nobody.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for DmaBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`, and `self` is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for DmaBuffer {
    fn drop(&mut self) {
        // SAFETY: `start` was allocated with this layout and is freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

impl fmt::Debug for DmaBuffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DmaBuffer({:#x}, {} bytes)", self.address(), self.layout.size())
    }
}

// SAFETY: the buffer is owned memory and refers to nothing of its thread.
unsafe impl Send for DmaBuffer {}

// SAFETY: whoever shares a buffer can only read it, and a device that is given a
// shared one only reads it too.
unsafe impl Sync for DmaBuffer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_zeroed_and_writable() {
        let mut buffer = DmaBuffer::zeroed(1234).unwrap();
        assert_eq!(buffer.address() % DmaBuffer::ALIGNMENT as u64, 0);
        assert_eq!(buffer.len(), 1234);
        assert!(buffer.iter().all(|byte| *byte == 0));
        buffer[1233] = 7;
        assert_eq!(buffer[1233], 7);
    }

    #[test]
    fn impossible_lengths_give_no_buffer() {
        assert!(DmaBuffer::zeroed(0).is_none());
        assert!(DmaBuffer::zeroed(usize::MAX).is_none());
    }
}
