//! Buffers that are used again: making one costs as much as filling it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::session::Error;
use crate::transfer::Transfers;

/// The shortest buffer in bytes.
const SHORTEST: usize = 4096;

/// How many buffers of a size are kept at the most.
const KEPT: usize = 16;

/// Buffers by size, each size a power of two.
#[derive(Debug)]
pub struct Pool<B> {
    by_size: Vec<Vec<B>>,
}

impl<B: core::ops::Deref<Target = [u8]>> Pool<B> {
    /// A pool without buffers.
    #[must_use]
    pub fn new() -> Self {
        Self { by_size: Vec::new() }
    }

    /// A buffer of at least so many bytes, with anything in it.
    ///
    /// # Errors
    ///
    /// If memory does not suffice.
    pub fn take<T: Transfers<Buffer = B>>(
        &mut self,
        session: &T,
        length: usize,
    ) -> Result<B, Error> {
        let length = length.max(SHORTEST).next_power_of_two();
        match self.class(length).pop() {
            Some(buffer) => Ok(buffer),
            None => session.buffer(length),
        }
    }

    /// Takes a buffer back.
    pub fn put(&mut self, buffer: B) {
        let class = self.class(buffer.len());
        if class.len() < KEPT {
            class.push(buffer);
        }
    }

    /// Takes a buffer back that was shared, if this was its last owner.
    pub fn put_shared(&mut self, buffer: Arc<B>) {
        if let Some(buffer) = Arc::into_inner(buffer) {
            self.put(buffer);
        }
    }

    fn class(&mut self, length: usize) -> &mut Vec<B> {
        let class = length.max(1).ilog2() as usize;
        if self.by_size.len() <= class {
            self.by_size.resize_with(class + 1, Vec::new);
        }
        &mut self.by_size[class]
    }
}

impl<B: core::ops::Deref<Target = [u8]>> Default for Pool<B> {
    fn default() -> Self {
        Self::new()
    }
}
