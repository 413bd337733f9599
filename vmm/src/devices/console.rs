//! The virtio console over which the guest replies (virtio 1.2, section 5.3).

use std::collections::VecDeque;

use abi::layout;
use abi::wire;
use vm_memory::{Bytes, GuestMemoryMmap};

use super::DeviceError;
use super::queue::DeviceQueue;

/// The most bytes in one descriptor chain: a message and its length.
const MAX_CHAIN: usize = wire::PREFIX + wire::MAX_MESSAGE;

/// A console.
#[derive(Debug)]
pub struct Console {
    receive: DeviceQueue,
    transmit: DeviceQueue,
    /// What the guest has yet to make room for.
    input: VecDeque<Vec<u8>>,
}

impl Console {
    /// The console in a slot.
    ///
    /// # Errors
    ///
    /// If the slot's rings are not in memory.
    pub fn new(slot: u8, memory: &GuestMemoryMmap) -> Result<Self, DeviceError> {
        let [receive, transmit] = layout::console_queues(slot);
        Ok(Self {
            receive: DeviceQueue::new(receive, memory)?,
            transmit: DeviceQueue::new(transmit, memory)?,
            input: VecDeque::new(),
        })
    }

    /// Asks for doorbells where they would matter. Says whether there is
    /// something to do already.
    ///
    /// # Errors
    ///
    /// If the guest breaks the rules.
    pub fn ask_for_doorbells(&mut self, memory: &GuestMemoryMmap) -> Result<bool, DeviceError> {
        let output = self.transmit.ask_for_doorbell(memory)?;
        let room = !self.input.is_empty() && self.receive.ask_for_doorbell(memory)?;
        Ok(output || room)
    }

    /// Takes the next piece of output, if there is one.
    ///
    /// # Errors
    ///
    /// If the guest breaks the rules.
    pub fn output(&mut self, memory: &GuestMemoryMmap) -> Result<Option<Vec<u8>>, DeviceError> {
        let Some(chain) = self.transmit.pop(memory)? else {
            return Ok(None);
        };
        let head = chain.head_index();
        let mut bytes = Vec::new();
        for descriptor in chain.readable() {
            let length =
                usize::try_from(descriptor.len()).map_err(|_| DeviceError::MessageTooLong)?;
            let start = bytes.len();
            if length > MAX_CHAIN - start {
                return Err(DeviceError::MessageTooLong);
            }
            bytes.resize(start + length, 0);
            memory
                .read_slice(bytes.get_mut(start..).unwrap_or_default(), descriptor.addr())
                .map_err(|_| DeviceError::OutsideMemory)?;
        }
        self.transmit.give_back(memory, head, 0)?;
        Ok(Some(bytes))
    }

    /// Queues input for the guest.
    pub fn push_input(&mut self, bytes: Vec<u8>) {
        self.input.push_back(bytes);
    }

    /// Hands over input for which the guest has made room. Says whether it did.
    ///
    /// # Errors
    ///
    /// If the guest breaks the rules.
    pub fn deliver(&mut self, memory: &GuestMemoryMmap) -> Result<bool, DeviceError> {
        let mut busy = false;
        while let Some(bytes) = self.input.pop_front() {
            let Some(chain) = self.receive.pop(memory)? else {
                self.input.push_front(bytes);
                break;
            };
            busy = true;
            let head = chain.head_index();
            let mut rest = bytes.as_slice();
            for descriptor in chain.writable() {
                let room =
                    usize::try_from(descriptor.len()).map_err(|_| DeviceError::OutsideMemory)?;
                let (now, later) = rest.split_at(room.min(rest.len()));
                memory
                    .write_slice(now, descriptor.addr())
                    .map_err(|_| DeviceError::OutsideMemory)?;
                rest = later;
            }
            if !rest.is_empty() {
                // The guest is told by the layout how long an answer can be.
                return Err(DeviceError::MessageTooLong);
            }
            let written = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.receive.give_back(memory, head, written)?;
        }
        Ok(busy)
    }
}
